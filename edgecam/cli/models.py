"""``edgecam models``: list, describe, fetch, verify and remove models.

``list``, ``info``, ``verify`` and ``rm`` need no torch; ``describe`` and ``pull`` do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecam.core.errors import ConfigError, MissingExtraError, ModelError, suggest
from edgecam.host.installation import install_extra
from edgecam.inference.models.file import weights_sha256
from edgecam.inference.models.store import list_models, load_card, shipped_folder, user_folder
from edgecam.nn.hub.registry import OFFICIAL, Official, official

if TYPE_CHECKING:
    from edgecam.inference.models.card import Card

_EPILOG = """\
Models lie in two folders: those that came with edgecam, and your own. A name in your folder goes first.
`pull` fetches weights that others trained and published, checks their hash, maps them onto edgecam's own
networks, exports them to ONNX with their card, compares ONNX with torch, and stores the file in your folder.

examples:
  edgecam models list                                what is here, and what can be pulled
  edgecam models info mobilenet_v2                   everything known of one model
  edgecam models describe mobilenet_v2 --width 0.5   its layers, parameters and multiply-adds
  edgecam models pull ssdlite320_mobilenet_v3_large  then: edgecam --detector ssdlite320_mobilenet_v3_large
  edgecam models pull mobilenet_v2 --from mobilenet_v2-7ebf99e0.pth
  edgecam models verify                              are the files what they were?
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam models",
        description="List, describe, fetch, verify and remove models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="models here, and official weights that can be pulled")
    info = commands.add_parser("info", help="the card of a model, or the registry's entry")
    info.add_argument("name", metavar="NAME")
    pull = commands.add_parser("pull", help="fetch official weights and make a model file of them")
    pull.add_argument("name", metavar="NAME")
    pull.add_argument("--from", dest="source", type=Path, metavar="FILE", help="weights downloaded already")
    verify = commands.add_parser("verify", help="compare weights with the hash in their card")
    verify.add_argument("name", nargs="?", metavar="NAME", help="(default: every model)")
    remove = commands.add_parser("rm", help="delete a model from your folder")
    remove.add_argument("name", metavar="NAME")
    describe = commands.add_parser("describe", help="layers, parameters and multiply-adds of an architecture")
    describe.add_argument("name", metavar="NAME", help="for example mobilenet_v3_large")
    describe.add_argument(
        "--width", type=float, default=1.0, metavar="X", help="width multiplier (default 1)"
    )
    describe.add_argument(
        "--resolution", type=int, metavar="PX", help="side of the input (default: the paper's)"
    )
    describe.add_argument("--classes", type=int, default=1000, metavar="N", help="(default 1000)")
    return parser


def _console() -> Any:
    from rich.console import Console

    # A pipe has no width; 80 columns would cut the names that the next program wants to read.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 130)


def _table(title: str, *columns: str, right: Sequence[str] = ()) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _score(card: Card) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in list(card.metrics.items())[:2])


def _list() -> None:
    console = _console()
    here = list_models()
    figures = ("px", "params", "MB")
    table = _table("Models here", "name", "task", "architecture", *figures, "scores", "where", right=figures)
    for path, card in here:
        params = f"{card.parameters / 1e6:.2f} M" if card.parameters else ""
        where = "yours" if path.parent == user_folder() else "edgecam"
        size = f"{path.stat().st_size / 1e6:.1f}"
        side = f"{card.resolution[0]}"
        table.add_row(path.stem, card.task, card.architecture, side, params, size, _score(card), where)
    console.print(table)
    if not here:
        console.print(f"none: neither in {user_folder()} nor in {shipped_folder()}")
    present = {path.stem for path, _ in here}
    table = _table(
        "Official weights to pull", "name", "task", *figures[:2], "score", "licence", "", right=figures
    )
    for entry in OFFICIAL:
        state = "here" if entry.name in present else "" if entry.url else "not published for torch"
        score = f"{entry.score[0]} {entry.score[1]:g}" if entry.score else ""
        params = f"{entry.parameters / 1e6:.2f} M"
        table.add_row(entry.name, entry.task, str(entry.resolution), params, score, entry.licence, state)
    console.print(table)
    console.print(f"your folder: {user_folder()}", soft_wrap=True)


def _find(name: str) -> Path | None:
    """The model file of that name or path, whatever its task."""
    path = Path(name)
    if path.suffix == ".onnx" and path.is_file():
        return path
    for found, card in list_models():
        if name in (found.stem, card.name):
            return found
    return None


def _info(name: str) -> None:
    path = _find(name)
    entry = next((e for e in OFFICIAL if e.name == name), None)
    if path is None and entry is None:
        names = [p.stem for p, _ in list_models()] + [e.name for e in OFFICIAL]
        raise ModelError(f"no model is called '{name}'{suggest(name, names)}; see `edgecam models list`")
    if path is not None:
        _print_fields(str(path), _card_fields(load_card(path)))
    if entry is not None:
        _print_fields(f"official weights '{entry.name}'", _entry_fields(entry))


def _card_fields(card: Card) -> list[tuple[str, object]]:
    labels = ", ".join(card.labels[:12]) + (f", … ({len(card.labels)})" if len(card.labels) > 12 else "")
    fields: list[tuple[str, object]] = [("labels", labels)]
    for field in card.__struct_fields__:
        value = getattr(card, field)
        if field in ("labels", "v") or value in ("", None, {}, ()):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        fields.append((field, value))
    return fields


