"""What the owner of a board may do by a program: settings, models, access, the doctor, the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from edgecam.inference.models.card import Task
from edgecam.web.api.account import MadePairing, NewPairing, NewPassword
from edgecam.web.api.models import Checked, Choice, ModelRow, Pick
from edgecam.web.api.operation import Done
from edgecam.web.api.settings import Preview, Save, Saved, Settings, Wanted
from edgecam.web.api.system import Doctor, HistoryColumns, LogLine
from edgecam.web.api.tokens import MadeToken, NewToken, TokenRow
from edgecam.web.auth.access import Role
from edgecam.web.client_link import Link


class Owner(Link):
    """The part of :class:`edgecam.web.client.Client` that is about the board itself."""

    def models(self) -> list[ModelRow]:
        """Models, with accuracy and this board's milliseconds."""
        return self._json("GET", "models", list[ModelRow])

    def model_choices(self) -> list[Choice]:
        """What runs and what is set."""
        return self._json("GET", "model-choices", list[Choice])

    def check_model(self, name: str, task: Task = "detection") -> Checked:
        """Compare it with its card, and try it on the newest picture."""
        return self._json("POST", f"models/{quote(name)}/check", Checked, body=Pick(task))

    def use_model(self, name: str, task: Task = "detection") -> Choice:
        """Choose a model for the next start; see :meth:`restart`."""
        return self._json("POST", f"models/{quote(name)}/use", Choice, body=Pick(task))

    def previous_model(self, task: Task = "detection") -> Choice:
        """Go back to the model that was set before, for the next start."""
        return self._json("POST", "model-choices/back", Choice, body=Pick(task))

    def remove_model(self, name: str) -> Done:
        """Delete a model of your own."""
        return self._json("DELETE", f"models/{quote(name)}", Done)

    def restart(self) -> Done:
        """End the program and start it anew."""
        return self._json("POST", "restart", Done)

    def history(self, hours: float = 3.0) -> HistoryColumns:
        """Power, heat and rates."""
        return self._json("GET", "history", HistoryColumns, query={"hours": hours})

    def settings(self) -> Settings:
        """Every setting."""
        return self._json("GET", "config", Settings)

    def try_settings(self, changes: Mapping[str, Any]) -> Preview:
        """What writing these into the settings file would change; writes nothing."""
        return self._json("POST", "config/check", Preview, body=Wanted(dict(changes)))

    def save_settings(self, changes: Mapping[str, Any], tag: str | None = None) -> Saved:
        """Write them into the settings file; None takes one out. tag: of the file as it was read."""
        known = self.settings().tag if tag is None else tag
        return self._json("PUT", "config", Saved, body=Save(known, dict(changes)))

    def doctor(self) -> Doctor:
        """The doctor's page; takes some seconds."""
        return self._json("GET", "doctor", Doctor)

    def logs(self, lines: int = 100) -> list[LogLine]:
        """The newest lines of its log, oldest first."""
        return self._json("GET", "logs", list[LogLine], query={"lines": lines})

    def metrics(self) -> str:
        """For Prometheus, as text."""
        return self._bytes("GET", "metrics").decode()

    def tokens(self) -> list[TokenRow]:
        """The programs that have a token."""
        return self._json("GET", "tokens", list[TokenRow])

    def new_token(self, name: str, role: Role = "viewer", days: float | None = None) -> MadeToken:
        """Make a token for another program; its secret is told this once."""
        return self._json("POST", "tokens", MadeToken, body=NewToken(name, role, days))

    def revoke_token(self, token_id: str) -> Done:
        """Revoke a token."""
        return self._json("DELETE", f"tokens/{quote(token_id)}", Done)

    def new_pairing(self, role: Role = "admin") -> MadePairing:
        """Make a one-time link by which a phone logs in."""
        return self._json("POST", "pairings", MadePairing, body=NewPairing(role))

    def set_password(self, password: str, old: str | None = None) -> Done:
        """Set the owner's password."""
        return self._json("PUT", "password", Done, body=NewPassword(password, old))
