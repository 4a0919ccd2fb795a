"""Measure how much later evidence shows a real object, counted from the first box that a still would show.

    PYTHONPATH=. python benchmarks/confirmation.py [../shared/data/videos/*] [--model NAME] [--list]

The recordings' contents are those of ``trust.toml``. The detector, the scene-change detector and the tracker
with evidence run in this process on about 15 pictures a second of each film (every second one of 30).

A track is true if it is shown and its name is right in at least four fifths of its shown frames. Its delay is
the time from the first box of its class at its place with a score that a single picture is shown from, to its
first shown frame. The box is followed back in time, through gaps of up to a second, but not to where it is
another shown track's. A track is *lost* if it has four such boxes or more and is never shown, while nothing
else is shown there and fewer objects are shown than there are. Objects that the detector itself misses count
in the presence of ``trust.py`` instead.

Limits (issue 17): no delay over 250 ms at 15 a second (a film with fewer pictures is played at 15 a second),
at most 2 % lost.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import av
import numpy as np
from numpy.typing import NDArray
from trust import HERE, SHARED, Thing, rate_of, things_of

from edgecam.app.models import LOW_RATIO, shape_limits
from edgecam.core.types import Detections, Frame
from edgecam.inference.detector import OnnxDetector
from edgecam.tracking.identities import SortTracker
from edgecam.tracking.scene_change import SceneChange
from edgecam.tracking.tracks import widened_iou

#: Detections a second.
HZ = 15.0
LIMIT_MS, LOST = 250.0, 0.02
#: The longest gap through which a track is followed back, and the least overlap of its boxes (IoU).
BACK_S, SAME = 1.0, 0.3
#: A box that overlaps more than this (IoU) with another shown track belongs to that track.
TAKEN = 0.5
#: The least share of right shown frames of a true track, and the fewest boxes of a lost one.
TRUE_SHARE, BOXES = 0.8, 4


class Moment:
    """One picture: what the detector found, and what the tracker returned."""

    def __init__(self, index: int, at_s: float, found: Detections, tracked: Detections) -> None:
        self.index, self.at_s, self.found, self.tracked = index, at_s, found, tracked

    def best(self, box: NDArray[np.float32], class_id: int) -> int | None:
        """The index of the found box of the class with the highest IoU with ``box``."""
        agree = np.where(self.found.class_id == class_id, overlap(box, self.found.xyxy), 0.0)
        return int(agree.argmax()) if len(agree) and agree.max() >= SAME else None

    def taken(self, box: NDArray[np.float32], track: int, known: set[int]) -> bool:
        """Whether ``box`` belongs to another track of ``known``, the tracks that are shown at some time."""
        ids = self.tracked.track_id
        assert ids is not None
        others = (ids != track) & np.isin(ids, list(known))
        return bool((overlap(box, self.tracked.xyxy[others]) > TAKEN).any())


def overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) IoU of ``box`` with ``others`` (N, 4)."""
    if not len(others):
        return np.zeros(0, np.float32)
    return widened_iou(box[None], others, np.zeros(1))[0]


