"""Runs the window in a process of its own, as the program does; prints what happened as it goes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]

import cv2  # noqa: E402, F401  (before Qt, as in the program: it points Qt at its own plugins)
from ui_samples import FakeController, one_result  # noqa: E402

from edgecam.core.control import Changes  # noqa: E402
from edgecam.core.types import Result  # noqa: E402
from edgecam.ui.controller import WindowOptions  # noqa: E402
from edgecam.ui.display import choose_display  # noqa: E402
from edgecam.ui.run import run_window  # noqa: E402


def say(text: str) -> None:
    print(text, flush=True)


class Talking(FakeController):
    def displayed(self, result: Result, at_ns: int) -> None:
        super().displayed(result, at_ns)
        if len(self.shown) == 1:
            say("shown")

    def change(self, **settings: object) -> Changes:
        if "score" in settings:
            say(f"score {settings['score']:.2f}")
        return super().change(**settings)

    def set_paused(self, paused: bool) -> None:
        say(f"paused {paused}")

    def results(self) -> tuple[Result | None, ...]:
        if "crash" in sys.argv:
            raise LookupError("the program behind the window is broken")
        return super().results()


if __name__ == "__main__":
    controller = Talking()
    controller.result = one_result(wh=(640, 480))
    sources: tuple[str, ...] = ("only",)
    if "several" in sys.argv:
        sources = ("door", "yard", "road")
        controller.others = (one_result(wh=(480, 480), value=250), one_result(wh=(640, 480), value=10))
        controller.wrong = ("", "", "camera lost, retrying in 4 s")
    choice = choose_display("window")
    say(choice.reason)
    options = WindowOptions(
        platform=choice.platform, picture_wh=(640, 480), kiosk="kiosk" in sys.argv, sources=sources
    )
    say(f"returned {run_window(controller, options)}")
