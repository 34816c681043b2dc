"""The runs view: the journal and this session's work in one list, newest first, and the chosen one below."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.widgets import Static

from sparkconsole.fleet.journal.journal_list import RunList
from sparkconsole.model.work.job import RunState
from sparkconsole.model.work.run_line import RunLine
from sparkconsole.tui.draw.columns import TableRow
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.views.runs import show
from sparkconsole.tui.views.runs.run_page import RUN_KEYS, RunActions, RunView
from sparkconsole.tui.widgets.grid import SheetTable
from sparkconsole.tui.widgets.panel import Panel
from sparkconsole.tui.widgets.styled_text import StyledText

FIRST, MORE = 300, 2000
"""Runs that are read at first, and more at a time when they are asked for."""
AGAIN_S = 5.0
"""Other consoles write to the journal too."""


class RunsView(RunActions):
    """Reads the journal in a thread, as far as it is looked at."""

    NAME = "runs"
    AUTO_FOCUS = "#runs"
    KEYS = (
        Key("runs.show", "enter", "open", "Open its page: steps, commands, output, result.", display="⏎"),
        Key("runs.mark", "space", "mark", "Mark the run, or not any more."),
        Key("runs.compare", "c", "compare", "Show what differs between the two marked runs."),
        *RUN_KEYS,
    )
    DEFAULT_CSS = """
    RunsView #runs, RunsView #run StyledText { height: 1fr; }
    RunsView #unreadable { height: auto; max-height: 3; padding: 0 1; color: $node-warn; display: none; }
    RunsView #run { height: 7; }
    RunsView.-tall #run { height: 12; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._list: RunList | None = None
        self._kept: tuple[RunLine, ...] = ()
        self._most, self._read_at = FIRST, -AGAIN_S
        self._reading, self._known = False, False
        self._lines: dict[str, RunLine] = {}
        self._rows: dict[str, tuple[RunLine, Any, TableRow]] = {}
        self._filter = ""
        self._ended = 0

    def compose_body(self) -> ComposeResult:
        """The list, what could not be read, the chosen run."""
        yield SheetTable(show.COLUMNS, id="runs", marking=True, empty="reading the journal …")
        yield Static(id="unreadable", markup=False)
        yield Panel(StyledText(), id="run")

    @property
    def table(self) -> SheetTable:
        """A row per run."""
        return self.query_one("#runs", SheetTable)

    @property
    def line(self) -> RunLine | None:
        """The run under the cursor."""
        return self._lines.get(self.table.cursor_key or "")

    # --- reading

    def sample(self) -> None:
        """Reads again now and then, and when work of ours ended; draws what changed."""
        ended = sum(not t.running for t in self.tasks)
        late = self.console.clock.monotonic() - self._read_at >= AGAIN_S
        if (late or ended != self._ended) and not self._reading:
            self._ended = ended
            self._read()
        running = [(t.version, int(t.elapsed_s)) for t in self.tasks if t.running]
        kept = (self._kept, self._known, self._list.unreadable if self._list else ())
        day = self.console.local_time().date()
        if self.is_new(*kept, len(self.tasks), ended, running, day, tuple(self.console.store.nodes)):
            self._draw()

    def _read(self) -> None:
        session = self.console.session
        if session is None:
            return
        self._list = self._list or RunList(session.journal)
        self._reading, self._read_at = True, self.console.clock.monotonic()
        self._look(self._list)

    @work(group="kept", exclusive=True, exit_on_error=False)
    async def _look(self, runs: RunList) -> None:
        """The disk is slow, and ten thousand files are many: the console goes on meanwhile."""
        try:
            self._kept = await asyncio.to_thread(runs.look, self._most)
        finally:
            self._reading, self._known = False, True
        self.sample()
        if self._filter:
            self._read_more()

    def _read_more(self) -> None:
        """Older ones, when the list ends and the journal does not."""
        if self._list is not None and self._most < self._list.total and not self._reading:
            self._most += MORE
            self._read()

    # --- drawing

    def _draw(self) -> None:
        now = self.console.local_time()
        lines = show.merged(self._kept, self.tasks, now)
        self._lines = {line.id: line for line in lines}
        empty = "no runs yet: what changes the cluster is written down here"
        self.table.empty = empty if self._known else "reading the journal …"
        self.table.show([self._row(line, now) for line in lines])
        torn = self._list.unreadable if self._list else ()
        note = self.query_one("#unreadable", Static)
        note.display = bool(torn)
        more = f" and {len(torn) - 1} more" if len(torn) > 1 else ""
        note.update(f"! could not be read, and was left alone: {torn[0]}{more}" if torn else "")
        self._draw_run()

    def _row(self, line: RunLine, now: datetime) -> TableRow:
        """What has ended looks the same until the day or the cluster is another one."""
        names = tuple(self.console.store.nodes)
        of = (now.date(), names)
        known = self._rows.get(line.id)
        if known is not None and known[0] == line and known[1] == of and line.state is not RunState.RUNNING:
            return known[2]
        made = show.row(line, now, names)
        self._rows[line.id] = (line, of, made)
        return made

    def _draw_run(self) -> None:
        panel = self.query_one("#run", Panel)
        line = self.line  # the list says where there is none
        panel.head(*(show.heading(line, self.console.local_time()) if line else ("runs",)))
        panel.query_one(StyledText).show(show.brief(line, max(20, panel.size.width)) if line else ())

    def on_resize(self) -> None:
        """Other folds."""
        self._drawn = ()

    def on_sheet_table_row_highlighted(self, event: SheetTable.RowHighlighted) -> None:
        """Below is the run under the cursor; at the end of the list older ones are read."""
        self._draw_run()
        if event.key is not None and self.table.keys[-1:] == (event.key,):
            self._read_more()

    def on_sheet_table_row_opened(self, event: SheetTable.RowOpened) -> None:
        """`enter`"""
        self.action_runs_show()

    def apply_filter(self, text: str) -> None:
        """Runs that have the text, in all of the journal."""
        self._filter = text
        self.table.filter(text)
        if text:
            self._read_more()

    def peel(self) -> bool:
        """Esc takes the marks off, then the filter."""
        if self.table.unmark():
            return True
        had, self._filter = bool(self._filter), ""
        self.table.filter("")
        return had

    # --- keys

    def idle(self, key_id: str) -> str:
        """Every key of its own is about runs."""
        if self.line is None and any(key.id == key_id for key in self.KEYS):
            return "there is no run here"
        return super().idle(key_id)

    def chosen_runs(self) -> tuple[str, ...]:
        """Those that the journal has."""
        return tuple(name for name in self.table.selected if not name.startswith("task-"))

    def chosen_task(self) -> Task | None:
        """The work under the cursor, when it is of this session."""
        key = self.table.cursor_key or ""
        return next((t for n, t in enumerate(self.tasks) if (t.run_id or f"task-{n}") == key), None)

    def action_runs_show(self) -> None:
        """`enter`"""
        if not self.is_idle("runs.show") and self.line is not None and self._list is not None:
            self.app.push_screen(RunView(self.line.id, self._list, self.chosen_task()))

    def action_runs_mark(self) -> None:
        """`space`"""
        if not self.is_idle("runs.mark"):
            self.table.action_mark()

    def action_runs_compare(self) -> None:
        """`c`: the older one first."""
        marked = [self._lines[name] for name in self.table.marked if not name.startswith("task-")]
        if len(marked) != 2:
            self.notify("mark two runs with space, then c compares them", timeout=4)
            return
        first, second = sorted(marked, key=lambda line: line.started)
        self.console.say(("runs", "compare", first.id, second.id))
