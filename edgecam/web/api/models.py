"""Models: which are here and how good they are, which one runs, checked, chosen, gone back from, removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edgecam.config.toml_edit import parse
from edgecam.core.errors import ConfigError, EdgecamError, ModelError
from edgecam.inference.models.card import Task
from edgecam.web.api.operation import ApiError, Call, Done, Operation
from edgecam.web.model_choice import SETTING, trial

DEFAULT = "default"


class ModelRow(msgspec.Struct):
    """A model on this board. metrics: its card's. ms, mj: measured here, null where tuning never tried it.

    running: it, as it lies there, runs now. own: put into the models folder; else it came with edgecam.
    replaced: it runs, but another file lies there by now, which a new start takes. before: an own one that
    stands before the one of the same name that came with edgecam. weights: their SHA-256, "" if not known.
    """

    name: str
    task: Task
    precision: str
    input_wh: tuple[int, int]
    labels: int
    metrics: dict[str, float]
    ms: float | None
    mj: float | None
    bytes: int
    running: bool
    roles: list[str] = []
    own: bool = False
    replaced: bool = False
    before: bool = False
    created: str = ""
    licence: str = ""
    training_data: str = ""
    weights: str = ""


class Choice(msgspec.Struct):
    """What runs and what is set, of a task. runs: null where nothing does, or a plug-in does. chosen: the
    setting, as the file has it now. restart: it takes a new start to have it. previous: what was set before,
    null where that is not known. problem: why it cannot be chosen here, "" where it can.
    """

    task: Task
    runs: str | None
    chosen: str
    restart: bool
    previous: str | None
    problem: str


class Pick(msgspec.Struct, forbid_unknown_fields=True):
    """Of which task; names such as ``default`` are in several."""

    task: Task


class Checked(msgspec.Struct):
    """state: good, unproven (no hash to compare), damaged, or broken. ms: of a picture on one thread, here.

    seen: what it found in the newest picture.
    """

    state: str
    words: str
    ms: float | None
    seen: dict[str, int]


Name = Annotated[str, Meta(max_length=80)]


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag, one = Operation, "system", "/api/models/{model}"
    body: dict[str, Any] = {"body": Pick, "fails": (404, 409), "tag": tag}
    return [
        make("GET", "/api/models", "Models on this board", models, answer=list[ModelRow], tag=tag),
        make("GET", "/api/model-choices", "What runs and is set", choices, answer=list[Choice], tag=tag),
        make("POST", one + "/check", "Check a model and try it", check, "operator", Checked, **body),
        make("POST", one + "/use", "Use a model from the next start on", use, "admin", Choice, **body),
        make("POST", "/api/model-choices/back", "Use the model of before", back, "admin", Choice, **body),
        make("DELETE", one, "Remove a model of your own", remove, "admin", Done, fails=(404, 409), tag=tag),
    ]


def models(call: Call) -> list[ModelRow]:
    """Their accuracy as their cards have it, beside what this very board needs for one picture."""
    from edgecam.inference.models.store import list_models, roles_of, shipped_folder
    from edgecam.inference.tuning.cache import measured

    here, shipped = measured(), shipped_folder()
    running = {one.path: one for one in call.site.models.running.values()}
    rows = []
    for path, card in list_models():
        one, now = here.get(path.stem), running.get(path)
        try:
            size = path.stat().st_size
        except OSError:  # it was removed a moment ago
            continue
        own = path.parent != shipped
        rows.append(
            ModelRow(
                path.stem,
                card.task,
                card.precision,
                card.resolution,
                len(card.labels),
                dict(card.metrics),
                None if one is None else round(one.ms, 2),
                None if one is None or one.mj is None else round(one.mj, 1),
                size,
                now is not None,
                roles_of(card),
                own,
                now is not None and now.replaced,
                own and (shipped / path.name).exists(),
                card.created,
                card.licence,
                card.training_data,
                card.weights_sha256,
            )
        )
    return rows


def choices(call: Call) -> list[Choice]:
    """Of detectors and of classifiers."""
    return [_choice(call, task) for task in SETTING]


def _choice(call: Call, task: Task) -> Choice:
    site = call.site
    now = str(getattr(site.config, SETTING[task]))
    problem, chosen = "", now
    try:
        if site.settings_file.path is None:
            problem = "edgecam was started without a settings file; start it with --config FILE.toml"
        else:
            chosen = str(parse(site.settings_file.text()).get(SETTING[task], _usual(task)))
    except ConfigError as error:
        problem = str(error)
    if not problem and site.given_models.get(task, chosen) != chosen:
        problem = f"--{SETTING[task]} on the command line (or in the environment) goes before the file"
    running = site.models.running.get(task)
    earlier = site.models.earlier(task)
    restart = (chosen != now and not problem) or (running is not None and running.replaced)
    runs = None if running is None else running.path.stem
    return Choice(task, runs, chosen, restart, earlier[-1] if earlier else None, problem)


def _usual(task: Task) -> str:
    from edgecam.config import Config

    return str(getattr(Config(), SETTING[task]))


def _find(name: str, task: Task) -> Path:
    """A model by its name or role; never by a path."""
    from edgecam.inference.models.store import find_model, list_models

    if name.lower().endswith(".onnx"):
        raise ApiError(404, f"there is no model '{name[:60]}'; name it without .onnx")
    for path, card in list_models(task):
        if name in (path.stem, card.name):
            return path
    try:
        return find_model(name, task)
    except ModelError as error:
        raise ApiError(404, str(error)) from None


def check(call: Call) -> Checked:
    """Compares the weights with the card's hash, loads it beside what runs, shows it the newest picture."""
    from edgecam.inference.models.checking import check_file

    path, task = _find(call.path["model"], call.body.task), call.body.task
    found = check_file(path)
    if found.bad:
        return Checked(found.state, found.words, None, {})
    newest = next((r for c in call.site.cameras if (r := call.site.latest(c.id)) is not None), None)
    with call.site.models.lock:  # one at a time: each takes as much memory as a detector
        try:
            tried = trial(path, task, call.site.config, newest)
        except EdgecamError as error:
            return Checked("broken", str(error), None, {})
    return Checked(found.state, found.words, round(tried.ms, 1), tried.seen)


