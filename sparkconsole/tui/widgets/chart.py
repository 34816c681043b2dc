"""Charts in a frame: series over time with the newest value in the title, and distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.strip import Strip

from sparkconsole.model.text.units import axis_number, known
from sparkconsole.tui.draw.charts.plot import COLOURS, Series, histogram, plot, quantile
from sparkconsole.tui.widgets.panel import Panel
from sparkconsole.tui.widgets.strips import strip

Draw = Callable[[int, int], list[Text]]


class _Drawing(Panel):
    """A panel whose inside is drawn line by line, and only when something else is to be seen."""

    def __init__(self, title: str, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(title=title, id=id, classes=classes)
        self.title = title
        self._data: object = None
        self._lines: list[Text] = []
        self._strips: dict[int, Strip] = {}

    def drawn(self, width: int, height: int) -> list[Text]:
        """The inside."""
        return []

    def take(self, data: object, note: Text | str) -> None:
        """Draws again when the data are others."""
        if data != self._data:
            self._data = data
            self._again()
        self.head(self.title, note)

    def on_resize(self) -> None:
        """Drawn for another size."""
        super().on_resize()
        self._again()

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._strips.clear()

    def _again(self) -> None:
        self._lines = self.drawn(self.size.width, self.size.height) if self.size else []
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the inside."""
        found = self._strips.get(y)
        if found is None:
            line = self._lines[y] if y < len(self._lines) else ""
            found = self._strips[y] = strip([line], self.visual_style, self.size.width)
        return found


class Chart(_Drawing):
    """One to four series as lines of dots; unknown values are gaps.

    `low`, `high` fix the scale. `span`: how many values the width stands for; None: all there are.
    `fill`: the area under the first series. `names`: one for each series, when there are several.
    """

    DEFAULT_CSS = "Chart { height: 8; }"

    def __init__(
        self,
        title: str,
        *,
        unit: str = "",
        names: Sequence[str] = (),
        low: float | None = None,
        high: float | None = None,
        span: int | None = None,
        fill: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(title, id=id, classes=classes)
        self.unit, self.names = unit, tuple(names)
        self._low, self._high, self._span, self._fill = low, high, span, fill
        self._every: tuple[tuple[float | None, ...], ...] = ()

    def show(self, *every: Series, note: str | None = None) -> None:
        """These series from now on; `note` instead of the newest values."""
        # What is no number equals nothing, itself neither: it would be drawn for ever.
        self._every = tuple(tuple(known(v) for v in series) for series in every)
        self.take(self._every, self._newest() if note is None else note)

    def drawn(self, width: int, height: int) -> list[Text]:
        """See `plot`."""
        return plot(
            self._every, width, height, low=self._low, high=self._high, span=self._span, fill=self._fill
        )

    def _newest(self) -> Text:
        """`now 39.8 tok/s`, or each name with its value in the colour of its line."""
        text = Text()
        for index, series in enumerate(self._every[: len(COLOURS)]):
            name = self.names[index] if index < len(self.names) else ""
            value = axis_number(series[-1] if series else None)
            text.append("  " if text else "")
            text.append(f"{name} {value}".strip() if name else f"now {value}", COLOURS[index] if name else "")
        return text.append(f" {self.unit}") if self.unit and text else text


class Histogram(_Drawing):
    """How values lie; the median and the 99th percentile stand in the title and are marked below."""

    DEFAULT_CSS = "Histogram { height: 5; }"

    def __init__(
        self,
        title: str,
        *,
        style: str = "$chart-1",
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(title, id=id, classes=classes)
        self._style = style
        self._values: tuple[float, ...] = ()

    def show(self, values: Series) -> None:
        """These values from now on; unknown ones are left out."""
        self._values = tuple(v for v in map(known, values) if v is not None)
        middle, late = (axis_number(quantile(self._values, share)) for share in (0.5, 0.99))
        self.take(self._values, f"p50 {middle} p99 {late}" if self._values else "nothing measured")

    def drawn(self, width: int, height: int) -> list[Text]:
        """See `histogram`."""
        return histogram(self._values, width, height, style=self._style)
