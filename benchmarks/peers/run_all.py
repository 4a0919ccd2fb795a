"""Runs edgecam and every peer on the same camera, in turn, and prints who does what.

    python benchmarks/peers/run_all.py --envs /work/env/peers [--model models/pan-mobilenet-v1-320.onnx]
        [--rate 30] [--seconds 8] [--repeats 3] [--cpus 0]

`--envs` holds a virtual environment per peer (each script's header says how to make it): plain,
supervision, litert, mediapipe, ultralytics. Peers that are not there are left out, and said so. `--cpus 0`
pins everything to one CPU, which is nearer to what a small board has; `--rate 120` asks for more than
anyone can do, so that the rate is each one's own. Medians over the repeats, in which all take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from canned import machine  # noqa: E402


def command(
    interpreter: str | Path, script: str, model: str | Path, options: argparse.Namespace, more: list[str]
) -> list[str]:
    return [
        *(["taskset", "-c", options.cpus] if options.cpus else []),
        str(interpreter),
        str(HERE / script),
        *["--model", str(model), "--pictures", str(options.envs / "pictures")],
        *["--rate", str(options.rate), "--seconds", str(options.seconds), *more],
    ]


def prepare(options: argparse.Namespace) -> None:
    """Pictures, and the same network as TFLite, where they are not there yet."""
    pictures, tflite = options.envs / "pictures", options.envs / "ssd.tflite"
    if not pictures.is_dir():
        subprocess.run([sys.executable, str(HERE / "pictures.py"), str(pictures)], check=True, cwd=ROOT)
    litert = options.envs / "litert/bin/python"
    newer = not tflite.exists() or tflite.stat().st_mtime < options.model.stat().st_mtime
    if litert.exists() and newer:
        converting = [str(litert), str(HERE / "to_tflite.py"), str(options.model), str(tflite)]
        if subprocess.run(converting).returncode:
            print("left out: litert, mediapipe (to_tflite.py knows SSDs on MobileNetV1 only)")
            return
        from edgecam.inference.models.store import load_card

        labels = options.envs / "labels.txt"
        labels.write_text("\n".join(load_card(options.model).labels) + "\n", encoding="utf-8")
        subprocess.run(
            [
                *[str(litert), str(HERE / "mediapipe_metadata.py"), str(tflite)],
                *[str(options.envs / "ssd-mediapipe.tflite"), str(labels)],
            ],
            check=True,
        )


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    envs, onnx = options.envs, options.model
    int8 = onnx.with_stem(f"{onnx.stem}-int8")  # what edgecam runs as tuned, where that is faster
    entries: list[tuple[str, str | Path, str, str | Path, list[str]]] = [
        ("edgecam", sys.executable, "edgecam_app.py", onnx, []),
        ("edgecam as tuned", sys.executable, "edgecam_app.py", "default", []),
        ("plain", envs / "plain/bin/python", "plain_ort.py", onnx, []),
        ("plain int8", envs / "plain/bin/python", "plain_ort.py", int8, []),
        ("dnn", envs / "plain/bin/python", "opencv_dnn.py", onnx, []),
        ("supervision", envs / "supervision/bin/python", "supervision_loop.py", onnx, []),
        ("litert", envs / "litert/bin/python", "litert_tutorial.py", envs / "ssd.tflite", []),
        ("mediapipe", envs / "mediapipe/bin/python", "mediapipe_live.py", envs / "ssd-mediapipe.tflite", []),
        ("ultralytics 640", envs / "ultralytics/bin/python", "ultralytics_stream.py", "640", []),
        ("ultralytics 320", envs / "ultralytics/bin/python", "ultralytics_stream.py", "320", []),
    ]
    found = {}
    for name, interpreter, script, model, more in entries:
        if options.only and name not in options.only:
            continue
        if Path(interpreter).exists():
            found[name] = command(interpreter, script, model, options, more)
        else:
            print(f"left out: {name} ({interpreter} is not there; {script} says how to install it)")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "models/pan-mobilenet-v1-320.onnx")
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpus", help="pin to these, as taskset writes them: 0 or 0,1")
    parser.add_argument("--only", nargs="*", help="names as in the table")
    options = parser.parse_args()
    print(json.dumps(machine()))
    prepare(options)
    runs: dict[str, list[dict[str, object]]] = {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "YOLO_VERBOSE": "false"}
    todo = commands(options)
    for _ in range(options.repeats):
        for name, line in todo.items():
            done = subprocess.run(
                line, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300
            )
            last = done.stdout.strip().splitlines()[-1:]
            if done.returncode or not last:
                print(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
                continue
            runs.setdefault(name, []).append(json.loads(last[0]))
            print(f"{name}: {last[0]}", flush=True)
    figures = ("rate", "age_p50_ms", "age_p95_ms", "cpu_share", "cpu_ms_per_frame", "repeats_per_s")
    print(f"{'':<30}{'rate':>7}{'age p50':>9}{'p95':>7}{'CPU %':>7}{'CPU ms/frame':>14}  versions")
    table = {}
    for name, found in runs.items():
        row = {key: statistics.median(float(str(run[key])) for run in found) for key in figures}
        table[name] = row
        versions = ", ".join(f"{k} {v}" for k, v in found[0]["versions"].items())  # type: ignore[attr-defined]
        note = f" ({found[0]['note']})" if found[0]["note"] else ""
        print(
            f"{str(found[0]['peer']) if 'tuned' not in name else name:<30}{row['rate']:7.1f}"
            f"{row['age_p50_ms']:9.1f}{row['age_p95_ms']:7.1f}{row['cpu_share'] * 100:7.1f}"
            f"{row['cpu_ms_per_frame']:14.1f}  {versions}{note}"
        )
    print(json.dumps({**machine(), "rate_hz": options.rate, "cpus": options.cpus, "table": table}))


if __name__ == "__main__":
    main()
