"""A board that is not there: QEMU with systemd, cameras, a screen, heat, a watchdog and a plug to pull.

Software emulation only: a stock kernel does not boot under every ``/dev/kvm`` that exists, and a test that
runs at one speed everywhere is worth more than a fast one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from board_image import nice
from qemu_command import qemu_command
from qemu_monitor import Monitor

#: Everything in the guest takes this much longer than on an idle two-core machine, at most.
PATIENCE = float(os.environ.get("EC_SYSTEM_PATIENCE", "4"))
BOOT_TIMEOUT_S = 90.0 * PATIENCE
WEBCAM = Path(__file__).parent / "usb_webcam.py"


@dataclass(frozen=True)
class Outcome:
    """What a command in the guest gave; ``out`` is its standard output and error together."""

    rc: int
    out: str


class GuestError(AssertionError):
    """A command in the guest failed, or gave no answer in time."""


class Board:
    """One virtual board with its own disk. Not thread-safe; one owner.

    image: the folder that :func:`board_image.build` made. folder: for the disk, sockets, logs, and ``host``,
    a folder that the guest sees as ``/host``.
    """

    def __init__(self, image: Path, folder: Path) -> None:
        self._image = image
        self.folder = folder
        self.host = folder / "host"
        shutil.rmtree(self.host, ignore_errors=True)
        self.host.mkdir(parents=True)
        self.disk = folder / "disk.qcow2"
        self._command = qemu_command(image, folder, self.disk, self.host)
        self._qemu: subprocess.Popen[bytes] | None = None
        self._webcam: subprocess.Popen[bytes] | None = None
        self._monitor: Monitor | None = None
        self._serial: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._commands = 0

    # -- power

    def new_disk(self, copy_of: Path | None = None) -> None:
        """Start from the image as it was built, or from a copy of another board's disk and its snapshots."""
        self.disk.unlink(missing_ok=True)
        if copy_of is not None:
            shutil.copy(copy_of, self.disk)
            return
        base = str(self._image / "disk.img")
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", str(self.disk)]
        subprocess.run(command, check=True)

    def start(self, snapshot: str | None = None, camera: Sequence[str] | None = None) -> float:
        """Power on, and wait for a shell. Seconds it took.

        camera: options of a webcam that is plugged in from the beginning; None for an empty port.
        """
        begin = time.monotonic()
        for name in ("serial.sock", "qmp.sock", "cam.sock"):
            (self.folder / name).unlink(missing_ok=True)
        extra = ["-loadvm", snapshot] if snapshot else []
        with (self.folder / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(
                nice(*self._command, *extra), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._monitor = Monitor(self.folder / "qmp.sock")
        self._serial = socket.socket(socket.AF_UNIX)
        self._serial.connect(str(self.folder / "serial.sock"))
        self._reader = threading.Thread(target=self._drain, args=(self._serial,), name="console")
        self._reader.start()
        if camera is not None:
            self.plug_in(*camera)
        self._wait_for_shell()
        return time.monotonic() - begin

    def fingerprint(self) -> str:
        """Of the machine: a snapshot fits no other."""
        version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, check=True).stdout
        plain = " ".join(self._command).replace(str(self.folder), "").replace(str(self._image), "")
        return hashlib.sha256(version + plain.encode()).hexdigest()[:12]

    def save(self, snapshot: str) -> None:
        """Keep disk and memory as they are now, for ``start(snapshot)``."""
        self._send("cd /; umount /host")
        deadline = time.monotonic() + 10.0 * PATIENCE
        while True:
            try:
                self.monitor.human(f"savevm {snapshot}")
                break
            except RuntimeError:
                # QEMU refuses as long as the guest has the folder mounted
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self._wait_for_shell()

    def power_cut(self) -> None:
        """The plug is pulled: nothing in the guest gets to know."""
        self.pull_out()
        if self._monitor is not None:
            self._monitor.close()
        if self._qemu is not None:
            # nice has replaced itself by QEMU, so this is QEMU's own process
            self._qemu.kill()
            self._qemu.wait(30)
        if self._serial is not None and self._reader is not None:
            self._reader.join(10)
            self._serial.close()
        self._qemu = self._monitor = self._serial = self._reader = None

    def processor_s(self) -> float:
        """Processor time that QEMU has used since its start; the same on a busy and on an idle machine."""
        assert self._qemu is not None
        fields = Path(f"/proc/{self._qemu.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reboot(self, camera: Sequence[str] | None = None) -> float:
        """An orderly reboot. Seconds until there is a shell again."""
        self._send("systemctl reboot")
        assert self._qemu is not None
        try:
            self._qemu.wait(60 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise GuestError(f"the guest does not shut down; see {self.folder}/serial.log") from None
        self.power_cut()
        return self.start(camera=camera)

    # -- the shell

    @staticmethod
    def _drain(serial: socket.socket) -> None:
        """Take away what the guest's console says (QEMU keeps it in a file), else it would stand still."""
        with contextlib.suppress(ConnectionResetError):  # a power cut with something still unread
            while serial.recv(65536):
                pass

    def _send(self, line: str) -> None:
        assert self._serial is not None
        self._serial.sendall(b"\x15" + line.encode() + b"\n")

    def _wait_for_shell(self) -> None:
        """Until a line typed on the console has its effect."""
        self._commands += 1
        sign = self.host / f"{self._commands}.up"
        mount = "mountpoint -q /host || mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /host"
        line = f" {mount}; touch /host/{sign.name}"
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        again = 0.0
        while not sign.exists():
            assert self._qemu is not None
            if self._qemu.poll() is not None:
                raise GuestError(f"QEMU ended at once; see {self.folder}/qemu.log")
            if time.monotonic() > deadline:
                raise GuestError(f"no shell within {BOOT_TIMEOUT_S:.0f} s; see {self.folder}/serial.log")
            if time.monotonic() > again:
                self._send(line)
                again = time.monotonic() + 5.0
            time.sleep(0.05)
        sign.unlink()
        # once, and not while the guest boots: each step back in time has journald begin a new file
        self.check(f"date -s @{time.time():.0f}")

    def run(self, command: str, timeout_s: float = 60.0) -> Outcome:
        """Run a shell command as root in the guest. ``timeout_s`` is for an idle machine; see PATIENCE."""
        self._commands += 1
        script = self.host / f"{self._commands}.sh"
        out, rc = script.with_suffix(".out"), script.with_suffix(".rc")
        script.write_text(command + "\n")
        it = f"/host/{script.stem}"
        self._send(f"bash {it}.sh </dev/null >{it}.out 2>&1; echo $? >{it}.tmp; mv {it}.tmp {it}.rc")
        deadline = time.monotonic() + timeout_s * PATIENCE
        while not rc.exists():
            if time.monotonic() > deadline:
                so_far = out.read_text(errors="replace") if out.exists() else ""
                raise GuestError(f"no end after {timeout_s * PATIENCE:.0f} s: {command}\n{so_far[-2000:]}")
            time.sleep(0.05)
        outcome = Outcome(int(rc.read_text()), out.read_text(errors="replace"))
        for path in (script, out, rc):
            path.unlink()
        return outcome

    def check(self, command: str, timeout_s: float = 60.0) -> str:
        """Like :meth:`run`; raises GuestError if the command fails. What it printed."""
        outcome = self.run(command, timeout_s)
        if outcome.rc != 0:
            raise GuestError(f"{command}: exit status {outcome.rc}\n{outcome.out[-4000:]}")
        return outcome.out

    def wait_for(self, command: str, timeout_s: float) -> float:
        """Until the command succeeds in the guest; seconds it took (the guest's clock runs as the host's)."""
        begin = time.monotonic()
        loop = f"until {{ {command}; }} >/dev/null 2>&1; do sleep 1; done"
        limit_s = timeout_s * PATIENCE
        if self.run(f"timeout {limit_s:.0f} bash -c {shlex.quote(loop)}", timeout_s + 30).rc != 0:
            raise GuestError(f"not within {limit_s:.0f} s: {command}")
        return time.monotonic() - begin

    # -- the world around it

    def hand_in(self, file: Path) -> Path:
        """Put a file where the guest sees it, as ``/host/NAME``; its path out here."""
        return Path(shutil.copy(file, self.host))

    @property
    def monitor(self) -> Monitor:
        """QEMU's own control."""
        assert self._monitor is not None, "the board is off"
        return self._monitor

    def screenshot(self, path: Path) -> Path:
        """What the screen shows, as a PNG."""
        self.monitor.do("screendump", filename=str(path), format="png")
        return path

    def plug_network(self, port: int) -> int:
        """Plug in a network card, and let this machine reach a port of the guest; the port out here.

        The guest reaches nothing: a network that only lets in.
        """
        with socket.create_server(("127.0.0.1", 0)) as probe:
            outside = int(probe.getsockname()[1])
        forward = f"tcp:127.0.0.1:{outside}-10.0.2.15:{port}"
        self.monitor.human(f"netdev_add user,id=net0,restrict=on,hostfwd={forward}")
        self.monitor.do("device_add", driver="virtio-net-pci", netdev="net0", id="card0")
        self.wait_for("ls /sys/class/net | grep -v ^lo", 20)
        self.check(
            "card=$(ls /sys/class/net | grep -v ^lo | head -1); ip link set $card up"
            " && ip addr add 10.0.2.15/24 dev $card && ip route add default via 10.0.2.2"
        )
        return outside

    def plug_in(self, *options: str) -> None:
        """Plug in the USB webcam."""
        self.pull_out()
        command = [sys.executable, str(WEBCAM), str(self.folder / "cam.sock"), *options]
        with (self.folder / "webcam.log").open("ab") as log:
            self._webcam = subprocess.Popen(nice(*command), stdout=log, stderr=log)

    def pull_out(self) -> None:
        """Pull the USB webcam's plug."""
        if self._webcam is not None:
            self._webcam.send_signal(signal.SIGKILL)
            self._webcam.wait(10)
            self._webcam = None

    def heat(self, temp_c: int) -> None:
        """Set the thermal zone: the temperature stands in CMOS byte 0x70 (guest/thermal_zone.asl)."""
        write = (
            "import os; p = os.open('/dev/port', os.O_RDWR); os.pwrite(p, b'\\x70', 0x70); "
            f"os.pwrite(p, bytes([{int(temp_c)}]), 0x71)"
        )
        self.check(f"python3 -c {shlex.quote(write)}")
