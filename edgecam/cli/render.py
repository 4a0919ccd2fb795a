"""``edgecam render``: draw the detections of a clean clip's sidecar into it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.core import console
from edgecam.core.errors import EXIT_OK, ConfigError, ModelError
from edgecam.core.progress import ProgressBar

if TYPE_CHECKING:
    from edgecam.core.types import Detections

_EXAMPLES = """\
examples:
  edgecam render clips/2026-11-20_10-00-00Z.mp4
  edgecam render clip.mp4 --out shown.mp4 --score 0.7 --classes person,car --style plain

A clip recorded with --record-view clean or both has its detections, timings and power in a sidecar beside it.
"""
#: Names of ``--style``.
_STYLES = ("full", "plain", "boxes", "light")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgecam render",
        description="Draw the detections of a clean clip's sidecar into it; the clean clip stays as it is.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a clean clip with its .jsonl beside it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: CLIP_rendered.mp4)")
    parser.add_argument(
        "--score", type=float, default=0.0, metavar="S", help="show detections from this score on"
    )
    parser.add_argument("--classes", default="", metavar="A,B", help="show these classes only")
    parser.add_argument(
        "--style",
        choices=_STYLES,
        default="full",
        help="full: all; plain: no rates and watts; boxes: no text at all; light: light panels",
    )
    return parser


@cache
def _known_labels() -> tuple[str, ...]:
    """All labels of the default detector; none where it is gone."""
    from edgecam.inference.models.store import describe, find_model

    try:
        return describe(find_model("default", "detection"))[0].labels
    except ModelError:
        return ()


def with_all_labels(found: Detections) -> Detections:
    """``found`` of a sidecar's line, which names its own labels only, with all those of the default detector
    if they are its: colours go by them, so that each class has the one that it has in the window."""
    known = _known_labels()
    own = [(class_id, found.label(i)) for i, class_id in enumerate(found.class_id.tolist())]
    same = all(class_id < len(known) and known[class_id] == label for class_id, label in own)
    return replace(found, labels=known) if own and same else found


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``edgecam render`` with the arguments after those two words; gives the exit code."""
    args = _parser().parse_args(argv)
    if not 0.0 <= args.score <= 1.0:
        raise ConfigError(f"--score: {args.score:g} is not between 0 and 1")
    clip: Path = args.clip
    if not clip.is_file():
        raise ConfigError(f"there is no clip '{clip}'; edgecam clips list shows what there is")
    out: Path = args.out or clip.with_name(f"{clip.stem.removesuffix('.clean')}_rendered{clip.suffix}")
    if out.exists() and out.samefile(clip):
        raise ConfigError("--out names the clip itself; the clean clip is kept, so name another file")

    import numpy as np

    from edgecam.core.types import Image, Result, Stats
    from edgecam.overlay.compose import compose
    from edgecam.overlay.label_placement import LabelMemory
    from edgecam.overlay.scene_cv import paint_cv
    from edgecam.overlay.style import Style
    from edgecam.record.render import render

    style = {
        "full": Style(),
        "plain": Style(level="boxes"),
        "boxes": Style(level="boxes", labels=False, scores=False, ids=False, crop_classes=False),
        "light": Style(theme="light"),
    }[args.style]
    wanted = {name.strip() for name in args.classes.split(",") if name.strip()}

    memory = LabelMemory()

    def paint(result: Result, stats: Stats) -> Image:
        scene = compose(result, stats, style, result.frame.size_wh, memory=memory)
        return paint_cv(scene, result.frame.image)

    def choose(result: Result) -> Result:
        found = result.detections
        keep = found.score >= args.score
        if wanted:
            keep &= np.array([found.label(i) in wanted for i in range(len(found))], bool)
        crops = tuple(c for c, kept in zip(result.crop_classes, keep, strict=False) if kept)
        return replace(result, detections=with_all_labels(found.select(keep)), crop_classes=crops)

    with closing(ProgressBar(clip.name)) as progress:
        frames = render(clip, out, paint, choose=choose, progress=progress.show)
    console.out(f"{out}: {frames} frames\n")
    return EXIT_OK
