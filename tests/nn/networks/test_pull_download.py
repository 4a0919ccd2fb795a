"""Downloads resume, are verified, and fail in one clear sentence."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="attr-defined"

from __future__ import annotations

import errno
import hashlib
import io
import os
import socket
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path

import pytest
from loopback import Loopback, serving

from edgecam.core.errors import ModelError
from edgecam.nn.hub import pull_download
from edgecam.nn.hub.pull_download import DownloadError, check, fetch, published_sha256

BODY = os.urandom(300_000)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as state:
        state.files["/w.pth"] = BODY
        yield state


def _sentence(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_a_whole_file_arrives_with_its_progress(server: Loopback, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: seen.append((done, total)))
    assert (tmp_path / "w.pth").read_bytes() == BODY
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert [p.name for p in tmp_path.iterdir()] == ["w.pth"]


def test_half_a_file_is_said_kept_and_resumed(server: Loopback, tmp_path: Path) -> None:
    server.cut["/w.pth"] = 100_000
    with pytest.raises(DownloadError, match=r"broke after 0\.1 of 0\.3 MB: run the command again") as caught:
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    _sentence(caught.value)
    assert not (tmp_path / "w.pth").exists()
    seen: list[int] = []
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: seen.append(done))
    assert (tmp_path / "w.pth").read_bytes() == BODY
    assert seen[0] == 100_000
    assert server.requests[-1] == ("/w.pth", "bytes=100000-")


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Loopback, tmp_path: Path) -> None:
    server.cut["/w.pth"] = 100_000
    with pytest.raises(DownloadError):
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    server.files["/w.pth"] = other = os.urandom(200_000)
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    assert (tmp_path / "w.pth").read_bytes() == other


def test_a_part_as_long_as_the_file_starts_over(server: Loopback, tmp_path: Path) -> None:
    tag = '"' + hashlib.sha256(BODY).hexdigest()[:16] + '"'
    (tmp_path / "w.pth.part").write_bytes(BODY + b"more")
    (tmp_path / "w.pth.etag").write_text(tag)
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    assert (tmp_path / "w.pth").read_bytes() == BODY


def test_no_such_file(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"answers 404 .*--from FILE") as caught:
        fetch(f"{server.url}/gone.pth", tmp_path / "w.pth", lambda done, total: None)
    _sentence(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"cannot be reached .*check the network") as caught:
        fetch(f"http://127.0.0.1:{port}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    _sentence(caught.value)


def test_a_full_disk_leaves_nothing(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pull_download.os, "fsync", full)
    with pytest.raises(DownloadError, match=r"disk with .* is full: free some space") as caught:
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    _sentence(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_hashes(server: Loopback, tmp_path: Path) -> None:
    file = tmp_path / "w"
    file.write_bytes(BODY)
    digest = hashlib.sha256(BODY).hexdigest()
    check(file, digest, "w")
    check(file, digest[:8], "w")
    with pytest.raises(ModelError, match="00000000 was published: the file is damaged"):
        check(file, "00000000", "w")
    with pytest.raises(ValueError, match="prefix"):
        check(file, "", "w")
    server.files["/raw"] = server.pointer("/w.pth")
    assert published_sha256(f"{server.url}/raw") == digest
    with pytest.raises(DownloadError, match="no SHA-256"):
        published_sha256(f"{server.url}/w.pth")


def test_a_server_without_end_fills_no_disk(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_download, "DOWNLOAD_BYTES", 200_000)
    for cut in (None, 250_000):
        if cut is not None:
            server.cut["/w.pth"] = cut
        with pytest.raises(DownloadError, match="which no weights have"):
            fetch(f"{server.url}/w.pth", tmp_path / "w.pth", lambda done, total: None)
    assert not list(tmp_path.iterdir())


def test_where_a_download_may_be_sent() -> None:
    follow = pull_download._SaferRedirections()
    request = urllib.request.Request("https://a/w")
    for url in ("http://a/w", "ftp://a/w", "file:///etc/shadow"):
        assert follow.redirect_request(request, io.BytesIO(), 302, "", HTTPMessage(), url) is None
    assert follow.redirect_request(request, io.BytesIO(), 302, "", HTTPMessage(), "https://b/w") is not None
