"""The kiosk service in the guest, as a user sets it up."""

from __future__ import annotations

from pathlib import Path

from guest_tools import BY_ID, EDGECAM, show
from virtual_board import PATIENCE, Board

from edgecam.capture.generated.demo import PHOTOGRAPHS

UNIT = "edgecam-kiosk"
#: The units' limits, for :func:`install`.
LIMITS_S = {"WatchdogSec": 8, "TimeoutStartSec": 180, "TimeoutStopSec": 10, "TimeoutAbortSec": 3}
PID = "$(cat /run/edgecam/pid)"


def photograph() -> tuple[str, ...]:
    """Options of the webcam: five pictures a second, of a photograph with a person."""
    return ("--rate", "5", "--picture", str(PHOTOGRAPHS / "astronaut.jpg"))


def settings(board: Board, model: str, *more: str, source: str = BY_ID) -> None:
    """Write /etc/edgecam/edgecam.toml. ``model``: options; its file is put where a service may read it."""
    lines = [
        f'source = ["{source}"]',
        'size = "320x240"',
        "rate = 10",
        'classify = "off"',
        'tune = "off"',
        *more,
    ]
    words = model.split()
    if "--detector" in words:
        file = words[words.index("--detector") + 1]
        board.check(f"mkdir -p /opt/models && cp {file} /opt/models/")
        lines.append(f'detector = "/opt/models/{Path(file).name}"')
    (board.host / "edgecam.toml").write_text("\n".join(lines) + "\n")
    board.check("mkdir -p /etc/edgecam && cp /host/edgecam.toml /etc/edgecam/")
    # the emulated card has no OpenGL
    board.check("echo WLR_RENDERER=pixman >/etc/edgecam/environment")


def install(board: Board, model: str, kind: str = "--kiosk", *more: str, source: str = BY_ID) -> str:
    """``edgecam service install``; what it said.

    The unit's own time limits are a board's; in emulated seconds they are multiplied like every limit here.
    """
    settings(board, model, *more, source=source)
    unit = UNIT if kind == "--kiosk" else "edgecam"
    folder = f"/etc/systemd/system/{unit}.service.d"
    lines = [f"{name}={value * PATIENCE:.0f}" for name, value in LIMITS_S.items()]
    (board.host / "emulation.conf").write_text("\n".join(["[Service]", *lines]) + "\n")
    board.check(f"mkdir -p {folder} && cp /host/emulation.conf {folder}/")
    return board.check(f"{EDGECAM} service install {kind} --yes", 120)


def restarts(board: Board, unit: str = UNIT) -> int:
    """How often systemd has started it again since the boot."""
    return int(show(board, unit, "NRestarts")["NRestarts"])


def assert_restarts(board: Board, count: int, why: str, unit: str = UNIT) -> None:
    """Fail, with what the journal says, if it was started again another number of times."""
    found = restarts(board, unit)
    if found != count:
        log = board.check(f"journalctl -b -u {unit} --no-pager -o short-monotonic | tail -n 80")
        raise AssertionError(f"{why}: {found} restarts in place of {count}\n{log}")
