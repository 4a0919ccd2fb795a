from __future__ import annotations

import array
import logging
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecam.service import journal
from edgecam.service.journal import JournalHandler, encode, field_name, log_to_journal, under_journald

pytestmark = pytest.mark.allow_error_log  # the levels are what is tested


def decode(raw: bytes) -> dict[str, str]:
    """The protocol read back, by its own document."""
    fields: dict[str, str] = {}
    while raw:
        line, _, rest = raw.partition(b"\n")
        if b"=" in line:
            key, _, value = line.partition(b"=")
            raw = rest
        else:
            key = line
            (length,) = struct.unpack("<Q", rest[:8])
            value, raw = rest[8 : 8 + length], rest[9 + length :]
        fields[key.decode()] = value.decode()
    return fields


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def logger(tmp_path: Path, journald: socket.socket) -> Iterator[logging.Logger]:
    logger = logging.getLogger("edgecam.test_journal")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = JournalHandler(address=str(tmp_path / "journal"))
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def receive(sock: socket.socket) -> dict[str, str]:
    raw, ancillary, _, _ = sock.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    for _, kind, data in ancillary:
        assert kind == socket.SCM_RIGHTS
        (fd,) = array.array("i", data)
        with os.fdopen(fd, "rb") as file:
            file.seek(0)
            raw = file.read()
    return decode(raw)


def test_structured_fields(journald: socket.socket, logger: logging.Logger) -> None:
    logger.warning("camera %s lost", "csi:0", extra={"source": "csi:0", "dropped-frames": 3})
    fields = receive(journald)
    assert fields["MESSAGE"] == "camera csi:0 lost"
    assert fields["PRIORITY"] == "4" and fields["SYSLOG_IDENTIFIER"] == "edgecam"
    assert fields["EDGECAM_SOURCE"] == "csi:0" and fields["EDGECAM_DROPPED_FRAMES"] == "3"
    assert fields["CODE_FILE"].endswith("test_journal.py") and fields["CODE_FUNC"] == "test_structured_fields"
    assert fields["EDGECAM_THREAD"] == "MainThread" and fields["EDGECAM_LOGGER"] == "edgecam.test_journal"


@pytest.mark.parametrize(
    ("level", "priority"), [(10, "7"), (20, "6"), (30, "4"), (40, "3"), (50, "2"), (5, "7"), (60, "2")]
)
def test_priorities(journald: socket.socket, logger: logging.Logger, level: int, priority: str) -> None:
    logger.setLevel(1)
    logger.log(level, "x")
    assert receive(journald)["PRIORITY"] == priority


def test_traceback_and_newlines_survive(journald: socket.socket, logger: logging.Logger) -> None:
    try:
        raise ValueError("bad\nvalue")
    except ValueError:
        logger.exception("two\nlines ✓")
    fields = receive(journald)
    assert fields["MESSAGE"] == "two\\nlines ✓"  # one record, one line
    assert "ValueError: bad\nvalue" in fields["EDGECAM_TRACEBACK"]


def test_a_message_too_long_for_a_datagram_goes_by_file(
    journald: socket.socket, logger: logging.Logger
) -> None:
    text = "x" * 2_000_000
    logger.info(text)
    assert receive(journald)["MESSAGE"] == text


def test_journal_gone_does_not_raise(
    tmp_path: Path,
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    (tmp_path / "journal").unlink()
    logger.info("lost")


def test_field_names_are_what_journald_accepts() -> None:
    assert field_name("frame age/ms") == "EDGECAM_FRAME_AGE_MS"
    assert len(field_name("x" * 200)) == 64
    assert encode({"A": "b"}) == b"A=b\n"


def test_under_journald_compares_device_and_inode() -> None:
    with tempfile.TemporaryFile("w") as stream:
        state = os.fstat(stream.fileno())
        good = {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}
        assert under_journald(good, stream)
        assert not under_journald({"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino + 1}"}, stream)
        assert not under_journald({}, stream) and not under_journald({"JOURNAL_STREAM": "garbage"}, stream)


def test_log_to_journal_changes_nothing_outside_a_service() -> None:
    logger = logging.getLogger("edgecam.test_outside")
    kept = logging.NullHandler()
    logger.addHandler(kept)
    assert not log_to_journal(logger, {})
    assert logger.handlers == [kept]


def test_log_to_journal_replaces_handlers_in_a_service(
    tmp_path: Path, journald: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "journal"))
    monkeypatch.setattr(journal, "under_journald", lambda environ: True)
    logger = logging.getLogger("edgecam.test_inside")
    logger.addHandler(logging.NullHandler())
    assert log_to_journal(logger)
    (handler,) = logger.handlers
    assert isinstance(handler, JournalHandler)
    logger.removeHandler(handler)
    handler.close()
