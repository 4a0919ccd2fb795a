"""The layer table of ``edgecam models describe``."""

from __future__ import annotations

from typing import Any

from edgecam.core.errors import ConfigError
from edgecam.nn.hub.describe import Description, describe
from edgecam.nn.hub.describe_ssd import describe_ssd
from edgecam.nn.hub.published import published
from edgecam.nn.networks.ssd import SSDConfig
from edgecam.nn.networks.ssdlite320 import NAME as SSDLITE
from edgecam.nn.networks.ssdlite320 import ssdlite320_config


def show(console: Any, name: str, *, width: float, resolution: int | None, num_classes: int) -> None:
    """Print the table of ``name`` to a rich console. Raises :class:`ConfigError` for impossible arguments."""
    if name == SSDLITE:
        show_ssd(console, name, ssdlite320_config(), width, resolution)
        return
    if resolution is not None and not 32 <= resolution <= 2048:
        raise ConfigError(f"--resolution {resolution} is not between 32 and 2048 pixels")
    found = describe(name, width=width, resolution=resolution, num_classes=num_classes)
    title = f"{found.architecture} ({found.paper}), width {found.width:g}, {found.resolution} px"
    table = _table(title, "layer", "operator", "s", "output", "parameters", "M mult-adds", "standard", "tap")
    for layer in found.layers:
        saved = f"{layer.standard_macs / layer.macs:.1f}x" if layer.standard_macs > layer.macs else ""
        channels, height, wide = layer.output
        shape = f"{channels} x {height} x {wide}" if (height, wide) != (1, 1) else str(channels)
        cost = f"{layer.macs / 1e6:.2f}" if layer.macs else ""
        params = f"{layer.parameters:,}" if layer.parameters else ""
        table.add_row(layer.name, layer.kind, str(layer.stride), shape, params, cost, saved, layer.tap or "")
    table.add_section()
    table.add_row(
        "sum", "", "", "", f"{found.parameters:,}", f"{found.macs / 1e6:.2f}", _times(found), "", style="bold"
    )
    console.print(table)
    console.print(comparison(found), soft_wrap=True)


def show_ssd(console: Any, name: str, config: SSDConfig, width: float, resolution: int | None) -> None:
    """Print the parts of a detector, which exists in one width and resolution only."""
    if width != 1.0 or resolution not in (None, config.resolution):
        raise ConfigError(
            f"{name} is published at width 1 and {config.resolution} px only; leave the options out"
        )
    parts = describe_ssd(config)
    title = f"{name} ({config.backbone}), {config.resolution} px, {len(config.labels)} outputs per anchor"
    table = _table(title, "layer", "operator", "output", "parameters", "M mult-adds")
    for part in parts:
        shape = " x ".join(map(str, part.output))
        table.add_row(part.name, part.kind, shape, f"{part.parameters:,}", f"{part.macs / 1e6:.2f}")
    table.add_section()
    params, macs = sum(p.parameters for p in parts), sum(p.macs for p in parts)
    table.add_row("sum", "", "", f"{params:,}", f"{macs / 1e6:.2f}", style="bold")
    console.print(table)


def _table(title: str, *columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in ("s", "output", "parameters", "M mult-adds", "standard")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    return table


def _times(found: Description) -> str:
    return f"{found.standard_macs / found.macs:.1f}x"


def comparison(found: Description) -> str:
    """Two or three lines that compare with standard convolutions and with the published figures."""
    built, standard = found.separable_share
    lines = [
        f"With standard convolutions: {found.standard_macs / 1e6:,.0f} M multiply-adds ({_times(found)}) and "
        f"{found.standard_parameters / 1e6:.1f} M parameters "
        f"({found.standard_parameters / found.parameters:.1f}x).",
        f"The separable layers alone: {built / 1e6:,.0f} M instead of {standard / 1e6:,.0f} M"
        f" ({standard / max(built, 1):.1f}x).",
    ]
    line = published(found.architecture, found.width, found.resolution)
    if line is not None and found.num_classes == 1000:
        unit = "M" if line.unit == 1e6 else "x 2^30"
        agrees = "agrees" if line.agrees(found.macs) else "DIFFERS"
        lines.append(f"Published: {line.macs:g} {unit} multiply-adds ({line.source}): {agrees}.")
    return "\n".join(lines)
