"""What a camera says of its stream, and how the client logs in."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from rtp_parts import SDP

from edgecam.capture.network.rtp import H264, START
from edgecam.capture.network.rtsp_auth import authorization
from edgecam.capture.network.sdp import parse_sdp


def test_sdp() -> None:
    track = parse_sdp(SDP)
    assert track is not None
    assert (track.codec, track.payload_type, track.rate_hz) == ("H264", 96, 25.0)
    assert track.control.endswith("stream=0")
    sets = H264().parameter_sets(track.parameters)
    assert sets == START + base64.b64decode("Z00AKZpm") + START + base64.b64decode("aO48gA==")


@pytest.mark.parametrize("text", ["", "v=0\nm=audio 0 RTP/AVP 0\n", "m=video\n", "m=video 0 RTP/AVP x\n"])
def test_sdp_without_video(text: str) -> None:
    assert parse_sdp(text) is None


def test_sdp_odd_lines_do_no_harm() -> None:
    track = parse_sdp("m=video 0 RTP/AVP 26\na=framerate:fast\na=fmtp:26\na=rtpmap:\nnonsense\n\n")
    assert track is not None
    assert (track.codec, track.rate_hz, track.parameters) == ("", None, {})


def test_basic_authorization() -> None:
    assert authorization(['Basic realm="cam"'], "me", "right", "PLAY", "rtsp://c/x") == "Basic bWU6cmlnaHQ="


def test_digest_is_preferred_and_right() -> None:
    challenges = ['Basic realm="cam"', 'Digest realm="cam", nonce="abc", opaque="o"']
    answer = authorization(challenges, "me", "right", "DESCRIBE", "rtsp://c/x")
    first, second = (hashlib.md5(t.encode()).hexdigest() for t in ("me:cam:right", "DESCRIBE:rtsp://c/x"))
    wanted = hashlib.md5(f"{first}:abc:{second}".encode()).hexdigest()
    assert answer is not None
    assert f'response="{wanted}"' in answer
    assert 'opaque="o"' in answer
    assert "right" not in answer


def test_digest_with_qop_and_sha_256() -> None:
    challenge = 'Digest realm="cam", nonce="n", qop="auth,auth-int", algorithm=SHA-256'
    answer = authorization([challenge], "me", "right", "PLAY", "rtsp://c/x") or ""
    own = re.search(r'cnonce="(\w+)"', answer)
    assert own is not None

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    wanted = digest(f"{digest('me:cam:right')}:n:00000001:{own[1]}:auth:{digest('PLAY:rtsp://c/x')}")
    assert f'response="{wanted}"' in answer
    assert answer.endswith("algorithm=SHA-256")


def test_unknown_challenges_are_not_answered() -> None:
    assert authorization(["NTLM", "Digest algorithm=MD4, nonce=x"], "me", "right", "PLAY", "x") is None
