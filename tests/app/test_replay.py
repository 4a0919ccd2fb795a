"""What was recorded makes the same events again, byte for byte; other rules gain and lose; and why."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from telling_run import ZONE, Run

from edgecam.app.replay import bare, compare, play, why_of
from edgecam.cli.main import main
from edgecam.core.errors import RecordError
from edgecam.core.events import Event
from edgecam.media.reading import picture_at
from edgecam.record.library.events import EventStore, placed
from edgecam.record.library.index import Library
from edgecam.record.library.journal import EventJournal
from edgecam.rules.reading import build

RULE = {"name": "stays", "on": "rectangle@left:0.5", "loitering": "1s"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic world recorded all the time, in pieces, with a zone, a line and a rule."""
    folder = tmp_path_factory.mktemp("clips")
    Run(folder, frames=400, all_the_time=True, zone=[ZONE], line=["mid=0.5,0 0.5,1"], rule=[RULE]).go()
    return folder


def test_unchanged_rules_make_the_same_bytes(recorded: Path) -> None:
    with EventStore(recorded) as store, Library(recorded) as library:
        told = [bare(moment).to_json() for _, moment in store.since(None, limit=-1)]
        clips = library.clips()
    rules = build([ZONE], ["mid=0.5,0 0.5,1"], [RULE])
    assert len(clips) > 1
    assert len(told) > 20
    assert any('"rule": "stays"' in line for line in told)
    assert [bare(event).to_json() for event in play(recorded, clips, rules)] == told


def test_the_command_knows_the_rules_of_then(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "replay", "--dir", str(recorded), "--json"]) == 0
    again = capsys.readouterr().out.splitlines()
    with EventStore(recorded) as store:
        assert again == [bare(moment).to_json() for _, moment in store.since(None, limit=-1)]
    assert main(["events", "replay", "--dir", str(recorded)]) == 0
    assert " 0 gained, 0 lost" in capsys.readouterr().out


