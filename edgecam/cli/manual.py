"""The man page edgecam(1), made from the parsers: ``python -m edgecam.cli.manual > edgecam.1``."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator

from edgecam.cli import parsers
from edgecam.cli.main import COMMANDS
from edgecam.core.console import raw_out
from edgecam.core.package import __version__

_FILES = (
    ("/etc/edgecam/edgecam.toml", "settings of the service; keys are the option names"),
    ("/etc/edgecam/environment", "environment variables of the service"),
    ("~/.config/edgecam/edgecam.toml", "settings that edgecam setup writes for you"),
    ("~/.local/share/edgecam/models", "your own models; one of a shipped model's name goes first"),
    ("/var/lib/edgecam", "clips, snapshots and state of the service"),
)
_EXIT = (
    ("0", "done, or stopped by the user"),
    ("1", "an error while running"),
    ("2", "bad usage or settings"),
    ("3", "the source could not be opened"),
    ("4", "the model could not be loaded"),
)


def page() -> str:
    """The page in roff (man(7))."""
    # reproducible: the day of the sources, where the builder says it
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    main = parsers.parser_of("")
    lines = [
        f'.TH EDGECAM 1 "{day}" "edgecam {__version__}" "User Commands"',
        *(".SH NAME", r"edgecam \- camera vision for embedded boards"),
        *(".SH SYNOPSIS", r".B edgecam \-\-source", r".I SOURCE", "[options]", ".br", ".B edgecam"),
        *(r".I COMMAND", "[options]", ".SH DESCRIPTION", _text(main.description or "")),
        _text("A live source drops stale frames and counts them; a file waits and loses none."),
    ]
    lines.append(".SH OPTIONS")
    for group in main._action_groups:
        actions = [a for a in group._group_actions if a.option_strings]
        if actions:
            lines += [f".SS {_text(group.title or '')}", *_actions(actions)]
    lines.append(".SH COMMANDS")
    for name, (_, summary) in COMMANDS.items():
        lines += _command(name, summary)
    lines += [".SH EXIT STATUS", *_pairs(_EXIT), ".SH ENVIRONMENT"]
    lines.append(_text("Each option may come from EDGECAM_ and its name in capitals: EDGECAM_SCORE=0.6."))
    lines += [".SH FILES", *_pairs(_FILES), ".SH EXAMPLES", ".nf", *_examples(main), ".fi"]
    lines += [".SH SEE ALSO", ".BR systemd (1),", ".BR journalctl (1),", ".BR v4l2\\-ctl (1)"]
    return "\n".join(lines) + "\n"


def _command(name: str, summary: str) -> Iterator[str]:
    parser = parsers.parser_of(name)
    yield f".SS {_text(f'edgecam {name}')}"
    yield _text(summary[0].upper() + summary[1:] + ".")
    yield from _actions([*parsers.positionals_of(parser), *_without_help(parser)])
    for word, sub in parsers.subcommands_of(parser).items():
        yield from (".TP", rf".B {_text(f'edgecam {name} {word}')}", _text(_help_of(parser, word)))
        inner = [*parsers.positionals_of(sub), *_without_help(sub)]
        if inner:
            yield from (".RS", *_actions(inner), ".RE")


def _without_help(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [a for a in parsers.options_of(parser) if "--help" not in a.option_strings]


def _help_of(parser: argparse.ArgumentParser, word: str) -> str:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return next((c.help or "" for c in action._choices_actions if c.dest == word), "")
    return ""


def _actions(actions: list[argparse.Action]) -> Iterator[str]:
    for action in actions:
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        if not metavar and action.choices is not None:
            metavar = "|".join(map(str, action.choices))
        names = ", ".join(action.option_strings) or metavar or action.dest
        yield ".TP"
        value = metavar if action.option_strings and parsers.takes_value(action) else ""
        yield rf"\fB{_text(names)}\fR" + (rf" \fI{_text(value)}\fR" if value else "")
        yield _text(_filled(action))


def _filled(action: argparse.Action) -> str:
    text = action.help or ""
    return re.sub(r"%\((\w+)\)s", lambda m: str(getattr(action, m[1], "")), text).replace("%%", "%")


def _pairs(pairs: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, text in pairs:
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(text))


def _examples(parser: argparse.ArgumentParser) -> Iterator[str]:
    epilog = (parser.epilog or "").partition("\n\n")[0]
    yield from (_text(line) for line in epilog.splitlines()[1:])


def _text(text: str) -> str:
    r"""Escaped for roff: a hyphen that may be copied is ``\-``, a line does not begin with a request."""
    text = " ".join(text.split()) if not text.startswith("  ") else text.rstrip()
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    raw_out(page())
