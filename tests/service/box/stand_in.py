"""Stands for edgecam in the box: beats as the pipeline does, and fails as files in its folder ask."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, os.environ["BOX_SOURCE"])

from edgecam.service.notify import Heartbeat, enter_service

log = logging.getLogger("edgecam")
logging.basicConfig(level=logging.INFO)
state = Path(os.environ["STATE_DIRECTORY"])
if (state / "crash").exists():
    sys.exit(2)
notifier = enter_service()
heart = Heartbeat(notifier, ["capture", "vision"])
stop = threading.Event()


def reload(*_: object) -> None:
    notifier.reloading()
    notifier.ready("reloaded")


def loop(stage: str) -> None:
    while not stop.is_set():
        if stage == "vision" and (state / "hang").exists():
            time.sleep(600)
        heart.beat(stage)
        time.sleep(0.1)


signal.signal(signal.SIGHUP, reload)
signal.signal(signal.SIGTERM, lambda *_: stop.set())
for name in ("capture", "vision"):
    threading.Thread(target=loop, args=(name,), daemon=True).start()
time.sleep(0.5)
heart.ready("15 fps")
log.warning("first result as uid %d", os.getuid(), extra={"source": "csi:0"})
for path in ("/etc/x", "/usr/x"):
    try:
        Path(path).write_text("")
        log.error("could write %s", path)
    except OSError as error:
        log.info("not written: %s", error)
stop.wait()
notifier.stopping("finishing the clip")
time.sleep(1.0)  # a clip takes a moment to finish, and needs its screen meanwhile
(state / "clip-finished").write_text("")
