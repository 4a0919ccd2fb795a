"""An RTSP description and RTP packets, made by hand."""

from __future__ import annotations

from edgecam.capture.network.rtp import H264, Assembler, Codec, Picture, RtpPacket

# as an Axis camera describes itself (shortened)
SDP = """v=0
o=- 1 1 IN IP4 10.0.0.9
s=Session streamed with GStreamer
a=control:rtsp://10.0.0.9/axis-media/media.amp
m=audio 0 RTP/AVP 97
a=rtpmap:97 MPEG4-GENERIC/16000/1
a=control:rtsp://10.0.0.9/axis-media/media.amp/stream=1
m=video 0 RTP/AVP 96
b=AS:50000
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=4d0029;sprop-parameter-sets=Z00AKZpm,aO48gA==
a=control:rtsp://10.0.0.9/axis-media/media.amp/stream=0
a=framerate:25.000000
"""


def rtp(sequence: int, timestamp: int, payload: bytes, marker: bool = False) -> RtpPacket:
    return RtpPacket(sequence & 0xFFFF, timestamp, marker, 96, payload)


def fragments(codec: Codec, unit: bytes, size: int) -> list[bytes]:
    """``unit`` as FU payloads of ``size`` bytes each, or as it is where it fits."""
    if len(unit) <= size:
        return [unit]
    head = 1 if isinstance(codec, H264) else 2
    parts = [unit[i : i + size] for i in range(head, len(unit), size)]
    found = []
    for i, part in enumerate(parts):
        flags = (0x80 if i == 0 else 0) | (0x40 if i == len(parts) - 1 else 0)
        if isinstance(codec, H264):
            found.append(bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F)) + part)
        else:
            found.append(bytes((unit[0] & 0x81 | 49 << 1, unit[1], flags | unit[0] >> 1 & 0x3F)) + part)
    return found


def unit(codec: Codec, kind: int, body: bytes) -> bytes:
    return (bytes((0x60 | kind,)) if isinstance(codec, H264) else bytes((kind << 1, 1))) + body


def push_all(assembler: Assembler, packets: list[RtpPacket]) -> list[Picture]:
    return [picture for packet in packets for picture in assembler.push(packet, 7)]
