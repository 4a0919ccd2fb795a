"""Every command's parser, for what is made from them: shell completion and the man page."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from edgecam.cli.main import COMMANDS, build_parser


class _FoundError(Exception):
    """Carries the parser out of a command that was about to use it."""


@contextmanager
def _caught() -> Iterator[None]:
    names = ("parse_args", "parse_known_args", "parse_intermixed_args")
    own = {name: getattr(argparse.ArgumentParser, name) for name in names}

    def found(self: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        raise _FoundError(self)

    try:
        for name in names:
            setattr(argparse.ArgumentParser, name, found)
        yield
    finally:
        for name, method in own.items():
            setattr(argparse.ArgumentParser, name, method)


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of ``edgecam COMMAND``; of ``edgecam --source …`` for an empty one. One thread at a time."""
    if not command:
        return build_parser()
    module = importlib.import_module(COMMANDS[command][0])
    with _caught():
        try:
            module.main([])
        except _FoundError as found:
            parser: argparse.ArgumentParser = found.args[0]
            return parser
    raise AssertionError(f"edgecam {command} parses no arguments")


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options in a parser's help that have a name."""
    return [a for a in parser._actions if a.option_strings and a.help != argparse.SUPPRESS]


def positionals_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments in a parser's help that have no name; not its sub-commands."""
    return [
        a for a in parser._actions if not a.option_strings and not isinstance(a, argparse._SubParsersAction)
    ]


def subcommands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """A parser's sub-commands, such as ``install`` of ``service``."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def takes_value(action: argparse.Action) -> bool:
    """Whether a word follows the option."""
    return action.nargs != 0


def words_for(action: argparse.Action) -> Sequence[str]:
    """The words that may follow, where they are known."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    words = metavar.split("|")
    return words if len(words) > 1 and all(w.islower() for w in words) else ()


def takes_file(action: argparse.Action) -> bool:
    """Whether a file or a folder may follow."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return any(word in metavar.upper() for word in ("FILE", "DIR", "SOURCE", "MODEL", "CLIP", "PATH"))
