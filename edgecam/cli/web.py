"""``edgecam web``: the page's password, phones and tokens, from the board itself."""

from __future__ import annotations

import argparse
import getpass
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from edgecam.core.console import out
from edgecam.core.errors import EXIT_OK, ConfigError
from edgecam.web.auth.store import Store, default_path

#: A token's days: ten years; without --days it has no end.
MOST_DAYS = 3650

_EXAMPLES = """\
examples:
  edgecam web password                 set the password; asks twice, or reads one line from a pipe
  edgecam web pair --url http://192.168.1.20:8080
                                       a QR code that lets a phone in once, within ten minutes
  edgecam web token "wall tablet" --role viewer --camera front --days 365
                                       a key for a program; shown once
  edgecam web list                     tokens and browsers that are logged in
  edgecam web revoke 3f9a12bc04de      take a token back
  sudo edgecam web announce --port 8080    the page stands in the network's list (Avahi)
  edgecam web logout                   end every browser's session

Then: edgecam --source … --web 0.0.0.0:8080 --web-tls self
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam web`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    if args.verb == "announce":
        return _announce(args.folder, args.port, args.tls)
    store = Store(args.store or default_path())
    if args.verb == "password":
        store.set_password(_ask_password())
        _say(f"The password is set ({store.path}); every browser has to log in again.")
    elif args.verb == "pair":
        secret = store.new_pairing(args.role)
        url = f"{args.url.rstrip('/')}/#/pair/{secret}"
        _say(_qr(url) + f"\n{url}\n\nGood once, for ten minutes, as {args.role}.")
    elif args.verb == "token":
        row, secret = store.new_token(
            args.name, args.role, days=args.days, cameras=tuple(args.camera) if args.camera else None
        )
        _say(f"{secret}\n\nToken '{row.name}', id {row.id}, role {row.role}. It is shown this once.")
        _say(f"Use it so:  curl -H 'Authorization: Bearer {secret[:6]}…' http://BOARD:8080/api/stats")
    elif args.verb == "list":
        _list(store)
    elif args.verb == "revoke":
        if not store.revoke_token(args.id):
            raise ConfigError(f"there is no token '{args.id}'; see: edgecam web list")
        _say("Revoked.")
    else:
        count = store.end_all_sessions()
        _say(f"{count} sessions ended.")
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam web",
        description="Who may see the page that --web serves.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--store", type=Path, metavar="FILE", help="where it is kept (default: the service's, or your own)"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("password", help="set the owner's password")
    pair = verbs.add_parser("pair", help="let a phone in by a QR code")
    pair.add_argument("--url", default="http://edgecam.local:8080", help="the page's address for the phone")
    pair.add_argument("--role", choices=("viewer", "operator", "admin"), default="admin")
    token = verbs.add_parser("token", help="make a key for a program")
    token.add_argument("name", help="what it is for")
    token.add_argument("--role", choices=("viewer", "operator", "admin"), default="viewer")
    token.add_argument("--camera", action="append", metavar="ID", help="only this camera; repeat for more")
    token.add_argument("--days", type=_days, metavar="N", help="until it ends (default: never)")
    verbs.add_parser("list", help="tokens and sessions")
    revoke = verbs.add_parser("revoke", help="take a token back")
    revoke.add_argument("id")
    announce = verbs.add_parser("announce", help="tell the network of the page (Avahi)")
    announce.add_argument("--port", type=int, default=8080)
    announce.add_argument("--tls", action="store_true", help="the page is served over HTTPS")
    announce.add_argument(
        "--folder", type=Path, default=Path("/etc/avahi/services"), metavar="DIR", help="Avahi's services"
    )
    verbs.add_parser("logout", help="end every browser's session")
    return parser


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= MOST_DAYS:  # nor is NaN
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days above 0, up to {MOST_DAYS}")
    return days


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise ConfigError("the two passwords differ; nothing was changed")
    return first


def _qr(url: str) -> str:
    try:
        import segno
    except ModuleNotFoundError:
        from edgecam.host.installation import install_extra

        return f"(for a QR code: {install_extra('web')})"
    import io

    out = io.StringIO()
    segno.make(url, error="l").terminal(out, compact=True)
    return out.getvalue()


_AVAHI = """\
<?xml version="1.0" standalone="no"?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<!-- made by: edgecam web announce -->
<service-group>
  <name replace-wildcards="yes">edgecam on %h</name>
  <service><type>_{kind}._tcp</type><port>{port}</port><txt-record>path=/</txt-record></service>
</service-group>
"""


def _announce(folder: Path, port: int, tls: bool) -> int:
    if not folder.is_dir():
        raise ConfigError(f"'{folder}' is not there; install Avahi first: sudo apt install avahi-daemon")
    file = folder / "edgecam.service"
    try:
        file.write_text(_AVAHI.format(kind="https" if tls else "http", port=port))
    except OSError as error:
        raise ConfigError(f"'{file}' cannot be written ({error.strerror}); try with sudo") from error
    name = socket.gethostname().split(".")[0]
    _say(f"{file} is written; the page is at http{'s' if tls else ''}://{name}.local:{port}/")
    return EXIT_OK


def _list(store: Store) -> None:
    kept = store.look(lambda k: k)
    for token in kept.tokens:
        end = "for ever"
        if token.expires is not None:
            end = time.strftime("until %Y-%m-%d", time.gmtime(token.expires))
        cameras = "all cameras" if token.cameras is None else ", ".join(token.cameras)
        _say(f"token    {token.id}  {token.name:<24} {token.role:<9} {cameras}, {end}")
    for session in kept.sessions:
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(session.created))
        _say(f"browser  {session.hash[:12]}  {session.agent[:40]:<40} {session.role:<9} since {since}Z")
    if not kept.tokens and not kept.sessions:
        _say("Nobody is logged in, and there are no tokens.")


def _say(text: str) -> None:
    out(text + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
