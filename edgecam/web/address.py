"""Where the page listens, and under which names it answers."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from edgecam.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed ``--web`` value: host is an IP address; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def parse_address(text: str) -> Address:
    """``8080``, ``0.0.0.0:8080``, ``[::]:8080``, ``localhost:8080``. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host = "127.0.0.1"
    host = host.strip("[]")
    if host in ("localhost", ""):
        host = "127.0.0.1"
    elif host == "*":
        host = "0.0.0.0"
    example = "write PORT or ADDRESS:PORT, such as 8080, 0.0.0.0:8080 or [::]:8080"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(f"--web '{text}': '{host}' is not an IP address; {example}") from None
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"--web '{text}': '{port}' is not a port; {example}")
    return Address(host, int(port))


def own_names(extra: tuple[str, ...] = ()) -> frozenset[str]:
    """Host names under which a browser may ask for the page: this machine's, and what the settings add.

    A page of somebody else's that points its own name at the board (DNS rebinding) sends that name; an IP
    address cannot be rebound, so those always pass.
    """
    name = socket.gethostname().lower().split(".")[0]
    found = {"localhost", "edgecam", "edgecam.local", *(n.lower().rstrip(".") for n in extra)}
    if name:
        found |= {name, f"{name}.local", f"{name}.lan", f"{name}.home", f"{name}.fritz.box"}
        found.add(socket.gethostname().lower())
    return frozenset(found)


_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?")


def split_host(value: str) -> str | None:
    """The name in a Host header, in lower case, without its port; None if it is not a host."""
    match = _HOST.fullmatch(value)
    return match[1].lower().rstrip(".") if match else None


def host_allowed(value: str, names: frozenset[str], *, loopback_only: bool) -> bool:
    """Whether a Host header names this board. loopback_only: nothing but this machine's own addresses."""
    name = split_host(value)
    if name is None:
        return False
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "localhost" if loopback_only else name in names
    return address.is_loopback if loopback_only else True


def lan_addresses() -> list[str]:
    """The addresses at which others on the network may reach this board, best guess first."""
    found: list[str] = []
    for family, target in ((socket.AF_INET, ("192.0.2.1", 9)), (socket.AF_INET6, ("2001:db8::1", 9))):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(target)  # a datagram socket sends nothing by that
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return [a for a in found if not ipaddress.ip_address(a.split("%")[0]).is_loopback]
