"""Where several cameras' pictures stand on one canvas."""

from __future__ import annotations

from edgecam.overlay.scene import View

# Between tiles: this share of the canvas's shorter side
GAP_SHARE, GAP_MIN_PX = 1 / 240, 2
# On a wide screen pictures stand side by side if they keep this share of the size that they could have
SIDE_BY_SIDE = 0.9


def tiles(count: int, picture_wh: tuple[int, int], canvas_wh: tuple[int, int]) -> list[View]:
    """``count`` cells of one size, in reading order, so that pictures of this shape get about as large as
    they can.

    The last row may be shorter; it is centred. Pictures of other shapes are letterboxed into their cell by
    :meth:`edgecam.overlay.scene.View.letterbox`.
    """
    width, height = canvas_wh
    gap = max(GAP_MIN_PX, round(min(width, height) * GAP_SHARE)) if count > 1 else 0
    sizes = {}
    for number in range(1, count + 1):
        w, h = _cell(number, count, canvas_wh, gap)
        sizes[number] = min(w / picture_wh[0], h / picture_wh[1])
    enough = max(sizes.values()) * (SIDE_BY_SIDE if width > height else 1.0)
    fitting = [number for number, size in sizes.items() if size >= enough]
    columns = max(fitting) if width > height else min(fitting)
    w, h = _cell(columns, count, canvas_wh, gap)
    views = []
    for i in range(count):
        row, column = divmod(i, columns)
        in_row = min(columns, count - row * columns)
        left = (width - in_row * w - (in_row - 1) * gap) // 2
        views.append(View(left + column * (w + gap), row * (h + gap), w, h))
    return views


def _cell(columns: int, count: int, canvas_wh: tuple[int, int], gap: int) -> tuple[int, int]:
    rows = -(-count // columns)
    w = (canvas_wh[0] - gap * (columns - 1)) // columns
    h = (canvas_wh[1] - gap * (rows - 1)) // rows
    return max(1, w), max(1, h)
