"""What installing and removing the service means, as plans (see :mod:`edgecam.service.plan`)."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecam.config.credentials import split_credentials
from edgecam.core.toml import parse_toml
from edgecam.service.plan import Do, Execute, Plan, Remove, Step, Write, execute
from edgecam.service.target import Target, cage_of, need_root, owns_screen, problems
from edgecam.service.units import (
    HELPERS,
    SYSTEM_UNITS,
    UNITS,
    Mode,
    Rendered,
    default_settings,
    render,
    sysusers,
)

#: The systemd credential with the camera's password, and the file that it comes from.
CREDENTIAL, CREDENTIALS = "camera", "camera.credentials"
GETTY = "getty@tty1.service"


@dataclass(frozen=True, slots=True)
class Installed:
    """What the record of an installation holds."""

    mode: Mode
    unit: str
    getty_was_enabled: bool = False
    account_was_there: bool = False
    settings_sha256: str = ""


def installed(target: Target) -> Installed | None:
    """The record of what is installed there, or None. A damaged record counts as none."""
    try:
        values = json.loads(target.record.read_text())
        return Installed(
            values["mode"],
            values["unit"],
            bool(values["getty_was_enabled"]),
            bool(values["account_was_there"]),
            str(values["settings_sha256"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def plan_install(
    target: Target, mode: Mode, source: str | None = None, settings_text: str | None = None
) -> Plan:
    """Everything ``edgecam service install`` would do.

    source: for a first settings file. settings_text: settings asked for, which replace what is there.
    """
    unit = UNITS[mode]
    before = installed(target)
    plan = Plan(f"install {unit}.service, starting {target.command}")
    plan.problems += problems(target, mode)
    plan.steps += [
        Write(target.units / r.name, r.text) for r in render(mode, target.command, cage_of(target))
    ]
    secret = ""
    if source is not None:
        source, secret = split_credentials(source)
    if settings_text is not None:
        settings_text, secret = _without_secrets(settings_text, target)
    if secret:
        plan.steps += _credentials(target, unit, secret)
    where = None if not secret else str(target.settings / CREDENTIALS) if target.user else CREDENTIAL
    path = target.settings / "edgecam.toml"
    # the Debian package's settings, as it brought them, are nobody's yet
    untouched = source is not None and path.exists() and path.read_text() == default_settings()
    settings = Write(path, default_settings(source, where), keep=not untouched)
    if settings_text is None:
        plan.steps.append(settings)
    else:
        plan.replace(settings.path, settings_text)
    written = hashlib.sha256(settings.text.encode()).hexdigest()
    record = Installed(
        mode,
        unit,
        getty_was_enabled=before.getty_was_enabled if before else _getty_enabled(target),
        account_was_there=before.account_was_there if before else _account_there(target),
        settings_sha256=written
        if settings_text is None and settings.needed()
        else before.settings_sha256
        if before
        else "",
    )
    plan.steps.append(Write(target.record, json.dumps(asdict(record), indent=2) + "\n"))
    if not target.user:
        conf = target.root / "etc/sysusers.d/edgecam.conf"
        plan.steps.append(Write(conf, sysusers()))
        command = (
            "systemd-sysusers",
            *(() if target.root == Path("/") else (f"--root={target.root}",)),
            str(conf),
        )
        plan.steps.append(Do(command, "make the account edgecam", optional=target.root != Path("/")))
        group = ("chgrp", "edgecam", str(target.settings))
        for command in (group, ("chmod", "g+w", str(target.settings))):
            plan.steps.append(Do(command, "let the page save settings", optional=target.root != Path("/")))
    if target.live:
        plan.steps.append(Do(target.systemctl("daemon-reload"), "let systemd read the units"))
    for other in SYSTEM_UNITS if not target.user else ():
        if other != unit and (target.units / f"{other}.service").exists():
            plan.steps.append(
                Do(target.systemctl("disable", *_now(target), f"{other}.service"), "one of them at a time")
            )
            plan.steps.append(Remove(target.units / f"{other}.service"))
    if owns_screen(mode):
        plan.steps.append(
            Do(target.systemctl("disable", *_now(target), GETTY), "free the screen", optional=True)
        )
    elif before and before.getty_was_enabled and owns_screen(before.mode):
        plan.steps.append(
            Do(target.systemctl("enable", GETTY), "the login on the screen comes back", optional=True)
        )
    plan.steps.append(Do(target.systemctl("enable", f"{unit}.service"), "start it at boot"))
    if target.live:
        plan.steps.append(Do(target.systemctl("restart", "--no-block", f"{unit}.service"), "start it now"))
    if path.exists() and source is not None and not untouched:
        plan.notes.append(
            f"--source is not used: {target.settings / 'edgecam.toml'} is there already; change it there"
        )
    if target.user:
        plan.notes.append("without a login it runs only after `loginctl enable-linger` for this user")
    return plan


def _without_secrets(text: str, target: Target) -> tuple[str, str]:
    """Settings whose sources have lost their passwords, and the lines for the file that keeps them."""
    sources = parse_toml(text.encode()).get("source", ())
    found = [(uri, *split_credentials(uri)) for uri in sources if isinstance(uri, str)]
    lines = [line for _, _, line in found if line]
    for uri, bare, line in found:
        text = text.replace(uri, bare) if line else text
    if lines:
        where = str(target.settings / CREDENTIALS) if target.user else CREDENTIAL
        text = f'credentials = "{where}"\n{text}'
    return text, "\n".join(lines)


def _credentials(target: Target, unit: str, line: str) -> list[Step]:
    """A file for its owner's eyes only; systemd gives it to the service, which could not read it itself."""
    text = f"# written by edgecam service install; see edgecam --help, --credentials\n{line}\n"
    steps: list[Step] = [Write(target.settings / CREDENTIALS, text, mode=0o600)]
    if not target.user:
        load = f"[Service]\nLoadCredential={CREDENTIAL}:/etc/edgecam/{CREDENTIALS}\n"
        steps.append(Write(target.units / f"{unit}.service.d" / "credentials.conf", load))
    return steps


