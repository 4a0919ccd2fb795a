"""Measure false tracks per minute and presence, of this program and another one in one run.

    python benchmarks/trust.py [../shared/data/videos/*] [--against ../base] [-- --classes all]

The recordings' contents are listed by hand in ``trust.toml``; recordings that it does not list are refused.
Each program runs as its users run it (``edgecam --source FILE --json -``), in a process of its own; a track
that is ``tentative`` in JSON is not shown.

false tracks per minute: a track is false if, in more than a fifth of its frames, it is shown with the name of
something that is not there, or as one more than there are. false names: tracks whose crop is shown with a
class that contradicts the detector's. presence: of all frames in which an object ought to be shown, the share
in which it is. late: of the objects that both programs show, how much later this one shows them first. lost:
objects that the other program shows and this one never does. flips: the most label changes of one track
in a second.

Limits (issue 17): false tracks at most 0.5 a minute and a tenth of the other's, presence at most 2 points
lower, late at most 250 ms at 15 detections a second, lost at most 2 %, flips at most one a second.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data" / "videos"
#: A track is false from this share of false frames on.
FALSE_SHARE = 0.2
#: Default of an object's ``may``: seconds before and after its ``there``.
SLACK_S = 0.5
LIMITS = {
    "false_per_min": 0.5,
    "of_other": 0.1,
    "presence_drop": 0.02,
    "late_ms": 250.0,
    "lost": 0.02,
    "flips": 1,
}


@dataclass(frozen=True)
class Thing:
    """A row of the table; frames are indices, both ends inclusive."""

    names: frozenset[str]
    there: tuple[int, int] | None
    may: tuple[int, int]
    count: int

    def due(self, frame: int) -> bool:
        return self.there is not None and self.there[0] <= frame <= self.there[1]

    def allowed(self, frame: int) -> bool:
        return self.may[0] <= frame <= self.may[1]


@dataclass
class Score:
    """The results of one program on one recording, or on several."""

    seconds: float = 0.0
    tracks: int = 0
    false: list[str] = field(default_factory=list)
    false_names: list[str] = field(default_factory=list)
    due: int = 0
    shown: int = 0
    flips: int = 0
    first_s: dict[str, float | None] = field(default_factory=dict)

    @property
    def false_per_min(self) -> float:
        return len(self.false) / (self.seconds / 60) if self.seconds else 0.0

    @property
    def presence(self) -> float:
        return self.shown / self.due if self.due else 1.0

    def add(self, other: Score) -> None:
        self.seconds += other.seconds
        self.tracks += other.tracks
        self.false += other.false
        self.false_names += other.false_names
        self.due += other.due
        self.shown += other.shown
        self.flips = max(self.flips, other.flips)
        self.first_s.update(other.first_s)


def things_of(rows: list[dict[str, Any]], frames: int, rate: float) -> list[Thing]:
    slack = round(SLACK_S * rate)
    made = []
    for row in rows:
        there = row.get("there")
        may = row.get("may") or ([there[0] - slack, there[1] + slack] if there else [0, frames])
        owed = row.get("owed", True)
        made.append(
            Thing(
                frozenset([row["label"], *row.get("also", ())]),
                tuple(there) if there and owed else None,
                (may[0], may[1]),
                row.get("count", 1),
            )
        )
    return made


def run(program: Path, video: Path, options: list[str]) -> list[dict[str, Any]]:
    """The program's JSON lines for ``video``."""
    command = [sys.executable, "-m", "edgecam", "--source", str(video.resolve()), "--display", "none"]
    command += ["--tune", "off", "--json", "-", *options]
    environment = {**os.environ, "PYTHONPATH": str(program)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or not lines:
        raise SystemExit(f"{program}: exit code {done.returncode} on {video}: {done.stderr.strip()[-800:]}")
    return lines


def rate_of(video: Path) -> float:
    import av

    with av.open(str(video)) as container:
        return float(container.streams.video[0].average_rate or 25.0)


def most_flips(seen: list[tuple[int, str]], rate: float) -> int:
    """The most changes of label within any second."""
    turns = [b[0] / rate for a, b in itertools.pairwise(seen) if a[1] != b[1]]
    return max((sum(1 for u in turns if t <= u < t + 1.0) for t in turns), default=0)


def judge(name: str, lines: list[dict[str, Any]], things: list[Thing], rate: float) -> Score:
    score = Score(seconds=len(lines) / rate)
    seen: dict[int, list[tuple[int, str]]] = defaultdict(list)
    wrong: dict[int, int] = defaultdict(int)
    named: dict[int, str] = {}
    first: dict[int, float] = {}
    for line in lines:
        frame = line["index"]
        shown = [d for d in line["detections"] if d.get("state") != "tentative"]
        shown.sort(key=lambda d: -d["score"])
        left = [t.count if t.allowed(frame) else 0 for t in things]
        got = [0] * len(things)
        # objects that ought to be shown come first, so that a box counts for them
        order = sorted(range(len(things)), key=lambda i: not things[i].due(frame))
        for d in shown:
            seen[d["track_id"]].append((frame, d["label"]))
            fits = next((i for i in order if left[i] and d["label"] in things[i].names), None)
            if fits is None:
                wrong[d["track_id"]] += 1
            else:
                left[fits] -= 1
                got[fits] += 1
            for crop in d["classes"][:1]:
                if crop["label"] != d["label"]:
                    named.setdefault(d["track_id"], f"{d['label']} · {crop['label']}")
        for i, thing in enumerate(things):
            if thing.due(frame):
                score.due += thing.count
                score.shown += got[i]
                if got[i] >= thing.count:
                    first.setdefault(i, frame / rate)
    for track, frames in seen.items():
        score.tracks += 1
        score.flips = max(score.flips, most_flips(frames, rate))
        if wrong[track] > FALSE_SHARE * len(frames):
            labels = [label for _, label in frames]
            most = max(set(labels), key=labels.count)
            score.false.append(f"{name}: {most} #{track}, {len(frames)} frames from {frames[0][0]}")
    score.false_names = [f"{name}: {text} #{track}" for track, text in named.items()]
    score.first_s = {f"{name}/{i}": first.get(i) for i, t in enumerate(things) if t.there is not None}
    return score


def late_things(new: Score, old: Score) -> list[str]:
    """Objects that the other program shows and this one shows later than the limit, or never."""
    told = []
    for key, other in old.first_s.items():
        mine = new.first_s.get(key)
        if other is not None and (mine is None or (mine - other) * 1e3 > LIMITS["late_ms"]):
            told.append(
                f"{key}: {'never' if mine is None else f'{(mine - other) * 1e3:.0f} ms'} (from {other:.2f} s)"
            )
    return told


def compared(new: Score, old: Score) -> dict[str, Any]:
    both = [(new.first_s[k], old.first_s[k]) for k in new.first_s if old.first_s.get(k) is not None]
    late = sorted((a - b) * 1e3 for a, b in both if a is not None and b is not None)
    lost = sum(1 for a, _ in both if a is None)
    return {
        "late_ms_median": round(late[len(late) // 2], 1) if late else None,
        "late_ms_p90": round(late[int(0.9 * (len(late) - 1))], 1) if late else None,
        "late_ms_most": round(late[-1], 1) if late else None,
        "lost": lost,
        "things": len(both),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="*", type=Path, help="recordings that trust.toml knows")
    parser.add_argument("--against", type=Path, help="another checkout, such as the one before")
    parser.add_argument("--list", action="store_true", help="name each false track, and what comes late")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:at])
    extra = sys.argv[at + 1 :]
    table = tomllib.loads((HERE / "trust.toml").read_text())["video"]
    videos = options.videos or sorted(SHARED.glob("*.m*"))
    if not videos:
        parser.error(f"no recordings in {SHARED}: name some")
    unknown = [v.name for v in videos if v.name not in table]
    if unknown:
        parser.error(f"trust.toml does not say what is in {', '.join(unknown)}: list it there first")
    programs = {"this": HERE.parent} | ({"other": options.against.resolve()} if options.against else {})
    totals = {name: Score() for name in programs}
    print("| recording | program | tracks | false | a minute | presence | false names | flips |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")

    def row(video: str, name: str, s: Score) -> None:
        presence = f"{100 * s.presence:.1f} %" if s.due else "–"
        print(
            f"| {video} | {name} | {s.tracks} | {len(s.false)} | {s.false_per_min:.1f} | {presence} "
            f"| {len(s.false_names)} | {s.flips} |",
            flush=True,
        )

    for video in videos:
        rate = rate_of(video)
        for name, program in programs.items():
            lines = run(program, video, extra)
            things = things_of(table[video.name]["thing"], len(lines), rate)
            score = judge(video.name, lines, things, rate)
            totals[name].add(score)
            row(video.name, name, score)
    for name, score in totals.items():
        row("all", name, score)
    if options.list:
        for name, score in totals.items():
            print("\n".join([f"\n{name}:", *score.false, *score.false_names]))
        if "other" in totals:
            print("\n".join(["\nlate or lost:", *late_things(totals["this"], totals["other"])]))
    this, other = totals["this"], totals.get("other")
    within = this.false_per_min <= LIMITS["false_per_min"] and this.flips <= LIMITS["flips"]
    result: dict[str, Any] = {
        name: {
            "false_per_min": round(s.false_per_min, 2),
            "presence": round(s.presence, 4),
            "false_names": len(s.false_names),
            "flips": s.flips,
        }
        for name, s in totals.items()
    }
    if other is not None:
        result["against"] = against = compared(this, other)
        within &= this.false_per_min <= LIMITS["of_other"] * other.false_per_min
        within &= this.presence >= other.presence - LIMITS["presence_drop"]
        within &= (against["late_ms_most"] or 0) <= LIMITS["late_ms"]
        within &= against["lost"] <= LIMITS["lost"] * max(1, against["things"])
    print(json.dumps({**result, "within": bool(within)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
