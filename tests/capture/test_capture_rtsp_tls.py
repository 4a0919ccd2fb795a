"""rtsps:// and https:// against real TLS servers on loopback: which certificate counts, and why not."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from capture_material import eventually, http_camera, no_readers
from rtsp_camera import RtspCamera, age_ms, have_rtsp_server

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.network.tls import libav_settings, tls_context
from edgecam.core.errors import CaptureError, ConfigError, SourceOpenError


def trusting(whom: str | Path) -> SourceOptions:
    return SourceOptions(reconnect="off", certificate=str(whom))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with camera.pem, camera.key (for 127.0.0.1, signed by nobody) and other.pem, other.key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")
    for name, address in (("camera", "IP:127.0.0.1"), ("other", "DNS:other.example")):
        files = ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"]
        words = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        about = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={address}"]
        subprocess.run(["openssl", "req", *words, *files, *about], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def rtsps(certificates: Path) -> Iterator[RtspCamera]:
    if not have_rtsp_server():
        pytest.skip("no RTSP server here: needs python3-gi gir1.2-gst-rtsp-server-1.0")
    files = ("--certificate", str(certificates / "camera.pem"), "--key", str(certificates / "camera.key"))
    camera = RtspCamera("--user", "me", "--password", "right", *files)
    yield camera
    camera.kill()


def test_rtsps_by_our_own_client(rtsps: RtspCamera, certificates: Path) -> None:
    for whom in ("any", certificates / "camera.pem"):
        with open_source(rtsps.url(user="me:right@"), trusting(whom)) as source:
            assert source.description.endswith("h264 over TLS")
            assert source.name == rtsps.url()
            ages: list[float] = []
            while len(ages) < 10:
                frame = source.read(1.0)
                if frame is not None:
                    ages.append(age_ms(frame))
        assert all(0 <= age < 60_000 for age in ages)
    assert eventually(no_readers)


def test_rtsps_that_nobody_vouches_for_is_refused_in_words(rtsps: RtspCamera, certificates: Path) -> None:
    for whom in ("check", certificates / "other.pem"):
        with pytest.raises(SourceOpenError, match="certificate is not trusted") as caught:
            open_source(rtsps.url(user="me:right@"), trusting(whom))
        assert "--camera-certificate FILE.pem" in str(caught.value)
        assert "right" not in str(caught.value)


def test_rtsps_wrong_password_and_wrong_path(rtsps: RtspCamera) -> None:
    with pytest.raises(SourceOpenError, match="user name or password is wrong"):
        open_source(rtsps.url(user="me:wrong@"), trusting("any"))
    with pytest.raises(SourceOpenError, match="no such stream"):
        open_source(rtsps.url("nothing", user="me:right@"), trusting("any"))


def test_another_codec_over_tls_goes_through_libavformat(rtsps: RtspCamera, certificates: Path) -> None:
    options = SourceOptions(
        reconnect="off", certificate=str(certificates / "camera.pem"), read_timeout_s=20.0
    )
    with open_source(rtsps.url("jpeg", user="me:right@"), options) as source:
        assert "mjpeg" in source.description
        assert source.read(20.0) is not None


def test_tls_where_none_is_spoken(rtsp: RtspCamera) -> None:
    with pytest.raises(SourceOpenError, match="does not speak TLS as it should"):
        open_source(rtsp.url().replace("rtsp://", "rtsps://"), trusting("any"))


def test_no_tls_where_it_is_spoken(rtsps: RtspCamera) -> None:
    with pytest.raises(SourceOpenError, match=r"rtsp://127.0.0.1:\d+/cam: "):
        open_source(rtsps.url(user="me:right@").replace("rtsps://", "rtsp://"), trusting("any"))


def test_a_frozen_tls_camera_is_noticed_and_left(certificates: Path) -> None:
    if not have_rtsp_server():
        pytest.skip("no RTSP server here: needs python3-gi gir1.2-gst-rtsp-server-1.0")
    files = ("--certificate", str(certificates / "camera.pem"), "--key", str(certificates / "camera.key"))
    camera = RtspCamera(*files)
    options = SourceOptions(reconnect="off", certificate="any", read_timeout_s=0.5)
    try:
        with open_source(camera.url(), options) as source:
            assert source.read(2.0) is not None
            camera.freeze()
            with pytest.raises(CaptureError, match="nothing"):
                limit = time.monotonic() + 20
                while time.monotonic() < limit:
                    source.read(0.2)
        assert eventually(no_readers)
    finally:
        camera.thaw()
        camera.kill()


def test_rtsps_over_udp_is_refused() -> None:
    with pytest.raises(ConfigError, match="rtsps goes over TCP only"):
        open_source("rtsps://127.0.0.1/x", SourceOptions(rtsp_transport="udp"))


def test_https(certificates: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "camera.pem", certificates / "camera.key")
    with http_camera(tls=context) as camera:
        url = f"https://127.0.0.1:{camera.port}/video"
        for whom in ("any", certificates / "camera.pem"):
            with open_source(url, trusting(whom)) as source:
                assert source.read(5.0) is not None
        for whom in ("check", certificates / "other.pem"):
            with pytest.raises(SourceOpenError, match="certificate is not trusted"):
                open_source(url, trusting(whom))


def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file"):
        tls_context(str(tmp_path / "no.pem"))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="not a certificate in PEM"):
        tls_context(str(tmp_path / "bad.pem"))


def test_what_libavformat_is_told() -> None:
    assert libav_settings("any") == {"tls_verify": "0"}
    assert libav_settings("check")["tls_verify"] == "1"
    assert libav_settings("/x/camera.pem") == {"tls_verify": "1", "ca_file": "/x/camera.pem"}
