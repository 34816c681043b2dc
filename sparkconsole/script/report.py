"""Draws answers, plans and news on a terminal or as JSON. Standard output has the answer and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sparkconsole.errors import SparkError
from sparkconsole.model.answer import Answer, Row, Sheet
from sparkconsole.model.plan import Plan, plan_lines
from sparkconsole.model.progress import (
    Advance,
    News,
    Output,
    PlanShown,
    Remark,
    StepBegan,
    StepEnded,
    advance_text,
)
from sparkconsole.model.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MARKS = {"info": ("·", "dim"), "warning": ("!", "yellow"), "error": ("✖", "red"), "done": ("✔", "green")}


class Printer:
    """One per program run; `as_json` sends data to standard output and people's text to standard error."""

    def __init__(self, *, as_json: bool = False, verbose: bool = True) -> None:
        self.as_json, self.verbose = as_json, verbose
        self._out = Console(file=sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=True)
        # On a terminal a sentence breaks between words; in a file or a pipe every sentence stays one line.
        whole = not sys.stderr.isatty()
        self._err = Console(file=sys.stderr, markup=False, highlight=False, emoji=False, soft_wrap=whole)
        self._bars: Progress | None = None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._told: dict[tuple[str, str], int] = {}

    # --- answers: standard output

    def answer(self, answer: Answer) -> None:
        """The whole answer."""
        self.settle()
        if self.as_json:
            self._json(answer.data)
            return
        for part in answer.parts:
            self._out.print(sheet_table(part) if isinstance(part, Sheet) else Text(printable(part)))

    def row(self, row: Row) -> None:
        """One item of a stream; what a command printed goes where the command printed it."""
        if self.as_json:
            self._json(row.data)
        elif row.data.get("stream") in ("stdout", "stderr"):
            target = sys.stdout if row.data["stream"] == "stdout" else sys.stderr
            target.write(row.text)
            target.flush()
        elif row.text:
            self._out.print(Text(printable(row.text)))

    def plan(self, plan: Plan) -> None:
        """What would be done: per step the node, the sentence and the exact command."""
        if self.as_json:
            self._json({"plan": plan.as_data()})
            return
        for line in plan_lines(plan):
            self._out.print(Text(line))

    def error(self, error: SparkError) -> None:
        """What went wrong, where, and what to do next."""
        self.settle()
        if self.as_json:
            self._json({"error": error.as_data()})
        where = f"{error.node}: " if error.node else ""
        self._err.print(Text.assemble(("✖ ", "red"), printable(where + error.cause)))
        if error.hint:
            self._err.print(Text("  → " + printable(error.hint)))

    def remark(self, text: str) -> None:
        """A sentence of our own on standard error."""
        self._err.print(Text(printable(text)))

    # --- news: standard error

    def news(self, news: News) -> None:
        """Work under way; never raises."""
        match news:
            case PlanShown(plan):
                self.remark(plan.title)
            case StepBegan(node, sentence) if self.verbose:
                self._line("info", node, sentence)
            case StepEnded(outcome):
                level = "done" if outcome.ok else "error"
                detail = "" if outcome.ok else f": {outcome.detail}"
                self._line(level, outcome.step.node, outcome.step.sentence + detail)
            case Output(node, line, quiet) if not quiet:
                self._line("info", node, line)
            case Remark(text, node, level):
                self._line(level, node, text)
            case Advance():
                self._advance(news)

    def settle(self) -> None:
        """Takes the progress bars away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars, self._tasks = None, {}

    def _line(self, level: str, node: str, text: str) -> None:
        mark, style = _MARKS.get(level, _MARKS["info"])
        console = self._bars.console if self._bars else self._err
        console.print(Text.assemble((mark + " ", style), (f"{node} " if node else ""), printable(text)))

    def _advance(self, news: Advance) -> None:
        if self._err.is_terminal:
            self._bar(news)
        else:
            self._tenth(news)

    def _bar(self, news: Advance) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        if self._bars is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[detail]}"),
            )
            self._bars = Progress(*columns, TimeElapsedColumn(), console=self._err, transient=True)
            self._bars.start()
        key = (news.node, news.what)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(
                f"{news.node} {news.what}".strip(), total=news.total, detail=""
            )
        self._bars.update(self._tasks[key], completed=news.done, total=news.total, detail=advance_text(news))

    def _tenth(self, news: Advance) -> None:
        """Without a terminal a line per tenth is enough for a log."""
        key = (news.node, news.what)
        tenth = int(10 * news.done / news.total) if news.total else -1
        if self._told.get(key) != tenth:
            self._told[key] = tenth
            self._line("info", news.node, f"{news.what}: {advance_text(news)}")

    def _json(self, data: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(data, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()


def sheet_table(sheet: Sheet) -> Table:
    """A sheet as a rich table; cells are plain text."""
    table = Table(
        title=sheet.title or None, title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in sheet.columns:
        table.add_column(column, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
