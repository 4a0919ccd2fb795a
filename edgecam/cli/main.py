"""The command line. Imports nothing heavy: ``edgecam --help`` must answer at once."""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from edgecam.config import Option, given, load, options
from edgecam.core.console import PlainFormatter, err, open_standard_streams, out
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, EXIT_USAGE, ConfigError, EdgecamError, suggest
from edgecam.core.package import __version__

#: Subcommand -> (module with ``main(argv) -> int``, one line for the help).
COMMANDS = {
    "setup": ("edgecam.cli.setup", "five questions, then the settings and the service"),
    "try": ("edgecam.cli.try_source", "look once at a camera, address, film or photograph"),
    "models": ("edgecam.cli.models", "list, describe, download and verify models"),
    "devices": ("edgecam.cli.devices", "list cameras, their formats, sizes and rates"),
    "clips": ("edgecam.cli.clips", "list, show, protect, verify and delete recorded clips"),
    "events": ("edgecam.cli.events", "what happened, how often, why not, and what other rules would tell"),
    "render": ("edgecam.cli.render", "draw the detections of a clean clip's sidecar into it"),
    "bench": ("edgecam.cli.bench", "measure the models on this board"),
    "latency-test": ("edgecam.cli.latency_test", "measure glass-to-glass latency through the camera"),
    "doctor": ("edgecam.cli.doctor", "check board, packages, cameras, models and supply"),
    "power": ("edgecam.cli.power", "show the power meter, calibrate the estimate"),
    "plugins": ("edgecam.cli.plugins", "list what edgecam ships, and what other packages add to it"),
    "service": ("edgecam.cli.service", "install and control the systemd service"),
    "web": ("edgecam.cli.web", "set the page's password, pair a phone, make tokens"),
    "api": ("edgecam.cli.api", "print the OpenAPI document of the page's API"),
    "completion": ("edgecam.cli.completion", "completion of commands and options for your shell"),
    "self-test": ("edgecam.cli.self_test", "kill recordings at random and check every clip"),
    "train": ("edgecam.cli.train", "train a detector or classifier on your own pictures"),
    "evaluate": ("edgecam.cli.evaluate", "average precision or accuracy of a model on labelled pictures"),
    "export": ("edgecam.cli.export", "write a trained checkpoint as ONNX with its card"),
    "quantize": ("edgecam.cli.quantize", "make the int8 file of a model, and measure what it costs"),
}

_GROUPS = {
    "source": "where the pictures come from",
    "vision": "what is looked for",
    "rules": "what is told, and counted",
    "output": "what comes out",
    "wire": "who is told",
    "web": "the page",
    "run": "how it runs",
}

_EXAMPLES = """\
examples:
  edgecam --source demo:                                  photographs under a moving camera; needs no camera
  edgecam --source /dev/video0 --size 1280x720 --rate 30  a USB camera in a window
  edgecam --source csi:0 --display fullscreen             a Raspberry Pi camera on the whole screen
  edgecam --source clip.mp4 --display none --record out.mp4 --json out.jsonl
  edgecam --source rtsp://user:secret@camera/stream --classes person,car --score 0.6
  edgecam --source 'photos/*.jpg' --display none --json -

Settings also come from the environment (EDGECAM_SCORE=0.6) and from a TOML file (--config; keys are the
option names). Exit codes: 0 done, 1 an error while running, 2 usage, 3 no source, 4 no model.
"""
#: What ``edgecam`` alone says: where to begin, within 60 columns.
_FIRST = f"""\
edgecam {__version__}: a camera that sees, and tells

  edgecam --source demo:        photographs; needs no camera
  edgecam devices               which cameras there are
  edgecam try /dev/video0       look once, say what is there
  edgecam --source /dev/video0  a USB camera, in a window
  edgecam --source csi:0        a Raspberry Pi camera
  edgecam setup                 five questions, done
  edgecam doctor                what is missing, what helps
  edgecam --help                everything
"""


