"""Draws answers, plans and news on a terminal or as JSON. Standard output has the answer and nothing else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from sparkconsole.errors import Cancelled, SparkError
from sparkconsole.model.text.printable import plain
from sparkconsole.model.text.redact import command_line, learn_environment, presentable, redact_data
from sparkconsole.model.work.answer import Answer, Row, Sheet, header_and_rows, is_in_columns
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.model.work.news import (
    Advance,
    News,
    Output,
    PlanShown,
    Remark,
    StepBegan,
    StepEnded,
    advance_text,
)
from sparkconsole.model.work.plan import Plan, plan_lines
from sparkconsole.script.lines import ScriptLine
from sparkconsole.streams import Undelivered, delivering, errors_stream

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MARKS = {"info": ("·", "dim"), "warning": ("!", "yellow"), "error": ("✖", "red"), "done": ("✔", "green"),
          "started": ("▶", "cyan"), "sent": ("▶", "cyan")}  # fmt: skip


_GOES_ON = {
    RunState.UNKNOWN: "; what was not seen to end may still run",
    RunState.RUNNING: "; its jobs go on",
}
_LONGEST = 4000
"""Characters of an error that are shown: a wrong file may be one word of a megabyte."""


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


class Printer:
    """One per program run; `as_json` sends data to standard output and people's text to standard error."""

    def __init__(self, *, as_json: bool = False, verbose: bool = True) -> None:
        self.as_json, self.verbose = as_json, verbose
        learn_environment(os.environ)
        self._out = _console(sys.stdout, soft_wrap=True)
        # On a terminal a sentence breaks between words; in a file or a pipe every sentence stays one line.
        self._watched = sys.stderr.isatty()
        self._err = _console(errors_stream(), soft_wrap=not self._watched)
        self._bars: Progress | None = None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._printed: dict[tuple[str, str], int] = {}

    # --- answers: standard output

    def answer(self, answer: Answer) -> None:
        """The whole answer."""
        self.settle()
        if self.as_json:
            self._json(answer.data)
            return
        with delivering():
            for part in answer.parts:
                if isinstance(part, Sheet):
                    self._sheet(part)
                else:
                    self._out.print(Text(self._encodable(part)))

    def row(self, row: Row) -> None:
        """One item of a stream; what a command printed goes where the command printed it."""
        if self.as_json:
            self._json(row.data)
        elif row.data.get("stream") == "stderr":
            target = errors_stream()
            target.write(row.text)
            target.flush()
        else:
            with delivering():
                if row.data.get("stream") == "stdout":
                    sys.stdout.write(row.text)
                elif row.text:
                    self._out.print(Text(self._encodable(row.text)))

    def plan(self, plan: Plan) -> None:
        """What would be done: per step the node, the sentence and the exact command."""
        if self.as_json:
            self._json({"plan": plan.as_data()})
            return
        with delivering():
            self._out.print(Text(presentable("\n".join(plan_lines(plan)))))

    def _sheet(self, sheet: Sheet) -> None:
        """Into a file or a pipe one row a line; a terminal is not left to fold words."""
        width = self._out.width if sys.stdout.isatty() else None
        shown = Sheet(
            tuple(map(self._encodable, sheet.columns)),
            tuple(tuple(map(self._encodable, row)) for row in sheet.rows),
            whole=tuple(map(self._encodable, sheet.whole)),
        )
        if sheet.title:
            self._out.print(Text(self._encodable(sheet.title), style="italic"))
        for number, line in enumerate(header_and_rows(shown, width)):
            self._out.print(Text(line, style="bold" if not number and is_in_columns(shown, width) else ""))

    def _encodable(self, text: str) -> str:
        """What standard output has signs for, replaced before anything is aligned."""
        return plain(presentable(text), sys.stdout.encoding or "utf-8")

    def ahead(
        self, line: ScriptLine, *, plan: Plan | None = None, answer: Answer | None = None, look: str = ""
    ) -> None:
        """A line of a script that is only planned: its plan, its answer, or what it would look at."""
        if self.as_json:
            data = {"plan": plan.as_data()} if plan else {"answer": answer.data} if answer else {"look": look}
            self._json({**_place(line), **data})
            return
        with delivering():
            self._out.print(Text(self._encodable(f"[{line.number}] {command_line(line.words)}")))
            if plan is not None:
                self.plan(plan)
            elif answer is not None:
                self.answer(answer)
            else:
                self._out.print(Text(self._encodable(f"  {look}")))

    def cancelled(self, state: RunState, run: Run | None) -> None:
        """Of what a signal cancelled the last object says how it stands; people have been told by then."""
        hint = f"sparkconsole runs attach {run.id}, or runs stop {run.id}" if run and state.open else ""
        why = Cancelled(f"cancelled{_GOES_ON.get(state, '')}", hint=hint)
        if self.as_json:
            with suppress(OSError, Undelivered):
                self._json({"state": state, "error": why.as_data()})

    def error(self, error: SparkError, line: ScriptLine | None = None) -> None:
        """What went wrong, where, and what to do next; `line`: of a script, which cannot be planned."""
        self.settle()
        if self.as_json and not isinstance(error, Undelivered):
            try:
                ended = {"state": "cancelled"} if error.exit_code == Cancelled.exit_code else {}
                self._json({**(_place(line) if line else {}), **ended, "error": error.as_data()})
            except (OSError, Undelivered):
                self.as_json = False
        where = (f"{line.where}: " if line else "") + (f"{error.node}: " if error.node else "")
        self._err.print(Text.assemble(("✖ ", "red"), _bounded(presentable(where + error.cause))))
        if error.hint:
            self._err.print(Text("  → " + _bounded(presentable(error.hint))))

    def remark(self, text: str) -> None:
        """A sentence of our own on standard error."""
        self._err.print(Text(presentable(text)))

    # --- news: standard error

    def news(self, news: News) -> None:
        """Work under way; never raises."""
        match news:
            case PlanShown(plan):
                self.remark(plan.title)
            case StepBegan(node, sentence) if self.verbose:
                self._line("info", node, sentence)
            case StepEnded(outcome):
                level = {"failed": "error", "unknown": "warning"}.get(outcome.word, outcome.word)
                why = f"unknown: {outcome.detail}" if outcome.unseen else outcome.detail
                detail = "" if level == "done" else f": {outcome.word if outcome.ok else why}"
                self._line(level, outcome.step.node, outcome.step.sentence + detail)
            case Output(node, line, quiet) if not quiet:
                self._line("info", node, line)
            case Remark(text, node, level):
                self._line(level, node, text)
            case Advance() if self._watched:
                self._bar(news)
            case Advance():
                self._tenth(news)

    def settle(self) -> None:
        """Takes the progress bars away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars, self._tasks = None, {}

    def _line(self, level: str, node: str, text: str) -> None:
        mark, style = _MARKS.get(level, _MARKS["info"])
        console = self._bars.console if self._bars else self._err
        console.print(Text.assemble((mark + " ", style), (f"{node} " if node else ""), presentable(text)))

    def _bar(self, news: Advance) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        if self._bars is None:
            what, detail = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[detail]}")
            columns = (what, BarColumn(), detail, TimeElapsedColumn())
            self._bars = Progress(*columns, console=self._err, transient=True)
            self._bars.start()
        key = (news.node, news.what)
        if key not in self._tasks:
            title = f"{news.node} {news.what}".strip()
            self._tasks[key] = self._bars.add_task(title, total=news.total, detail="")
        self._bars.update(self._tasks[key], completed=news.done, total=news.total, detail=advance_text(news))

    def _tenth(self, news: Advance) -> None:
        """Without a terminal a line per tenth is enough for a log."""
        key = (news.node, news.what)
        tenth = int(10 * news.done / news.total) if news.total else -1
        if self._printed.get(key) != tenth:
            self._printed[key] = tenth
            self._line("info", news.node, f"{news.what}: {advance_text(news)}")

    def _json(self, data: Mapping[str, Any]) -> None:
        data = redact_data(data)
        text = json.dumps(data, ensure_ascii=False, default=str)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            text = json.dumps(data, default=str)
        with delivering():
            sys.stdout.write(text + "\n")


def _console(file: IO[str], *, soft_wrap: bool) -> Console:
    return Console(file=file, markup=False, highlight=False, emoji=False, soft_wrap=soft_wrap)


def _place(line: ScriptLine) -> dict[str, Any]:
    return {"line": line.number, "words": list(line.words)}
