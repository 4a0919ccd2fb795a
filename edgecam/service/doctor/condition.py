"""Supply, heat, disk, clock and the service: what changes from day to day."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from edgecam.core.types import PowerReading
from edgecam.core.units import power_text
from edgecam.host.sysfs import listing, read_number, read_text
from edgecam.service.doctor.core import SPEED_BYTES, Around, Line
from edgecam.service.units import SYSTEM_UNITS
from edgecam.telemetry.health import firmware_limit_c, open_health_meter
from edgecam.telemetry.meters.choose import find_meters

_SUPPLY = (
    "use the board's own supply (Pi 4: 5.1 V 3 A, Pi 5: 5.1 V 5 A) and a short cable; unplug USB devices"
)
#: Where nothing tells, boards slow down at about this.
_USUAL_LIMIT_C = 85.0
#: A 720p clip is about 0.5 MB/s; a card below this many MB/s stalls when it reorganises itself.
_SLOW_MB_S, _TOO_SLOW_MB_S = 8.0, 2.0
#: Rewrites of the whole card before it dies: the low end for cards without endurance rating.
_CARD_REWRITES = 300
#: This software did not exist before; an earlier clock was never set.
_EARLIEST = 1_767_225_600  # 2026-01-01T00:00:00Z


def check_power(around: Around) -> Iterator[Line]:
    """Which meter, what it says, and what the firmware thinks of the supply."""
    found = find_meters(around.root, run=around.run)
    # meters of mean power have read their counters once by now; this is their interval
    time.sleep(around.interval_s)
    reading: PowerReading | None = None
    for meter in found.meters:
        reading = meter.read()
        if reading is not None:
            break
    if reading is None:
        yield Line(
            "power and heat", "power", "warn", "no meter, and no load to estimate from", "see `edgecam power`"
        )
    else:
        calibrate = "`edgecam power calibrate` with a wall meter makes it ±10 %"
        fixable = found.hint if found.hint and "calibrate" not in found.hint else ""
        uncalibrated = reading.kind == "estimated" and (reading.error or 0) > 0.1
        status = power_text(reading) + (f" — {calibrate}" if uncalibrated and not fixable else "")
        yield Line("power and heat", "power", "warn" if fixable else "ok", status, fixable)
    health = open_health_meter(around.root, around.run).read()
    now, boot = health.throttled_now, health.throttled_since_boot
    weak = "under-voltage"
    if now:
        fix = _SUPPLY if weak in now else "cool it: a heat sink or a fan; or --max-temp"
        yield Line("power and heat", "throttling", "bad", f"now: {', '.join(now)}", fix)
    elif boot:
        fix = _SUPPLY if weak in boot else "it was too hot once: a heat sink or a fan; or a lower --max-temp"
        yield Line("power and heat", "throttling", "warn", f"since boot: {', '.join(boot)}", fix)
    else:
        yield Line("power and heat", "throttling", "ok", "none reported since boot")
    yield from _temperature(around, health.temperature_c)


def _temperature(around: Around, temperature_c: float | None) -> Iterator[Line]:
    if temperature_c is None:
        yield Line("power and heat", "temperature", "ok", "the board does not tell")
        return
    limit_c = firmware_limit_c(around.root) or _USUAL_LIMIT_C
    detail = f"{temperature_c:.0f} °C (it slows down at {limit_c:.0f} °C)"
    fix = "a heat sink or a fan, or air around the box"
    status = "bad" if temperature_c >= limit_c - 1 else "warn" if temperature_c >= limit_c - 8 else "ok"
    if status == "ok":
        yield Line("power and heat", "temperature", "ok", detail)
    else:
        yield Line("power and heat", "temperature", "bad" if status == "bad" else "warn", detail, fix)


def check_disk(around: Around) -> Iterator[Line]:
    """Space and speed where clips go, and how long the card will bear it."""
    folder = around.folder
    try:
        disk = around.disk_space(folder)
    except OSError as error:
        yield Line(
            "disk", "space", "bad", f"{folder}: {error.strerror}", "give a folder that exists: --folder DIR"
        )
        return
    hours = disk.free / 0.5e6 / 3600
    space = f"{disk.free / 1e9:.1f} GB free of {disk.size / 1e9:.0f} GB at {folder}"
    detail = f"{space}: about {hours:.0f} h of 720p clips"
    fix = "set keep_bytes, keep_days or keep_free, or delete clips (edgecam clips)"
    status = "bad" if disk.free < 300e6 else "warn" if disk.free_share < 0.1 or disk.free < 1e9 else "ok"
    if status == "ok":
        yield Line("disk", "space", "ok", detail)
    else:
        yield Line("disk", "space", "bad" if status == "bad" else "warn", detail, fix)
    if disk.free > 4 * SPEED_BYTES:
        yield _speed(around)
    yield from _wear(around.root)


def _speed(around: Around) -> Line:
    try:
        rate = around.write_speed(around.folder)
    except OSError as error:
        fix = f"give {around.folder} to this user (sudo chown), or choose another folder for clips"
        return Line("disk", "writing", "bad", f"{around.folder}: {error.strerror}", fix)
    detail = f"{rate:.0f} MB/s in pieces of 1 MB"
    fix = "a card of class A1/A2 or an SSD; clips may have gaps on this one"
    if rate < _TOO_SLOW_MB_S:
        return Line("disk", "writing", "bad", detail, fix)
    return Line(
        "disk", "writing", "warn" if rate < _SLOW_MB_S else "ok", detail, fix if rate < _SLOW_MB_S else ""
    )


def _wear(root: Path) -> Iterator[Line]:
    uptime = (read_text(root / "proc/uptime") or "").split()
    uptime_s = float(uptime[0]) if uptime and uptime[0].replace(".", "", 1).isdigit() else 0.0
    for device in listing(root / "sys/block", "mmcblk[0-9]*"):
        if "boot" in device.name or "rpmb" in device.name:
            continue
        used = _emmc_used(device)
        if used is not None:
            detail = f"{device.name}: {used * 10 - 10} to {used * 10} % of its life used"
            fix = "keep clips elsewhere (an SSD), and plan to replace it"
            status = "bad" if used >= 10 else "warn" if used >= 8 else "ok"
            if status == "ok":
                yield Line("disk", "wear", "ok", detail)
            else:
                yield Line("disk", "wear", "bad" if status == "bad" else "warn", detail, fix)
        elif uptime_s > 3600:
            yield from _card_life(device, uptime_s)


def _emmc_used(device: Path) -> int | None:
    """The worse of an eMMC's two life estimates: 1 is up to 10 % used, 11 past its rated life (JEDEC)."""
    values = []
    for word in (read_text(device / "device/life_time") or "").split():
        try:
            values.append(int(word, 16))
        except ValueError:
            continue
    known = [v for v in values if 1 <= v <= 11]
    return max(known) if known else None


