"""``edgecam completion bash``: completion of commands, options and their values, made from the parsers."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence

from edgecam.cli import parsers
from edgecam.cli.main import COMMANDS
from edgecam.core.console import raw_out
from edgecam.core.errors import EXIT_OK

_EXAMPLES = """\
examples:
  source <(edgecam completion bash)                          in this shell
  edgecam completion bash > ~/.local/share/bash-completion/completions/edgecam
  edgecam completion zsh > ~/.zsh/edgecam.zsh                then source it in ~/.zshrc

scripts/install and the Debian package put it in place.
"""

_HEAD = """\
# edgecam(1) completion, made by `edgecam completion bash`
_edgecam() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case "$path/$word" in
"""
_TAIL = """\
  return 0
}
complete -o bashdefault -o default -F _edgecam edgecam
"""


def _paths() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(``service install``, its parser) of everything that can be typed; an empty path is edgecam itself."""
    yield "", parsers.parser_of("")
    for command in COMMANDS:
        parser = parsers.parser_of(command)
        yield command, parser
        for name, sub in parsers.subcommands_of(parser).items():
            yield f"{command} {name}", sub


def bash() -> str:
    """The script for bash; needs nothing but bash itself."""
    paths = list(_paths())
    lines = [_HEAD.rstrip("\n")]
    for path, _ in paths[1:]:
        parent, _, word = path.rpartition(" ")
        lines.append(f"      {shlex.quote(f'{parent}/{word}')}) path={shlex.quote(path)} ;;")
    lines += ["    esac", "  done", '  case "$path:$prev" in']
    for path, parser in paths:
        lines += _values(path, parser)
    lines += ["  esac", '  case "$path" in']
    for path, parser in paths:
        words = [name for action in parsers.options_of(parser) for name in action.option_strings]
        words += list(COMMANDS) if not path else list(parsers.subcommands_of(parser))
        files = any(parsers.takes_file(action) for action in parsers.positionals_of(parser))
        more = '; [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- "$cur"))' if files else ""
        reply = f'COMPREPLY=($(compgen -W {shlex.quote(" ".join(words))} -- "$cur"))'
        lines.append(f"    {shlex.quote(path)}) {reply}{more} ;;")
    lines += ["  esac", _TAIL.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _values(path: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parsers.options_of(parser):
        if not parsers.takes_value(action):
            continue
        names = "|".join(shlex.quote(f"{path}:{name}") for name in action.option_strings)
        words = parsers.words_for(action)
        if words:
            known = shlex.quote(" ".join(words))
            yield f'    {names}) COMPREPLY=($(compgen -W {known} -- "$cur")); return 0 ;;'
        elif parsers.takes_file(action):
            yield f'    {names}) COMPREPLY=($(compgen -f -- "$cur")); return 0 ;;'
        else:
            yield f"    {names}) return 0 ;;"


def zsh() -> str:
    """The same for zsh, by its own emulation of bash's completion."""
    return "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" + bash()


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam completion`` with the arguments after those two words; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="edgecam completion",
        description="Print a script that completes edgecam's commands and options.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=("bash", "zsh"))
    args = parser.parse_args(argv)
    raw_out(zsh() if args.shell == "zsh" else bash())
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