def use(call: Call) -> Choice:
    """Checked first; then the settings file names it, for the next start. What was set is remembered."""
    task: Task = call.body.task
    name = call.path["model"]
    tried = check(call)
    if tried.ms is None:
        raise ApiError(409, f"'{name}' cannot be used: {tried.words}")
    value = name if name == DEFAULT else _find(name, task).stem
    before = _choice(call, task)
    if before.problem:
        raise ApiError(409, before.problem)
    if value != before.chosen:
        _write(call, task, value)
        call.site.models.remember(task, before.chosen)
    return _choice(call, task)


def _write(call: Call, task: Task, value: str) -> None:
    file = call.site.settings_file
    text = file.text()
    wanted = None if value == _usual(task) else value
    file.write(file.preview({SETTING[task]: wanted}), file.tag(text))


def back(call: Call) -> Choice:
    """What was set before the last choice; checked like any other."""
    task: Task = call.body.task
    now = _choice(call, task)
    if now.problem or now.previous is None:
        raise ApiError(409, now.problem or "nothing was chosen here before")
    if now.previous not in ("off", DEFAULT):
        call.path["model"] = now.previous
        tried = check(call)
        if tried.ms is None:
            raise ApiError(409, f"'{now.previous}' cannot be used any more: {tried.words}")
    _write(call, task, now.previous)
    call.site.models.forget_latest(task)
    return _choice(call, task)


def remove(call: Call) -> Done:
    """From the models folder; one of the same name that came with edgecam takes its place."""
    from edgecam.inference.models.sidecar import sidecar_path
    from edgecam.inference.models.store import list_models, shipped_folder

    name = call.path["model"]
    path = next((p for p, _ in list_models() if p.stem == name), None)
    if path is None:
        raise ApiError(404, f"there is no model '{name[:60]}'")
    shipped = shipped_folder() / path.name
    if path.parent == shipped_folder():
        raise ApiError(409, f"'{name}' came with edgecam and stays")
    if not shipped.exists() and any(
        name in (choice.chosen, choice.runs) for choice in (_choice(call, task) for task in SETTING)
    ):
        raise ApiError(409, f"'{name}' is in use; choose another first, and restart")
    try:
        path.unlink(missing_ok=True)
        for beside in (sidecar_path(path), path.with_name(f"{path.stem}.shown.json")):
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise EdgecamError(f"it cannot be removed: {error.strerror}") from error
    words = "; the one that came with edgecam takes its place at the next start" if shipped.exists() else ""
    return Done(f"removed{words}")
