"""``edgecam try SOURCE``: look once, and show in one picture what was seen."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.core.console import out, raw_out
from edgecam.core.errors import EXIT_OK, ConfigError, EndOfStream, SourceOpenError

if TYPE_CHECKING:
    from edgecam.core.ports import Detector, Source
    from edgecam.core.types import Detections, Frame

_EXAMPLES = """\
examples:
  edgecam try photo.jpg                       what is in a photograph
  edgecam try /dev/video0                     what a camera sees now
  edgecam try rtsp://user:secret@camera/cam   does the address work, and what is there?
  edgecam try rtsp://camera/cam --credentials ~/.config/edgecam/cameras
  edgecam try holiday.mp4 --output seen.jpg   the picture of a film with the most in it
  edgecam try demo:                           without a camera

The picture is written beside you (edgecam-try.jpg) and shown in the terminal where that can show pictures.
"""

#: Pictures looked at before the best is taken, and how far apart they are.
LOOKS, APART_S = 8, 0.25
#: A camera's first pictures are dark or green.
SETTLE_S = 0.8
#: How long a source may take to give its first picture.
PATIENCE_S = 15.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam try",
        description="Look once at a camera, an address, a film or a photograph, and show what was seen.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SOURCE", help="as for --source")
    parser.add_argument(
        "--credentials", metavar="FILE", help="with the camera's user and password, as for edgecam"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("edgecam-try.jpg"), metavar="FILE", help="(%(default)s)"
    )
    parser.add_argument("--detector", default="default", metavar="NAME|FILE", help="(%(default)s)")
    parser.add_argument("--score", type=float, metavar="S", help="from this score on (the model's own)")
    parser.add_argument(
        "--terminal",
        choices=("auto", "sixel", "blocks", "off"),
        default="auto",
        help="how to show it in the terminal (%(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam try`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    import cv2

    from edgecam.app.own_files import names
    from edgecam.capture.network.decoder_processes import cannot_isolate
    from edgecam.capture.open import open_source
    from edgecam.capture.options import SourceOptions
    from edgecam.capture.uri import is_network
    from edgecam.cli.terminal_picture import choose_way, picture_text
    from edgecam.config.credentials import read_credentials, with_credentials
    from edgecam.inference.load import load_detector
    from edgecam.overlay.annotate import annotate

    if args.output.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
        raise ConfigError(f"--output {args.output}: give a name that ends in .jpg, .png or .webp")
    if names(args.source, args.output):
        raise ConfigError(f"--output {args.output} is the picture to look at; give another name")
    detector = load_detector(args.detector, score=args.score)
    source_uri = args.source
    if args.credentials is not None:
        source_uri = with_credentials(source_uri, read_credentials(args.credentials))
    isolate = is_network(source_uri) and not cannot_isolate()  # a decoder that crashes is an error, no crash
    with closing(open_source(source_uri, SourceOptions(reconnect="off", isolate=isolate))) as source:
        frame, found = look(source, detector)
    image = annotate(frame, found)
    try:
        written = cv2.imwrite(str(args.output), image)
    except cv2.error:
        written = False
    if not written:
        raise ConfigError(f"--output {args.output} cannot be written; give another place")
    way = choose_way(sys.stdout) if args.terminal == "auto" else args.terminal
    raw_out(picture_text(image, frame.image, found.xyxy, way))
    out(f"{frame.size_wh[0]}x{frame.size_wh[1]} from {source.name}\n")
    out("".join(f"{line}\n" for line in seen_lines(found, frame.size_wh)))
    out(f"picture: {args.output}\n")
    return EXIT_OK


def look(source: Source, detector: Detector) -> tuple[Frame, Detections]:
    """The picture of the next two seconds with the most in it, and what is in it.

    Raises SourceOpenError if no picture comes within :data:`PATIENCE_S`.
    """
    best: tuple[float, Frame, Detections] | None = None
    apart = max(1, round(APART_S * (source.rate_hz or 25.0)))
    settled = time.monotonic() + SETTLE_S if source.is_live else 0.0
    until = time.monotonic() + PATIENCE_S
    index = looks = 0
    try:
        while looks < LOOKS and time.monotonic() < until:
            frame = source.read(1.0)
            if frame is None:
                continue
            index += 1
            if best is not None and (time.monotonic() < settled or (index - 1) % apart):
                continue
            found = detector.detect(frame)
            worth = float(found.score.sum())
            if best is None or worth > best[0] or (source.is_live and time.monotonic() < settled):
                best = worth, frame, found
            looks += 1
    except EndOfStream:
        pass
    if best is None:
        raise SourceOpenError(
            f"{source.name} gave no picture within {PATIENCE_S:.0f} s; "
            "look with `edgecam devices` whether it is the right one"
        )
    return best[1], best[2]


def seen_lines(found: Detections, size_wh: tuple[int, int]) -> list[str]:
    """What is in the picture, the surest first, with where it is."""
    if not len(found):
        return [
            "nothing that this model knows (see `edgecam models info default` for what it sees and misses)"
        ]
    things = sorted(found, key=lambda each: -each.score)
    counts = Counter(each.label for each in things)
    lines = [", ".join(f"{count} {label}" for label, count in counts.items())]
    for each in things:
        x1, y1, x2, y2 = (float(v) for v in each.xyxy)
        across = ("left", "middle", "right")[min(2, int(1.5 * (x1 + x2) / size_wh[0]))]
        tall = (y2 - y1) / size_wh[1]
        lines.append(f"  {each.label:<16} {each.score:.2f}  {across}, {tall:.0%} of the height")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
