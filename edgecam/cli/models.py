"""``edgecam models``: list, describe, fetch, verify and remove models.

``list``, ``info``, ``verify`` and ``rm`` need no torch; ``describe`` and ``pull`` do.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgecam.cli.models_pages import laid_out, list_lines, model_rows, page_width, title_of
from edgecam.core.console import console, out, raw_out
from edgecam.core.errors import EXIT_MODEL, EXIT_OK, ConfigError, MissingExtraError, ModelError, suggest
from edgecam.core.progress import downloading
from edgecam.host.installation import install_extra
from edgecam.inference.models.checking import check_file, check_models
from edgecam.inference.models.store import find_model, list_models, load_card, shipped_folder, user_folder
from edgecam.nn.hub.registry import OFFICIAL, Official, official

_EPILOG = """\
Models lie in two folders: those that came with edgecam, and your own. A name in your folder goes first.
`pull` fetches weights that others trained and published, checks their hash, maps them onto edgecam's own
networks, exports them to ONNX with their card, compares ONNX with torch, and stores the file in your folder.

examples:
  edgecam models                                     what is here, and what can be pulled
  edgecam models info default                        what one sees, how well, and what it misses
  edgecam models describe mobilenet_v2 --width 0.5   its layers, parameters and multiply-adds
  edgecam models pull ssdlite320_mobilenet_v3_large  then: edgecam --detector ssdlite320_mobilenet_v3_large
  edgecam models pull mobilenet_v2 --from mobilenet_v2-7ebf99e0.pth
  edgecam models verify                              are the files what they were?
"""
_ROLES = ("default", "accurate", "fast", "small")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam models",
        description="List, describe, fetch, verify and remove models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="models here, and official weights that can be pulled")
    info = commands.add_parser("info", help="the card of a model, or the registry's entry")
    info.add_argument(
        "name", metavar="NAME", help="a file's, a role (default, accurate, fast) or published weights'"
    )
    info.add_argument("--json", action="store_true", help="the whole card, for programs")
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

    # a pipe has no width; 80 columns would cut what the next program wants to read
    return console(highlight=False, width=None if sys.stdout.isatty() else 130)


def _find(name: str) -> Path | None:
    """The model file of that name or path, whatever its task."""
    path = Path(name)
    if path.suffix == ".onnx" and path.is_file():
        return path
    for found, card in list_models():
        if name in (found.stem, card.name):
            return found
    for task in ("detection", "classification"):  # a role: default, fast, small
        try:
            return find_model(name, task)
        except ModelError:
            continue
    return None


def _info(name: str, everything: bool) -> None:
    path = _find(name)
    entry = next((e for e in OFFICIAL if e.name == name), None)
    if path is None and entry is None:
        names = [*_ROLES, *(p.stem for p, _ in list_models()), *(e.name for e in OFFICIAL)]
        raise ModelError(f"no model is called '{name}'{suggest(name, names)}; see `edgecam models`")
    if path is not None:
        card = load_card(path)
        if everything:
            raw_out(json.dumps(msgspec.to_builtins(card), indent=1) + "\n")
            return
        _write(laid_out(title_of(path, card), model_rows(path, card), page_width()))
    if entry is not None:
        _write(laid_out(f"published weights '{entry.name}'", _entry_fields(entry), page_width()))


def _write(lines: Iterable[str]) -> None:
    out("\n".join(lines) + "\n")


def _entry_fields(entry: Official) -> list[tuple[str, str]]:
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
    with downloading() as bar:
        task = bar.add_task(entry.name, total=None, visible=False)
        path = pull(
            entry,
            say=lambda text: bar.console.print(text, soft_wrap=True, highlight=False),
            progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
            source=source,
        )
    option = "--detector" if entry.task == "detection" else "--classifier"
    out(f"{path}\nto use it: edgecam --source demo: {option} {entry.name}\n")


def _verify(name: str | None) -> int:
    if name is not None:
        path = _find(name)
        if path is None:
            known = [*_ROLES, *(p.stem for p, _ in list_models())]
            raise ModelError(f"no model is called '{name}'{suggest(name, known)}")
        found = [check_file(path)]
    else:
        found = list(check_models())
    width = max((len(each.path.stem) for each in found), default=0)
    for each in found:
        mark = each.state.upper() if each.bad else each.state
        _write([f"{each.path.stem:<{width}}  {mark}: {each.words}"])
    return EXIT_MODEL if any(each.bad for each in found) else EXIT_OK


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
    out(f"removed {path}\n")


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
    if arguments.command in (None, "list"):
        _write(list_lines(OFFICIAL))
    elif arguments.command == "info":
        _info(arguments.name, arguments.json)
    elif arguments.command == "pull":
        _pull(arguments.name, arguments.source)
    elif arguments.command == "verify":
        return _verify(arguments.name)
    elif arguments.command == "rm":
        _remove(arguments.name)
    else:
        _describe(arguments)
    return 0
