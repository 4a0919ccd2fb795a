"""What stands along the picture's edges: rates, age, model, watts, heat, whole-frame classes, notices."""

from __future__ import annotations

from msgspec.structs import replace

from edgecam.core.types import BoardHealth, Classification, Latency, PowerReading, Result, Stats
from edgecam.core.units import estimate_sign, power_text
from edgecam.overlay.chips import Run, lay_chip, pad_x
from edgecam.overlay.font import cap_height, elided, text_width, writable
from edgecam.overlay.scene import Chip, Panel, Rgba, Text, View
from edgecam.overlay.style import Theme

# Raspberry Pi firmware slows down step by step from here (its documentation, "Frequency management")
HOT_C = 80.0
# The HUD may take this share of the picture's height; what does not fit is left out, least wanted first
HUD_SHARE = 0.34
CLASSES_SHOWN = 3


def rate_text(rate: float) -> str:
    """``24.6``, ``142``; a dash before there is a rate."""
    if rate <= 0.0:
        return "–"
    return f"{rate:.1f}" if rate < 99.95 else f"{rate:.0f}"


def short_power_text(power: PowerReading) -> str:
    """``5.4 W``, or ``≈ 6 W`` where it is an estimate."""
    return f"{estimate_sign(power.kind)}{power.power_w:.{1 if power.kind == 'measured' else 0}f} W"


def energy_text(energy_mj: float) -> str:
    """``247 mJ``, ``2.5 J``."""
    return f"{energy_mj:.0f} mJ" if energy_mj < 999.5 else f"{energy_mj / 1000:.1f} J"


def hud_chips(
    result: Result | None, stats: Stats, theme: Theme, size_px: int, limit_px: int, whose: str = ""
) -> list[Chip]:
    """The chips of the top bar, most wanted first, each at (0, 0). whose: whose rates they are."""
    lines = [
        [*([Run(whose, theme.text, bold=True)] if whose else []), *_rates(stats, theme)],
        _age(result, stats, theme),
        _power(stats, theme),
        _health(stats.health, theme),
    ]
    lines.append(_picture(result, stats, theme))
    chips = (lay_chip(tuple(line), size_px, theme.panel, limit_px) for line in lines if line)
    return [chip for chip in chips if chip is not None]


def simple_chips(
    name: str, clock: str, stats: Stats, theme: Theme, size_px: int, limit_px: int
) -> list[Chip]:
    """The chips for a passer-by: which camera, the time, one rate, the watts; and alarms."""
    first = [Run(name, theme.text, bold=True)] if name else []
    first += [Run(clock, theme.caption if name else theme.text, bold=not name, gap=0.7)] if clock else []
    second = []
    if stats.inference_fps > 0.0:
        second = [
            Run(rate_text(stats.inference_fps), theme.text, bold=True),
            Run("per second", theme.caption),
        ]
    third = [Run(short_power_text(stats.power), theme.text, bold=True)] if stats.power is not None else []
    fourth: list[Run] = []
    if stats.health.throttled_now or (stats.health.temperature_c or 0.0) >= HOT_C:
        fourth = _health(stats.health, theme)
    lines = [first, [*second, *(replace(run, gap=0.9) for run in third)] if second else third, fourth]
    chips = (lay_chip(tuple(line), size_px, theme.panel, limit_px) for line in lines if line)
    return [chip for chip in chips if chip is not None]


def flow(chips: list[Chip], view: View, margin: int, gap: int) -> list[Chip]:
    """Places chips in rows from the view's top left corner; leaves out what would pass the HUD's share."""
    x, y = view.x + margin, view.y + margin
    right, bottom = view.x + view.w - margin, view.y + max(margin, int(view.h * HUD_SHARE))
    placed: list[Chip] = []
    for chip in chips:
        if x > view.x + margin and x + chip.w > right:
            x, y = view.x + margin, y + chip.h + gap
        if y + chip.h > bottom or x + chip.w > right:
            break
        placed.append(chip.at(x, y))
        x += chip.w + gap
    return placed


def _rates(stats: Stats, theme: Theme) -> list[Run]:
    runs: list[Run] = []
    for name, rate in (
        ("capture", stats.capture_fps),
        ("inference", stats.inference_fps),
        ("display", stats.display_fps),
    ):
        if name == "display" and rate <= 0.0:  # nobody watches: a clip, a run without a window
            continue
        runs += [Run(name, theme.caption, gap=0.9), Run(rate_text(rate), theme.text, bold=True)]
    return [*runs, Run("fps", theme.caption)]


def tile_chip(
    title: str, stats: Stats, theme: Theme, size_px: int, limit_px: int, simple: bool = False
) -> Chip | None:
    """A camera's name at (0, 0); unless ``simple``, as much of its rates and age as there is room for."""
    name = Run(title, theme.text, bold=True)
    if simple:
        return lay_chip((name,), size_px, theme.panel, limit_px)
    rates = _rates(stats, theme) if stats.capture_fps or stats.inference_fps else []
    latency = stats.display_age or stats.frame_age
    age = [] if latency is None else _latency("frame age", latency, theme)
    for runs in ([name, *rates, *age], [name, *rates]):
        whole = lay_chip(tuple(runs), size_px, theme.panel, 1 << 16)
        if whole is not None and whole.w <= limit_px:
            return whole
    return lay_chip((name,), size_px, theme.panel, limit_px)


