"""The command line as a user meets it: one sentence, the right exit code, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.cli.main import COMMANDS, main


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(list(argv))
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return code, error


@pytest.mark.parametrize(
    ("argv", "code", "part"),
    [
        (["--sorce", "x"], 2, "unknown option --sorce, did you mean '--source'?"),
        (["modles"], 2, "unknown command 'modles', did you mean 'models'?"),
        (["--display", "none"], 2, "no source given"),
        (["--source"], 2, "expected one argument"),
        (["clip.mp4"], 2, "--source clip.mp4"),
        (["--source", "demo:", "--frames", "0"], 2, "'0' must be 1 or more"),
        (["--source", "/dev/video97", "--display", "none"], 3, "/dev/video97"),
        (["--source", "nosuch.mp4", "--display", "none"], 3, "nosuch.mp4"),
        (["--source", "demo:", "--detector", "nosuch", "--display", "none"], 4, "nosuch"),
        (["--source", "synthetic:", "--classes", "persn", "--display", "none"], 2, "did you mean 'person'?"),
        (["--source", "synthetic:", "--classes", "-brd", "--display", "none"], 2, "did you mean 'bird'?"),
        (
            ["--source", "synthetic:", "--record", "/nosuch/x.mp4", "--display", "none", "--frames", "1"],
            2,
            "/nosuch",
        ),
        (
            ["--source", "synthetic:", "--json", "/nosuch/x.jsonl", "--display", "none", "--frames", "1"],
            2,
            "/nosuch",
        ),
        (["--source", "synthetic:", "--control", "gain", "--display", "none"], 2, "NAME=VALUE"),
        (["--source", "synthetic:", "--tune-rate", "0", "--display", "none"], 2, "--tune-rate"),
        (
            ["--source", "synthetic:", "--tune-rate", "5", "--tune", "off", "--display", "none"],
            2,
            "leave out --tune off",
        ),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], argv: list[str], code: int, part: str) -> None:
    got, error = told(capsys, *argv)
    assert part in error and got == code, (got, error)
    assert len(error.strip().splitlines()) == 1


def test_a_file_that_is_not_a_video_and_a_model_that_is_not_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    video, model = tmp_path / "x.mp4", tmp_path / "x.onnx"
    video.write_bytes(b"not a video" * 100)
    model.write_bytes(b"not a model" * 100)
    assert told(capsys, "--source", str(video), "--display", "none")[0] == 3
    assert told(capsys, "--source", "synthetic:", "--detector", str(model), "--display", "none")[0] == 4


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(f"edgecam {name}" in text for name in COMMANDS)


def test_every_command_exists_and_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        assert f"edgecam {name}" in capsys.readouterr().out