def test_other_rules_gain_and_lose_with_pictures(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.toml"
    new.write_text(
        f"""
        zone = ["{ZONE}"]
        line = ["mid=0.5,0 0.5,1"]
        [[rule]]
        name = "stays"
        on = "rectangle@left"
        loitering = "1m"
        [[rule]]
        name = "triangles"
        on = "triangle@left"
        """
    )
    pictures = tmp_path / "pictures"
    arguments = ["--config", str(new), "--to", str(pictures)]
    assert main(["events", "replay", "--dir", str(recorded), *arguments]) == 0
    out = capsys.readouterr().out
    gained = [line for line in out.splitlines() if line.startswith("+")]
    lost = [line for line in out.splitlines() if line.startswith("-")]
    assert gained
    assert all("[triangles]" in line for line in gained)
    assert lost
    assert all("[stays]" in line for line in lost)
    assert len(list(pictures.glob("gained-*.jpg"))) == len(gained)
    assert len(list(pictures.glob("lost-*.jpg"))) == len(lost)


@pytest.mark.parametrize(
    ("rule", "step", "said"),
    [
        ({"on": "circle@left"}, "class", "the rule waits for circle"),
        ({"on": "any@left", "loitering": "2m"}, "loitering", "s of 120 s"),
        ({"on": "any@right"}, "zone", "outside zone right by"),
        (
            {"on": "any@left", "hours": "00:00-00:01", "days": "mon"},
            "schedule",
            "the rule holds mon, 00:00-00:01",
        ),
        ({"on": "any@left", "count": 9}, "count", "of 9 any in zone left"),
        ({"on": "any@left", "stationary": "resting"}, "moving", "waits for what stands still"),
        ({"on": "motion@left"}, "motion", "nothing moves in zone left"),
    ],
)
def test_why_names_the_first_that_refused_and_its_margin(
    recorded: Path, rule: dict[str, object], step: str, said: str
) -> None:
    rules = build([ZONE, "right=0.9,0 1,0 1,1 0.9,1"], [], [{"name": "r"} | rule])
    with EventStore(recorded) as store, Library(recorded) as library:
        inside = next(m for _, m in store.since(None, limit=-1) if m.kind == "zone" and m.type == "new")
        clips = library.clips()
        inside = placed([inside], clips)[0]
        clip = library.find(inside.clip or "")
    assert clip is not None
    moment = why_of(recorded, clips, clip, (inside.clip_s or 0.0) + 0.4, rules)
    reasons = [r for r in moment.reasons if r.track_id in (inside.track_id, None)]
    assert len(reasons) == 1
    assert reasons[0].step == step
    assert not reasons[0].told
    assert said in reasons[0].text


def test_why_on_the_command_line(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Library(recorded) as library:
        clip = library.clips()[0].name
    assert main(["events", "why", "--dir", str(recorded), "--clip", clip, "--at", "1.5s"]) == 0
    out = capsys.readouterr().out
    assert "stays: " in out
    assert main(["events", "why", "--dir", str(recorded), "--clip", clip, "--at", "1.5s", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["rule"] for row in rows} == {"stays"}
    assert main(["events", "why", "--dir", str(recorded), "--clip", "nowhere", "--at", "1"]) == 2
    assert main(["events", "why", "--dir", str(recorded), "--clip", clip, "--at", "1", "--track", "999"]) == 2
    assert "track 999 is not in" in capsys.readouterr().err


def test_compare_matches_what_begins_a_little_earlier_or_later() -> None:
    def event(at_s: float, track: int) -> Event:
        return Event(
            id=str(at_s), type="new", kind="object", camera="c", rule="r", start_time=at_s, track_id=track
        )

    found = compare([event(10, 1), event(20, 2)], [event(12, 1), event(40, 2)])
    assert found.kept == 1
    assert [e.start_time for e in found.gained] == [40]
    assert [e.start_time for e in found.lost] == [20]


def test_list_show_counts_and_export(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> list[str]:
        assert main(["events", *arguments, "--dir", str(recorded)]) == 0
        return capsys.readouterr().out.splitlines()

    everything = [Event.from_json(line) for line in said("list", "--json")]
    assert len(everything) > 10
    assert all(e.type == "end" or e.kind == "line" for e in everything)
    of_rule = [Event.from_json(line) for line in said("list", "--json", "--rule", "stays")]
    assert of_rule == [e for e in everything if e.rule == "stays"]
    assert [Event.from_json(line) for line in said("list", "--json", "-n", "2")] == everything[-2:]
    across = [
        line
        for line in said("list", "--kind", "line", "--class", "rectangle", "--zone", "mid")
        if "line" in line  # not a day's heading
    ]
    crossings = [e for e in everything if e.kind == "line" and e.label == "rectangle"]
    assert len(across) == len(crossings) > 0
    assert all("rectangle across mid" in line for line in across)
    assert said("list", "--camera", "nobody") == ["no events"]
    shown = said("show", of_rule[0].id[-6:])
    assert any("told" in line and "new +0.0 s" in line for line in shown)
    assert any(line.endswith(".jpg") for line in shown)
    rows = [json.loads(line) for line in said("counts", "--json")]
    mine = [r for r in rows if r["place"].startswith("line mid") and r["label"] == "rectangle"]
    assert sum(r["count"] for r in mine) == len(crossings)
    said("export", "--to", str(tmp_path / "e.csv"))
    assert len((tmp_path / "e.csv").read_text().splitlines()) == len(everything) + 1
    said("export", "--to", str(tmp_path / "e.jsonl"), "--rule", "stays")
    assert (tmp_path / "e.jsonl").read_text().splitlines() == [e.to_json() for e in of_rule]
    said("export", "--to", str(tmp_path / "folder"))
    pictures = {p.name for p in (tmp_path / "folder").glob("*.jpg")}
    assert pictures == {e.snapshot for e in everything if e.snapshot}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "zzzzzz"], "there is no event 'zzzzzz'"),
        (["show"], "name an event"),
        (["list", "--since", "yesterday-ish"], "is not a time"),
        (["export"], "say where to"),
        (["why", "--at", "3"], "say where with --clip"),
        (["replay", "--since", "2001-01-01", "--until", "2001-01-02"], "no clip with its results"),
        (["list", "--dir", "/proc/nowhere"], "there is no folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    recorded: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    folder = [] if "--dir" in arguments else ["--dir", str(recorded)]
    assert main(["events", *arguments, *folder]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_watch_shows_new_ones_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    journal = EventJournal(tmp_path)
    journal.open()
    old = Event(id="1.000000-aaaaaa", type="new", kind="board", camera="", time=1_795_176_000.0, state="heat")
    journal.write(old)
    command = [sys.executable, "-m", "edgecam", "events", "watch", "--json", "--dir", str(tmp_path)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    try:
        new = replace(old, id="2.000000-bbbbbb", time=1_795_176_001.0)
        # it begins with what comes after it started: write until it has
        for number in range(600):
            journal.write(replace(new, start_time=float(number), time=1_795_176_001.0 + number))
            if select.select([process.stdout], [], [], 0.1)[0]:
                break
        line = process.stdout.readline()
        assert Event.from_json(line).id == new.id
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
        journal.close()


def test_a_folder_of_somebody_elses_is_replayed_without_harm(recorded: Path, tmp_path: Path) -> None:
    """A link or a FIFO in a sidecar's place, a video that is a playlist, numbers without sense."""
    folder = tmp_path / "clips"
    shutil.copytree(recorded, folder)
    with Library(folder) as library:
        clips = library.clips()
    sidecar = folder / clips[0].files["sidecar"]
    first = json.loads(sidecar.read_text().splitlines()[1])
    box = {"label": "x" * 300, "score": 1e308, "xyxy": [1e308, -1e308, 1e308, 1e308], "track_id": 10**30}
    bad = [
        {**first, "detections": [box]},
        {**first, "width": 0},
        {**first, "captured_ns": -5, "media_ns": None},
    ]
    bad += [{**first, "time": "9999-12-31T23:59:59.999999-23:59"}, {**first, "media_ns": 10**40}]
    sidecar.write_text("".join(f"{json.dumps(line)}\n" for line in bad) + sidecar.read_text())
    rules = build([ZONE], ["mid=0.5,0 0.5,1"], [RULE])
    assert list(play(folder, clips, rules)) == list(play(recorded, clips, rules))
    for kind in ("link", "FIFO"):
        sidecar.unlink()
        sidecar.symlink_to("/dev/zero") if kind == "link" else os.mkfifo(sidecar)
        with pytest.raises(RecordError):
            list(play(folder, clips[:1], rules))
    assert picture_at(folder, clips[0].name, 0.5) is not None
    (folder / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{folder / clips[0].name}\n")
    (folder / "link.mp4").symlink_to(folder / clips[0].name)
    for name in ("list.mp4", "link.mp4", "none.mp4", "../x.mp4"):
        assert picture_at(folder, name, 0.5) is None
