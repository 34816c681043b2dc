"""Drawing with braille dots: two columns and four rows of dots in each cell, each cell in one colour."""

from __future__ import annotations

from rich.text import Text

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_EMPTY = 0x2800


class Dots:
    """A field of `width` by `height` cells; dots are counted from the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self.across, self.down = self.width * 2, self.height * 4
        self._cells = [[0] * self.width for _ in range(self.height)]
        self._styles = [[""] * self.width for _ in range(self.height)]

    def dot(self, x: int, y: int, style: str = "") -> None:
        """One dot; outside nothing happens. The cell takes the colour of its newest dot."""
        if 0 <= x < self.across and 0 <= y < self.down:
            self._cells[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
            self._styles[y // 4][x // 2] = style

    def column(self, x: int, one: int, other: int, style: str = "") -> None:
        """All dots between two heights."""
        low, high = sorted((one, other))
        for y in range(max(0, low), min(self.down - 1, high) + 1):
            self.dot(x, y, style)

    def line(self, x0: int, y0: int, x1: int, y1: int, style: str = "") -> None:
        """From one dot to another that stands at or right of it, without a hole."""
        steps, before = max(1, x1 - x0), y0
        for step in range(steps + 1 if x1 > x0 else 1):
            y = y0 + round((y1 - y0) * step / steps) if x1 > x0 else y1
            # Each column reaches halfway to its neighbour's height, so steep lines stay whole and thin.
            self.column(x0 + step, y, before + (y > before) - (y < before) if step else y, style)
            before = y
        if x1 == x0:
            self.column(x0, y0, y1, style)

    def rows(self) -> list[Text]:
        """The field as lines of text; a cell without dots is a blank."""
        return [self._row(cells, styles) for cells, styles in zip(self._cells, self._styles, strict=True)]

    def _row(self, cells: list[int], styles: list[str]) -> Text:
        line = Text(no_wrap=True, end="")
        run, style = "", ""
        for bits, named in zip(cells, styles, strict=True):
            mine = named if bits else style
            if mine != style and run:
                line.append(run, style)
                run = ""
            style = mine
            run += chr(_EMPTY + bits) if bits else " "
        return line.append(run, style) if run else line
