"""The virtual board for the tests of this folder. docs/virtual-board.md says how to run them.

``EC_SYSTEM=short`` runs each once and briefly, ``EC_SYSTEM=long`` as often and as long as the issues ask.
Without it they are skipped: building the board takes minutes, and root.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from board_image import CannotBuildError, build, locked
from virtual_board import Board, GuestError

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MODE = os.environ.get("EC_SYSTEM", "")
#: One test, with the guest built within it if it is the first, on a busy machine.
TEST_TIMEOUT_S = int(os.environ.get("EC_SYSTEM_TIMEOUT_S", "3600"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, and give it time."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
            if MODE not in ("short", "long"):
                item.add_marker(pytest.mark.skip(reason="EC_SYSTEM=short (or long) boots the virtual board"))


@pytest.fixture(scope="session")
def long_form() -> bool:
    """Whether this is the long form."""
    return MODE == "long"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from the checkout; or that in ``EC_SYSTEM_WHEEL``."""
    given = os.environ.get("EC_SYSTEM_WHEEL")
    if given:
        return Path(given)
    out = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "-q", "--disable-pip-version-check", "-w", str(out), str(PROJECT)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options], check=True, timeout=600)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def image() -> Path:
    """The folder with the guest's disk."""
    try:
        return build(say)
    except CannotBuildError as error:
        if os.environ.get("EC_SYSTEM_MUST"):  # scripts/test-board has seen to it that it can be
            raise
        pytest.skip(str(error))


def _ready(image: Path, board: Board) -> Path:
    """The disk with the snapshot ``ready``, made if need be; the image is locked by the caller."""
    ready = image / f"ready-{board.fingerprint()}.qcow2"
    if not ready.exists():
        say("booting the guest for the first time")
        # snapshots of another QEMU, or of another machine, fit no more
        for old in (*image.glob("ready-*"), *image.glob("installed-*")):
            old.unlink()
        _twice(partial(_boot, board, ready))
    return ready


@pytest.fixture
def bare_board(tmp_path: Path, image: Path) -> Iterator[Board]:
    """The board without edgecam, running."""
    board = Board(image, Path(os.environ.get("EC_SYSTEM_FOLDER") or tmp_path))
    with locked(image):
        ready = _ready(image, board)
    board.new_disk(copy_of=ready)
    board.start("ready")
    board.check("rm -rf /opt/edgecam; ! command -v edgecam")
    say("the board is on, with nothing of ours on it")
    yield board
    board.power_cut()


@pytest.fixture(scope="session")
def board_with_wheel(tmp_path_factory: pytest.TempPathFactory, wheel: Path, image: Path) -> Board:
    """A board, switched off, whose snapshot ``installed`` has the wheel in it."""
    board = Board(image, Path(os.environ.get("EC_SYSTEM_FOLDER") or tmp_path_factory.mktemp("board")))
    content = hashlib.sha256(wheel.read_bytes()).hexdigest()[:12]
    installed = image / f"installed-{board.fingerprint()}-{content}.qcow2"
    with locked(image):
        ready = _ready(image, board)
        if not installed.exists():
            say("installing the wheel in the guest")
            # one wheel is enough to keep
            for old in image.glob("installed-*"):
                old.unlink()
            _twice(partial(_install, board, ready, wheel, installed))
    board.new_disk(copy_of=installed)
    return board


def say(text: str) -> None:
    """For who looks on: under emulation everything takes minutes."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _twice(step: Callable[[], None]) -> None:
    """An emulated boot that fails once is the emulator's; twice is ours."""
    try:
        step()
    except GuestError as error:
        say(f"once more, after: {error}")
        step()


def _boot(board: Board, ready: Path) -> None:
    """Boot for the first time; keep disk and memory."""
    board.power_cut()
    board.new_disk()
    board.start()
    board.check("systemctl is-system-running --wait; systemctl is-active multi-user.target", 120)
    board.save("ready")
    say(f"that took {board.processor_s():.0f} s of processor time")
    board.power_cut()
    board.disk.rename(ready)


def _install(board: Board, ready: Path, wheel: Path, installed: Path) -> None:
    """Install the wheel with pip; keep disk and memory."""
    board.power_cut()
    board.new_disk(copy_of=ready)
    board.start("ready")
    board.hand_in(wheel)
    # no index: what the wheel asks for must be there already
    board.check(f"/opt/edgecam/bin/pip install -q --no-index /host/{wheel.name}", 120)
    board.check("ln -s /opt/edgecam/bin/edgecam /usr/local/bin/edgecam; edgecam --version", 60)
    board.save("installed")
    say(f"that took {board.processor_s():.0f} s of processor time")
    board.power_cut()
    board.disk.rename(installed)


@pytest.fixture
def board(board_with_wheel: Board) -> Iterator[Board]:
    """The board with the wheel installed, running, as if nothing else had ever happened on it."""
    board_with_wheel.start("installed")
    say("the board is on")
    yield board_with_wheel
    say(f"the board has used {board_with_wheel.processor_s():.0f} s of processor time since its last start")
    board_with_wheel.power_cut()


@pytest.fixture(scope="session")
def model(board_with_wheel: Board) -> str:
    """Options that name a detector which is quick in emulation (red_square_model.py says why)."""
    pytest.importorskip("onnx")
    from red_square_model import write

    write(board_with_wheel.host / "red-square.onnx")
    return "--detector /host/red-square.onnx --classify off --tune off"


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots go, to be looked at."""
    folder = Path(os.environ.get("EC_SYSTEM_PICTURES") or PROJECT / "runs" / "system")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