def _default_text(option: Option) -> str:
    if option.default in (None, (), False, 0) or option.kind == "count":
        return ""
    value = option.default
    if value == "default":
        return " (default: the one that edgecam ships, named default)"
    if option.name == "classify_budget":
        value = f"{value * 1000:g}ms"
    elif option.name in ("pre", "post", "record_longest"):
        value = f"{value:g}s"
    return f" (default {value})"


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``edgecam --source …``, made from :mod:`edgecam.config`."""
    commands = "\n".join(f"  edgecam {name:<13} {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="edgecam",
        usage="edgecam --source SOURCE [options]\n       edgecam COMMAND [options]",
        description="Camera vision for embedded boards: boxes, rates and watts on a screen, clips on disk.",
        epilog=f"{_EXAMPLES}\ncommands (each has its own --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,
        exit_on_error=False,
    )
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    for option in options():
        text = (option.description + _default_text(option)).replace("%", "%%")
        names = [option.flag] if option.short is None else [f"-{option.short}", option.flag]
        extra: dict[str, Any] = {"dest": option.name, "help": text}
        if option.kind == "flag":
            extra["action"] = "store_true"
        elif option.kind == "count":
            extra["action"] = "count"
        else:
            extra["metavar"] = option.metavar or "|".join(option.choices)
            if option.kind == "list":
                extra["action"] = "append"
        groups[option.group].add_argument(*names, **extra)
    groups["run"].add_argument("-h", "--help", action="help", help="show this and exit")
    groups["run"].add_argument("--version", action="version", version=f"edgecam {__version__}")
    return parser


def _joined(argv: Sequence[str]) -> list[str]:
    """``--classes -bird`` as ``--classes=-bird``: argparse takes what begins with a dash for an option."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--classes" and word.startswith("-") and not word.startswith("--"):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def _parse(argv: Sequence[str]) -> dict[str, Any]:
    parser = build_parser()
    argv = _joined(argv)
    known = {name for action in parser._actions for name in action.option_strings}
    for argument in argv:
        if argument == "--":
            break
        name = argument.split("=", 1)[0]
        if name.startswith("--") and name not in known:
            raise ConfigError(f"unknown option {name}{suggest(name, known) or '; see edgecam --help'}")
    try:
        found, rest = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise ConfigError(str(error).replace("argument ", "", 1)) from None
    if rest:
        hint = f"; to look at it: --source {rest[0]}" if not rest[0].startswith("-") else ""
        raise ConfigError(f"unexpected argument '{rest[0]}'{hint}")
    return vars(found)


def _set_up_logging(verbose: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s" if verbose else "%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("libav").setLevel(logging.CRITICAL if verbose < 2 else logging.DEBUG)


def _tell_of_secrets(arguments: Mapping[str, Any], gone: bool) -> None:
    """A command line is open to every user of the machine: say a better way. gone: they were taken off it."""
    from edgecam.config.credentials import split_credentials
    from edgecam.host.process_title import has_secret

    log, now = logging.getLogger(__name__), " (it is taken off now)" if gone else ""
    for uri in arguments.get("source", ()):
        bare, line = split_credentials(uri)
        if line:
            log.warning(
                "%s: its password stood on the command line, open to every user here%s; put it into a file "
                "of mode 0600 and name that with --credentials FILE",
                bare.partition("?")[0],  # cameras put tokens into the query
                now,
            )
    for name in ("mqtt", "webhook", "notify"):
        given = arguments.get(name) or ()
        for address in (given,) if isinstance(given, str) else given:
            if has_secret(f"--{name}", address):
                log.warning(
                    "--%s: a secret stood on the command line, open to every user here%s; put it into a "
                    "settings file of mode 0600 and name that with --config FILE",
                    name,
                    now,
                )


def _run(argv: Sequence[str], gone: bool | None) -> int:
    arguments = _parse(argv)
    try:
        return _run_with(arguments, argv, gone)
    except ConfigError as error:
        from edgecam.cli.safe_mode import run_safe_mode

        code = run_safe_mode(arguments, argv, error)
        if code is None:
            raise
        return code


def _run_with(arguments: dict[str, Any], argv: Sequence[str], gone: bool | None) -> int:
    config = load(arguments)
    _set_up_logging(config.verbose)
    if gone is not None:
        _tell_of_secrets(arguments, gone)
    if not config.source:
        raise ConfigError(
            "no source given; try: edgecam --source demo:  (or /dev/video0; see edgecam --help)"
        )
    from edgecam.cli.run import run  # the heavy rooms

    return run(config, given(arguments), reload=lambda: (load(arguments), given(arguments)), argv=argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code and never shows a traceback unless ``-vv`` asks for one."""
    open_standard_streams()
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = any(a in ("-vv", "-vvv") for a in argv) or argv.count("-v") + argv.count("--verbose") > 1
    gone: bool | None = None
    if any("://" in word for word in argv):
        from edgecam.host.process_title import hide_secrets

        gone = hide_secrets(argv)
    try:
        if argv and argv[0] in COMMANDS:
            module = importlib.import_module(COMMANDS[argv[0]][0])
            return int(module.main(argv[1:]))
        if argv and argv[0].replace("-", "").isalpha() and argv[0][0] != "-" and suggest(argv[0], COMMANDS):
            raise ConfigError(f"unknown command '{argv[0]}'{suggest(argv[0], COMMANDS)}")
        if not argv:
            out(_FIRST)
            return EXIT_OK
        return _run(argv, gone)
    except EdgecamError as error:
        if debug:
            raise
        err(f"edgecam: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_OK
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said to them.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return EXIT_OK
    except ModuleNotFoundError as error:
        if debug:
            raise
        from edgecam.host.installation import missing_package

        err(f"edgecam: {missing_package(error)}\n")
        return EXIT_USAGE
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            err("edgecam: no space is left where it had to write (the disk, or standard output)\n")
            return EXIT_RUNTIME
        kind = type(error).__name__
        err(f"edgecam: unexpected {kind}: {error}; run again with -vv for the details\n")
        return EXIT_RUNTIME


if __name__ == "__main__":
    sys.exit(main())