def _entry_fields(entry: Official) -> list[tuple[str, object]]:
    hashed = f"begins {entry.sha256} (its publisher names no more of it)"
    if len(entry.sha256) == 64:
        hashed = entry.sha256
    elif not entry.sha256:
        hashed = (
            f"not fixed: compared with what the same server says at {entry.hash_url}. That finds a damaged "
            "download, not a file that was changed there"
        )
    return [
        ("address", entry.url or entry.note),
        *([("sha-256", hashed)] if entry.url else []),
        ("licence", entry.licence),
        ("trained on", entry.training_data),
        ("score", f"{entry.score[0]} {entry.score[1]:g}" if entry.score else "none published"),
        ("architecture", f"{entry.architecture}, width {entry.width:g}, {entry.parameters:,} parameters"),
        ("input", f"{entry.resolution} px, RGB 0…1, mean {entry.mean}, std {entry.std}"),
        ("resize", f"{entry.interpolation}, the central {entry.crop:.1%} of the shorter side"),
        *([("note", entry.note)] if entry.note and entry.url else []),
    ]


def _print_fields(title: str, fields: Sequence[tuple[str, object]]) -> None:
    table = _table(title, "", "")
    table.show_header = False
    for name, value in fields:
        table.add_row(name, str(value))
    _console().print(table)


def _pull(name: str, source: Path | None) -> None:
    entry = official(name)
    if not entry.url:
        raise ConfigError(f"there is nothing to pull for {entry.name}: {entry.note}")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        import torch  # noqa: F401

        from edgecam.nn.hub.pull import pull
    except ImportError as error:
        raise MissingExtraError(
            f"`edgecam models pull` needs the package '{error.name}': {install_extra('train')}"
        ) from error
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress("{task.description}", *columns, transient=True) as bar:
        task = bar.add_task(entry.name, total=None, visible=False)
        path = pull(
            entry,
            say=lambda text: bar.console.print(text, soft_wrap=True, highlight=False),
            progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
            source=source,
        )
    option = "--detector" if entry.task == "detection" else "--classifier"
    sys.stdout.write(f"{path}\nto use it: edgecam --source demo: {option} {entry.name}\n")


def _weights_sha256(path: Path) -> str | None:
    """As :func:`weights_sha256`, and through onnx for files with typed tensors (int8); None without onnx."""
    found = weights_sha256(path)
    if found is None:
        try:
            from edgecam.nn.export import card_writer
        except ImportError:
            return None
        found = card_writer.weights_sha256(card_writer.load_model(path))
    return found


def _verify(name: str | None) -> int:
    models = list_models()
    if name is not None:
        path = _find(name)
        if path is None:
            raise ModelError(f"no model is called '{name}'{suggest(name, [p.stem for p, _ in models])}")
        models = [(path, load_card(path))]
    bad = 0
    for path, card in models:
        found = _weights_sha256(path) if card.weights_sha256 else None
        if not card.weights_sha256:
            verdict = "no hash in its card"
        elif found is None:
            verdict = f"not checked: an int8 file needs the package 'onnx' ({install_extra('models')})"
        elif found == card.weights_sha256:
            verdict = "good"
        else:
            verdict = "DAMAGED: the weights are not those of its card; pull or export it again"
            bad += 1
        sys.stdout.write(f"{path.stem:<40} {verdict}\n")
    for path in sorted(user_folder().glob("*.onnx")):
        if path not in {p for p, _ in models} and name is None:
            try:
                load_card(path)
            except ModelError as error:
                sys.stdout.write(f"{path.stem:<40} BROKEN: {error}\n")
                bad += 1
    return 4 if bad else 0


def _remove(name: str) -> None:
    path = user_folder() / f"{Path(name).name.removesuffix('.onnx')}.onnx"
    if not path.is_file():
        mine = [p.stem for p in user_folder().glob("*.onnx")]
        shipped = _find(name)
        if shipped is not None and shipped.parent == shipped_folder():
            raise ModelError(
                f"'{name}' came with edgecam and is not removed; your own models are in {user_folder()}"
            )
        raise ModelError(f"there is no model '{name}' in {user_folder()}{suggest(name, mine)}")
    path.unlink()
    path.with_suffix(".toml").unlink(missing_ok=True)
    sys.stdout.write(f"removed {path}\n")


def _describe(arguments: argparse.Namespace) -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"`edgecam models describe` needs the package 'torch': {install_extra('train')}"
        ) from error
    from edgecam.nn.hub.describe_table import show

    show(
        _console(),
        arguments.name,
        width=arguments.width,
        resolution=arguments.resolution,
        num_classes=arguments.classes,
    )


def main(argv: Sequence[str]) -> int:
    """Run ``edgecam models``; returns the exit code. Raises :class:`edgecam.core.errors.EdgecamError`."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "list":
        _list()
    elif arguments.command == "info":
        _info(arguments.name)
    elif arguments.command == "pull":
        _pull(arguments.name, arguments.source)
    elif arguments.command == "verify":
        return _verify(arguments.name)
    elif arguments.command == "rm":
        _remove(arguments.name)
    else:
        _describe(arguments)
    return 0