def plan_uninstall(target: Target, purge: bool = False) -> Plan:
    """Everything ``edgecam service uninstall`` would do. Clips and settings stay unless ``purge``."""
    before = installed(target)
    plan = Plan("remove edgecam's service")
    if not target.user and target.root == Path("/") and target.uid != 0:
        plan.problems.append(need_root("uninstall"))
    names = ("edgecam",) if target.user else SYSTEM_UNITS
    present = [name for name in names if (target.units / f"{name}.service").exists()]
    for name in present:
        plan.steps.append(
            Do(target.systemctl("disable", *_now(target), f"{name}.service"), "stop it", optional=True)
        )
        if target.live:
            plan.steps.append(
                Do(target.systemctl("stop", f"edgecam-retry@{name}.timer"), "no retry", optional=True)
            )
    plan.steps += [Remove(target.units / f"{name}.service") for name in present]
    plan.steps += [Remove(target.units / helper) for helper in HELPERS]
    plan.steps.append(Remove(target.record))
    for name in names:
        drop_in = target.units / f"{name}.service.d"
        if (drop_in / "credentials.conf").exists():
            plan.steps += [Remove(drop_in / "credentials.conf"), Remove(drop_in)]
    if purge or _unchanged_settings(target, before):
        plan.steps += [Remove(target.settings / "edgecam.toml"), Remove(target.settings / CREDENTIALS)]
        plan.steps.append(Remove(target.settings / "edgecam.toml.before"))
    elif (target.settings / "edgecam.toml").exists():
        plan.notes.append(
            f"{target.settings / 'edgecam.toml'} has your changes and stays (--purge removes it)"
        )
    if not target.user:
        plan.steps.append(Remove(target.root / "etc/sysusers.d/edgecam.conf"))
    plan.steps.append(Remove(target.settings))
    if before and before.getty_was_enabled and owns_screen(before.mode):
        again = target.systemctl("enable", *_now(target), GETTY)
        plan.steps.append(Do(again, "the login on the screen comes back", optional=True))
    if target.live:
        plan.steps.append(Do(target.systemctl("daemon-reload"), "let systemd forget the units"))
    if not target.user:
        _data(target, plan, purge, before)
    return plan


def _data(target: Target, plan: Plan, purge: bool, before: Installed | None) -> None:
    folders = [target.root / p / "edgecam" for p in ("var/lib", "var/cache", "var/log")]
    present = [str(folder) for folder in folders if folder.exists()]
    if not purge:
        if present:
            plan.notes.append(f"clips and logs stay: {' '.join(present)} (--purge removes them)")
        return
    if present:
        plan.steps.append(Do(("rm", "-rf", "--one-file-system", *present), "clips, caches and logs"))
    if target.root == Path("/") and before is not None and not before.account_was_there:
        plan.steps.append(Do(("userdel", "edgecam"), "the account made by install", optional=True))


def verify(target: Target, mode: Mode, run: Execute = execute) -> list[str]:
    """What ``systemd-analyze verify`` says of the units as they would be installed; nothing said is good.

    Any line about one of the units is a fault: unknown keys are only messages to systemd.
    """
    rendered = render(mode, target.command, cage_of(target))
    with tempfile.TemporaryDirectory(prefix="edgecam-verify-") as name:
        folder = Path(name)
        for file in rendered:
            (folder / file.name).write_text(file.text)
        files = [str(folder / r.name.replace("@.", "@edgecam.")) for r in rendered]
        for template in HELPERS:
            (folder / template.replace("@.", "@edgecam.")).symlink_to(folder / template)
        manager = ["--user"] if target.user else []
        status, printed = run(("systemd-analyze", *manager, "verify", "--man=no", *files))
    if status == 127:
        return []  # no systemd-analyze: nothing to say
    return [line for line in printed.splitlines() if _concerns(line, rendered, target)]


def _concerns(line: str, rendered: list[Rendered], target: Target) -> bool:
    if not any(r.name.partition("@")[0].partition(".service")[0] in line for r in rendered):
        return False
    # below another root the programs are there and not here
    return not (target.root != Path("/") and "is not executable: No such file" in line)


def _now(target: Target) -> tuple[str, ...]:
    return ("--now",) if target.live else ()


def _getty_enabled(target: Target) -> bool:
    return (target.root / "etc/systemd/system/getty.target.wants" / GETTY).is_symlink()


def _account_there(target: Target) -> bool:
    try:
        return re.search(r"^edgecam:", (target.root / "etc/passwd").read_text(), re.M) is not None
    except OSError:
        return False


def _unchanged_settings(target: Target, before: Installed | None) -> bool:
    """Whether the settings are still as install wrote them; a file that was there before is not ours."""
    return before is not None and before.settings_sha256 == _sha256(target.settings / "edgecam.toml")


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"