def _latency(name: str, latency: Latency, theme: Theme) -> list[Run]:
    return [
        Run(name, theme.caption, gap=0.9),
        Run(f"{latency.p50_ms:.0f}", theme.text, bold=True),
        Run(f"p95 {latency.p95_ms:.0f} ms", theme.caption),
    ]


def _age(result: Result | None, stats: Stats, theme: Theme) -> list[Run]:
    if stats.display_age is not None:
        return _latency("frame age", stats.display_age, theme)
    if stats.frame_age is not None:
        return _latency("frame age", stats.frame_age, theme)
    if result is not None and result.completed_ns > result.frame.captured_ns:
        return [
            Run("frame age", theme.caption),
            Run(f"{result.frame_age_ms:.0f}", theme.text, bold=True),
            Run("ms", theme.caption),
        ]
    return []


def _power(stats: Stats, theme: Theme) -> list[Run]:
    if stats.power is None:
        return []
    watts, unit, rest = power_text(stats.power).partition(" W")
    runs = [Run(watts + unit, theme.text, bold=True), Run(rest.strip(), theme.caption)]
    if stats.mj_per_frame is not None:
        sign = estimate_sign(stats.power.kind)
        runs.append(Run(f"{sign}{energy_text(stats.mj_per_frame)}/frame", theme.caption, gap=0.7))
    return runs


def _health(health: BoardHealth, theme: Theme) -> list[Run]:
    runs: list[Run] = []
    if health.temperature_c is not None:
        hot = health.temperature_c >= HOT_C
        runs.append(Run(f"{health.temperature_c:.0f} °C", theme.alarm if hot else theme.text, bold=True))
    if health.throttled_now:
        runs.append(Run(", ".join(health.throttled_now), theme.alarm, bold=True, gap=0.7, dot=theme.alarm))
    elif health.throttled_since_boot:
        runs.append(Run("since boot: " + ", ".join(health.throttled_since_boot), theme.warning, gap=0.7))
    return runs


def _picture(result: Result | None, stats: Stats, theme: Theme) -> list[Run]:
    parts = [] if result is None else ["×".join(str(v) for v in result.frame.size_wh)]
    parts += [stats.model] if stats.model else []
    return [Run(" · ".join(parts), theme.caption)] if parts else []


def classes_panel(
    classes: tuple[Classification, ...], view: View, theme: Theme, size_px: int, margin: int, accent: Rgba
) -> Chip | None:
    """The whole frame's best classes with bars, at the view's bottom left; None where it has no room."""
    shown = classes[:CLASSES_SHOWN]
    pad, row = pad_x(size_px), round(size_px * 1.75)
    width = min(view.w - 2 * margin, round(size_px * 15))
    height = row * len(shown) + pad
    if not shown or width < size_px * 6 or height > view.h * HUD_SHARE:
        return None
    marks: list[Text | Panel] = []
    score_w = text_width("100 %", size_px, True)
    for i, item in enumerate(shown):
        baseline = pad / 2 + row * i + (row + cap_height(size_px)) / 2 - size_px * 0.16
        bar_y, bar_h = baseline + size_px * 0.32, max(2.0, round(size_px * 0.14))
        bar_w = width - 2 * pad
        marks.append(Panel(pad, bar_y, bar_w, bar_h, bar_h / 2, theme.track))
        marks.append(Panel(pad, bar_y, max(bar_h, bar_w * min(1.0, item.score)), bar_h, bar_h / 2, accent))
        name = elided(writable(item.label), size_px, i == 0, bar_w - score_w - size_px * 0.5)
        if name:
            marks.append(Text(pad, baseline, name, size_px, i == 0, theme.text if i == 0 else theme.caption))
        score = f"{item.score * 100:.0f} %"
        score_x = width - pad - text_width(score, size_px, i == 0)
        marks.append(Text(score_x, baseline, score, size_px, i == 0, theme.text if i == 0 else theme.caption))
    x, y = view.x + margin, view.y + view.h - margin - height
    return Chip(x, y, width, height, round(size_px * 0.4), theme.panel, tuple(marks))


def banner(text: str, view: View, theme: Theme, size_px: int, margin: int, middle: bool) -> Chip | None:
    """A notice: large in the middle of the view, or of usual size at its foot."""
    size_px = round(size_px * 1.35) if middle else size_px
    runs = (Run(text, theme.text, bold=True, dot=theme.warning),)
    chip = lay_chip(runs, size_px, theme.banner if middle else theme.panel, view.w - 2 * margin)
    if chip is None or chip.h + (0 if middle else 2 * margin) > view.h:
        return None
    y = (view.h - chip.h) // 2 if middle else view.h - margin - chip.h
    return chip.at(view.x + (view.w - chip.w) // 2, view.y + y)


def in_corner(chip: Chip | None, view: View, margin: int, right: bool, top: bool) -> Chip | None:
    """The chip in a corner of the view; None where it has no room."""
    if chip is None or chip.h + 2 * margin > view.h:
        return None
    x = view.x + view.w - margin - chip.w if right else view.x + margin
    y = view.y + margin if top else view.y + view.h - margin - chip.h
    return chip.at(x, y)
