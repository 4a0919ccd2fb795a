"""Which mode is taken, from tables of what real cameras offer."""

from __future__ import annotations

import pytest

from edgecam.capture.v4l2.negotiate import Mode, choose, reduction

HD, VGA, FULL_HD = (1280, 720), (640, 480), (1920, 1080)
# the usual USB webcam: YUYV is fast enough at VGA only (USB 2's 40 MB/s)
WEBCAM = [
    Mode("YUYV", VGA, (30.0, 15.0)),
    Mode("YUYV", HD, (10.0, 5.0)),
    Mode("YUYV", FULL_HD, (5.0,)),
    Mode("MJPG", VGA, (30.0,)),
    Mode("MJPG", HD, (30.0, 15.0)),
    Mode("MJPG", FULL_HD, (30.0,)),
]
YUYV_ONLY = [mode for mode in WEBCAM if mode.fourcc == "YUYV"]
USB3 = [Mode("MJPG", HD, (60.0, 30.0)), Mode("YUYV", HD, (60.0, 30.0)), Mode("NV12", HD, (30.0,))]


@pytest.mark.parametrize(
    ("modes", "size", "rate", "fourcc", "granted", "granted_hz"),
    [
        pytest.param(WEBCAM, None, None, "MJPG", HD, 30.0, id="nothing asked: 720p, and MJPG to reach 30"),
        pytest.param(WEBCAM, HD, 30.0, "MJPG", HD, 30.0, id="MJPG because YUYV is too slow"),
        pytest.param(WEBCAM, HD, 10.0, "YUYV", HD, 10.0, id="YUYV where it reaches the rate"),
        pytest.param(WEBCAM, HD, 8.0, "YUYV", HD, 10.0, id="the lowest rate that is enough"),
        pytest.param(WEBCAM, HD, 15.0, "MJPG", HD, 15.0, id="not faster than asked"),
        pytest.param(WEBCAM, VGA, 30.0, "YUYV", VGA, 30.0, id="uncompressed at VGA"),
        pytest.param(WEBCAM, (800, 600), 30.0, "MJPG", HD, 30.0, id="the smallest size that covers it"),
        pytest.param(WEBCAM, (3840, 2160), 30.0, "MJPG", FULL_HD, 30.0, id="else the largest"),
        pytest.param(WEBCAM, (320, 240), 30.0, "YUYV", VGA, 30.0, id="smaller than any"),
        pytest.param(YUYV_ONLY, None, None, "YUYV", VGA, 30.0, id="nothing asked: rate before size"),
        pytest.param(YUYV_ONLY, HD, 30.0, "YUYV", HD, 10.0, id="a size that was asked stays"),
        pytest.param(USB3, HD, 60.0, "YUYV", HD, 60.0, id="no JPEG without need"),
        pytest.param([Mode("MJPG", HD, (29.97,))], HD, 30.0, "MJPG", HD, 29.97, id="29.97 is 30"),
        pytest.param([Mode("YUYV", VGA)], None, 25.0, "YUYV", VGA, 25.0, id="rates untold"),
        pytest.param([Mode("H264", HD, (30.0,)), *YUYV_ONLY], None, None, "YUYV", VGA, 30.0, id="no H264"),
    ],
)
def test_choice(
    modes: list[Mode],
    size: tuple[int, int] | None,
    rate: float | None,
    fourcc: str,
    granted: tuple[int, int],
    granted_hz: float,
) -> None:
    choice = choose(modes, size, rate)
    assert choice is not None
    assert (choice.mode.fourcc, choice.mode.size_wh, choice.rate_hz) == (fourcc, granted, granted_hz)


def test_order_of_the_list_does_not_matter() -> None:
    assert choose(WEBCAM, HD, 30.0) == choose(WEBCAM[::-1], HD, 30.0)


def test_nothing_that_can_be_decoded() -> None:
    assert choose([Mode("H264", HD, (30.0,)), Mode("pRAA", HD, (30.0,))]) is None


def test_says_why_it_is_less() -> None:
    slow = choose(YUYV_ONLY, HD, 30.0)
    assert slow is not None
    assert slow.why == "1280x720 gives at most 10 fps; 640x480 would reach 30"
    other = choose(WEBCAM, (800, 600), 30.0)
    assert other is not None
    assert other.why == "the camera has no 800x600"
    full = choose(WEBCAM, HD, 30.0)
    assert full is not None
    assert full.why == ""


@pytest.mark.parametrize(
    ("granted", "wanted", "factor"),
    [
        (FULL_HD, None, 1),
        (FULL_HD, HD, 1),
        (HD, (640, 360), 2),
        (FULL_HD, (480, 270), 4),
        (FULL_HD, (200, 100), 8),
        (FULL_HD, (100, 50), 8),
        (FULL_HD, (640, 480), 2),
    ],
)
def test_jpeg_reduction(granted: tuple[int, int], wanted: tuple[int, int] | None, factor: int) -> None:
    assert reduction(granted, wanted) == factor