def watch(detector: OnnxDetector, video: Path) -> list[Moment]:
    """Run detector and tracker on ``video`` at about :data:`HZ` pictures a second."""
    rate = rate_of(video)
    step = max(1, round(rate / HZ))
    scenes, moments = SceneChange(), []
    tracker: SortTracker | None = None
    with av.open(str(video)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            if index % step:
                continue
            at_s = len(moments) / HZ
            image = np.ascontiguousarray(picture.to_ndarray(format="bgr24"))
            frame = Frame(image, index, round(at_s * 1e9) + 1, video.name)
            if tracker is None:
                tracker = SortTracker(
                    lambda: detector.thresholds,
                    size_wh=frame.size_wh,
                    evidence=True,
                    shapes=shape_limits(detector),
                    sure=lambda: detector.sure_scores,
                )
            scene = scenes.look(scenes.sample(image), frame.captured_ns)
            if scene != "same":
                tracker.reset()
            found = detector.detect(frame)
            if scene == "fade":
                found = found.select(np.zeros(len(found), bool))
            moments.append(Moment(index, at_s, found, tracker.update(found, frame.captured_ns)))
    return moments


def right(label: str, index: int, things: list[Thing]) -> bool:
    return any(label in thing.names and thing.allowed(index) for thing in things)


def costs(
    moments: list[Moment], things: list[Thing], limits: NDArray[np.float32]
) -> tuple[list[tuple[float, str]], list[str]]:
    """(delay in ms, description) of each true track that is shown, and descriptions of the lost ones."""
    rows: dict[int, list[tuple[int, int]]] = {}
    for k, moment in enumerate(moments):
        ids = moment.tracked.track_id
        assert ids is not None
        for i, track in enumerate(ids.tolist()):
            rows.setdefault(track, []).append((k, i))
    told, lost = [], []
    known = {
        track
        for track, seen in rows.items()
        if any(moments[k].tracked.state_name(i) != "tentative" for k, i in seen)
    }
    for track, seen in rows.items():
        shown = [(k, i) for k, i in seen if moments[k].tracked.state_name(i) != "tentative"]
        part = shown or seen
        good = sum(right(moments[k].tracked.label(i), moments[k].index, things) for k, i in part)
        if good < TRUE_SHARE * len(part):
            continue
        begin, i = moments[part[0][0]], part[0][1]
        words = f"{begin.tracked.label(i)} #{track} from picture {begin.index}"
        if shown:
            told.append((cost(moments, track, dict(seen), shown[0], limits, known), words))
        elif sum(_is_missed(moments[k], i, track, things, limits, known) for k, i in seen) >= BOXES:
            lost.append(words)
    return told, lost


def _is_missed(
    moment: Moment, i: int, track: int, things: list[Thing], limits: NDArray[np.float32], known: set[int]
) -> bool:
    """Whether a still would show this box, nothing else is shown there, and one more object is there."""
    label, tracked = moment.tracked.label(i), moment.tracked
    room = sum(t.count for t in things if label in t.names and t.allowed(moment.index))
    shown = sum(
        tracked.label(j) == label and tracked.state_name(j) != "tentative" for j in range(len(tracked))
    )
    if shown >= room:
        return False
    box, class_id = moment.tracked.xyxy[i], int(moment.tracked.class_id[i])
    column = moment.best(box, class_id)
    passes = column is not None and moment.found.score[column] >= limits[class_id]
    return bool(passes) and not moment.taken(box, track, known)


def cost(
    moments: list[Moment],
    track: int,
    at: dict[int, int],
    first: tuple[int, int],
    limits: NDArray[np.float32],
    known: set[int],
) -> float:
    """Milliseconds from the first box that a single picture would show to the first shown frame."""
    end = moments[first[0]]
    class_id, box = int(end.tracked.class_id[first[1]]), end.tracked.xyxy[first[1]]
    since = last = end
    for k in range(first[0], -1, -1):
        moment = moments[k]
        if last.at_s - moment.at_s > BACK_S:
            break
        if k in at:
            box = moment.tracked.xyxy[at[k]]
        column = moment.best(box, class_id)
        if column is None or moment.taken(moment.found.xyxy[column], track, known):
            continue
        last = moment
        if k not in at:
            box = moment.found.xyxy[column]
        if moment.found.score[column] >= limits[class_id]:
            since = moment
    return 1e3 * (end.at_s - since.at_s)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="*", type=Path, help="recordings that trust.toml knows")
    parser.add_argument("--model", default="default")
    parser.add_argument("--list", action="store_true", help="name each track that takes longer, or is lost")
    options = parser.parse_args()
    table: dict[str, Any] = tomllib.loads((HERE / "trust.toml").read_text())["video"]
    videos = options.videos or sorted(SHARED.glob("*.m*"))
    unknown = [v.name for v in videos if v.name not in table]
    if not videos or unknown:
        parser.error(f"trust.toml does not say what is in {', '.join(unknown) or SHARED}")
    detector = OnnxDetector(options.model, threads=1, low_ratio=LOW_RATIO)
    print(f"{detector.description}\n\n| recording | true tracks | over {LIMIT_MS:.0f} ms | most, ms | lost |")
    print("|---|---:|---:|---:|---:|")
    told: list[tuple[float, str]] = []
    lost: list[str] = []
    for video in videos:
        moments = watch(detector, video)
        things = things_of(table[video.name]["thing"], moments[-1].index + 1, rate_of(video))
        own, gone = costs(moments, things, detector.thresholds)
        told += [(ms, f"{video.name}: {words}") for ms, words in own]
        lost += [f"{video.name}: {words}" for words in gone]
        late = sum(ms > LIMIT_MS for ms, _ in own)
        most = f"{max(ms for ms, _ in own):.0f}" if own else "–"
        print(f"| {video.name} | {len(own)} | {late} | {most} | {len(gone)} |", flush=True)
    late_ones = [(ms, words) for ms, words in told if ms > LIMIT_MS]
    if options.list:
        print(
            "\n".join([*(f"{ms:.0f} ms: {words}" for ms, words in late_ones), *(f"lost: {x}" for x in lost)])
        )
    delays = np.array([ms for ms, _ in told] or [0.0])
    result = {
        "tracks": len(told),
        "ms_median": round(float(np.median(delays)), 1),
        "ms_p90": round(float(np.quantile(delays, 0.9)), 1),
        "ms_most": round(float(delays.max()), 1),
        "over": len(late_ones),
        "lost": len(lost),
    }
    within = not late_ones and len(lost) <= LOST * max(1, len(told) + len(lost))
    print(json.dumps({**result, "within": within}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
