"""RTP packets, and pictures put together from them."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from rtp_parts import fragments, push_all, rtp, unit

from edgecam.capture.network.rtp import (
    H264,
    START,
    Assembler,
    Codec,
    Hevc,
    Picture,
    RtpPacket,
    Sender,
    parse_rtp,
)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    packet = parse_rtp(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


def test_rtp_header_with_everything() -> None:
    header = struct.pack(">BBHII", 0x80 | 0x20 | 0x10 | 1, 0x80 | 96, 65535, 90000, 7) + bytes(4)
    extension = struct.pack(">HH", 0xBEDE, 1) + bytes(4)
    packet = parse_rtp(header + extension + b"payload" + b"\0\0\3")
    assert packet == RtpPacket(65535, 90000, True, 96, b"payload", 7)


def test_only_the_cameras_packets_are_admitted() -> None:
    """Noise between them is passed over; a camera that starts again is taken up with its second packet."""
    sender = Sender()

    def admits(sequence: int, source: int) -> bool:
        return sender.admits(RtpPacket(sequence & 0xFFFF, 0, False, 96, b"", source))

    assert admits(65534, 7)
    assert not admits(3, 99)
    assert not admits(3000, 99), "out of order"
    assert admits(65535, 7)
    assert not admits(3001, 99), "the camera's own came between"
    assert admits(0, 7)
    assert not admits(65535, 8)
    assert admits(65536, 8)
    assert not admits(1, 7), "the old one is the stranger now"


@settings(deadline=None)
@given(st.data(), st.sampled_from([H264(), Hevc()]), st.integers(10, 50), st.integers(0, 65535))
def test_pictures_come_out_as_they_went_in(
    data: st.DataObject, codec: Codec, size: int, first_sequence: int
) -> None:
    """Whatever the fragments, and where the sequence number wraps."""
    key_kind, other_kind = (5, 1) if isinstance(codec, H264) else (19, 1)
    bodies = data.draw(
        st.lists(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=3), min_size=1)
    )
    packets, wanted, sequence = [], [], first_sequence
    for number, slices in enumerate(bodies):
        kind = key_kind if number % 3 == 0 else other_kind
        units = [unit(codec, kind, body) for body in slices]
        payloads = [part for one in units for part in fragments(codec, one, size)]
        for i, payload in enumerate(payloads):
            packets.append(rtp(sequence, number * 3000, payload, marker=i == len(payloads) - 1))
            sequence += 1
        wanted.append(Picture(b"".join(START + one for one in units), kind == key_kind, False, 7))
    assert push_all(Assembler(codec), packets) == wanted


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=30), st.sampled_from([H264(), Hevc()]))
def test_garbage_payloads_raise_nothing(payloads: list[bytes], codec: Codec) -> None:
    assembler = Assembler(codec)
    for number, payload in enumerate(payloads):
        assembler.push(rtp(number, number // 3, payload, marker=number % 3 == 2), 0)


def test_aggregated_units() -> None:
    sps, idr = unit(H264(), 7, b"sps"), unit(H264(), 5, b"idr")
    payload = b"\x18" + b"".join(struct.pack(">H", len(one)) + one for one in (sps, idr))
    (picture,) = Assembler(H264()).push(rtp(0, 0, payload, marker=True), 7)
    assert picture == Picture(START + sps + START + idr, True, False, 7)


def test_missing_packets_damage_the_pictures_they_touch() -> None:
    codec = H264()
    packets = []
    for number in range(4):
        parts = fragments(codec, unit(codec, 1, bytes(range(100))), 40)
        packets += [rtp(number * 3 + i, number * 3000, part, marker=i == 2) for i, part in enumerate(parts)]
    del packets[4]  # the middle of the second picture
    assert [p.damaged for p in push_all(Assembler(codec), packets)] == [False, True, False, False]
    del packets[4]  # and its end, with the marker
    assert [p.damaged for p in push_all(Assembler(codec), packets)] == [False, True, True, False]


def test_a_marker_in_the_middle_is_believed_once() -> None:
    """Some cameras set it on every slice; then a picture ends when the next one begins."""
    codec = H264()
    packets = [
        rtp(number * 2 + part, number * 3000, unit(codec, 1, bytes((number, part))), marker=True)
        for number in range(4)
        for part in range(2)
    ]
    pictures = push_all(Assembler(codec), packets)
    assert len(pictures[0].data) < len(pictures[-1].data)
    assert [p.data.count(START) for p in pictures[-2:]] == [2, 2]


def test_a_marker_behind_parameter_sets_ends_nothing() -> None:
    codec = H264()
    packets = [
        rtp(0, 0, unit(codec, 7, b"sps"), marker=True),
        rtp(1, 0, unit(codec, 5, b"idr"), marker=True),
    ]
    (picture,) = push_all(Assembler(codec), packets)
    assert picture.data.count(START) == 2