def _card_life(device: Path, uptime_s: float) -> Iterator[Line]:
    fields = (read_text(device / "stat") or "").split()
    size = read_number(device / "size")
    if len(fields) < 7 or not fields[6].isdigit() or not size:
        return
    # field 7 is sectors written, of 512 bytes (kernel: block/stat.rst), as is size
    per_day = int(fields[6]) * 512 / uptime_s * 86400
    years = size * 512 * _CARD_REWRITES / per_day / 365 if per_day > 0 else 999.0
    life = "over 20 years" if years > 20 else f"about {years:.1f} years"
    detail = f"{device.name}: {per_day / 1e9:.1f} GB a day since boot; at {_CARD_REWRITES} rewrites {life}"
    if years < 2:
        yield Line(
            "disk", "wear", "warn", detail, "record on events only (--record-on), or keep clips on an SSD"
        )
    else:
        yield Line("disk", "wear", "ok", detail)


def check_clock(around: Around, wall_s: float | None = None) -> Iterator[Line]:
    """Clips are named by the clock; edgecam itself does not need it to be right."""
    now = time.time() if wall_s is None else wall_s
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    synced = (around.root / "run/systemd/timesync/synchronized").exists()
    if not synced:
        answer = around.run(("timedatectl", "show", "--property=NTPSynchronized", "--value"), 1.0)
        synced = (answer or "").strip() == "yes"
    has_rtc = bool(listing(around.root / "sys/class/rtc", "rtc*"))
    if now < _EARLIEST:
        fix = "sudo timedatectl set-ntp true with a network, or add a battery-backed clock (RTC)"
        yield Line("clock", "clock", "bad", f"{shown}: never set", fix)
    elif synced:
        yield Line("clock", "clock", "ok", f"{shown}, set by the network")
    elif has_rtc:
        yield Line("clock", "clock", "ok", f"{shown}, from the board's own clock")
    else:
        fix = "no battery clock, no time from the network, so clips' names may be wrong: "
        fix += "sudo timedatectl set-ntp true"
        yield Line("clock", "clock", "warn", shown, fix)


def check_service(around: Around) -> Iterator[Line]:
    """Whether it is installed as a service, and how that is."""
    folder = around.root / "etc/systemd/system"
    # the Debian package's units lie elsewhere; enabling one puts a link here
    names = [f"{name}.service" for name in SYSTEM_UNITS]
    found = [name for name in names if (folder / name).exists() or any(folder.glob(f"*.wants/{name}"))]
    installed = [name.removesuffix(".service") for name in found]
    again = around.installation.as_root
    if not installed:
        how = f"not installed ({again('service install --kiosk')} or --headless)"
        yield Line("service", "service", "ok", how)
        return
    for name in installed:
        if not around.live:
            yield Line("service", name, "ok", "installed; systemd does not run here")
            continue
        properties = "--property=ActiveState,SubState,Result,NRestarts,StatusText"
        printed = around.run(("systemctl", "show", f"{name}.service", properties), 5.0)
        if not printed:
            yield Line(
                "service", name, "warn", "systemd does not answer", f"look with systemctl status {name}"
            )
            continue
        values = dict(line.partition("=")[::2] for line in printed.splitlines())
        state = values.get("ActiveState", "unknown")
        restarts = values.get("NRestarts", "0")
        detail = f"{state} ({values.get('SubState', '?')}), {restarts} restarts"
        if values.get("StatusText"):
            detail += f"; says: {values['StatusText']}"
        logs = "edgecam service logs says why"
        if state == "failed":
            yield Line("service", name, "bad", f"{detail} [{values.get('Result', '?')}]", logs)
        elif state != "active" or restarts not in ("0", ""):
            fix = logs if state == "active" else again("service restart")
            yield Line("service", name, "warn", detail, fix)
        else:
            yield Line("service", name, "ok", detail)
