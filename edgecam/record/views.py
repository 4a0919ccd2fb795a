"""The encoders of all views, kept in step: one packet of each per recorded frame."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgecam.core.types import Image, Result
from edgecam.media.encoder import Encoder, EncoderChoice, choose_encoder, even
from edgecam.media.packets import PacketGroup
from edgecam.record.options import RecordOptions

log = logging.getLogger(__name__)

Painter = Callable[[Result], Image]


class Views:
    """Encodes each picture once per view. One thread.

    names: ``annotated``, ``clean`` or both. painter: draws the annotated one; None: everything is clean.
    An encoder may deliver late (hardware does); groups come out when every view's packet is there.
    """

    def __init__(
        self, names: Sequence[str], size_wh: tuple[int, int], painter: Painter | None, options: RecordOptions
    ) -> None:
        rate_hz = options.constant_hz or options.nominal_hz
        self.size_wh = even(size_wh)
        self.choice = choose_encoder(size_wh, rate_hz, live=options.live)
        if options.preset and self.choice.codec == "libx264":
            self.choice = EncoderChoice("libx264", options.preset, "as asked")
        self._painter = painter
        self._encoders = {
            name: Encoder(size_wh, rate_hz, self.choice, threads=options.threads) for name in names
        }
        self._packets: list[deque[Any]] = [deque() for _ in names]
        self._waiting: deque[tuple[PacketGroup, Sequence[str], bool]] = deque()
        width, height = self.size_wh
        cut = "" if self.size_wh == size_wh else f", cut from {size_wh[0]}x{size_wh[1]} to even sides"
        log.info("recording %dx%d%s with %s", width, height, cut, self.choice)

    @property
    def templates(self) -> dict[str, Any]:
        """The encoders' streams by view, for the containers."""
        return {name: encoder.template for name, encoder in self._encoders.items()}

    def encode(self, result: Result | None, pts: int, *, key: bool) -> Image | None:
        """Encode a result, or the picture before once more; returns the first view's picture."""
        shown: Image | None = None
        for (name, encoder), packets in zip(self._encoders.items(), self._packets, strict=True):
            if result is None:
                packets.extend(encoder.repeat(pts, key=key))
                continue
            painter = None if name == "clean" else self._painter
            image = result.frame.image if painter is None else painter(result)
            packets.extend(encoder.encode(image, pts, key=key))
            shown = image if shown is None else shown
        return shown

    def expect(self, group: PacketGroup, causes: Sequence[str], stop: bool) -> None:
        """Say which group the picture just encoded belongs to."""
        self._waiting.append((group, causes, stop))

    def ready(self) -> Iterator[tuple[PacketGroup, Sequence[str], bool]]:
        """Groups whose packets have all come, in order."""
        while self._waiting and all(self._packets):
            group, causes, stop = self._waiting.popleft()
            group.packets = [packets.popleft() for packets in self._packets]
            yield group, causes, stop

    def flush(self) -> None:
        """Get what is inside the encoders; nothing can be encoded afterwards."""
        for encoder, packets in zip(self._encoders.values(), self._packets, strict=True):
            packets.extend(encoder.flush())

    def close(self) -> None:
        """Release the encoders."""
        for encoder in self._encoders.values():
            encoder.close()
