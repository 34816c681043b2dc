"""The page of one run: how it stands, its plan with the exact commands, its output, its result. And what can
be done with runs, here and in their list."""

from __future__ import annotations

import asyncio
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from sparkconsole.errors import SparkError
from sparkconsole.fleet.journal.journal_list import RunList
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, paragraphs
from sparkconsole.model.logs.line import log_line
from sparkconsole.model.text.redact import presentable
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.run_line import RunLine, run_line
from sparkconsole.parse.diagnose.explain import explain
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task, job_ends
from sparkconsole.tui.view import View
from sparkconsole.tui.views.runs import show
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.panel import Panel
from sparkconsole.tui.widgets.styled_text import StyledText

GONE = "This run cannot be read.  esc goes back."


RUN_KEYS = (
    Key("runs.export", "y", "script", "Copy a script that does it again."),
    Key("runs.stop", "X", "stop…", changes=True),
    Key("runs.again", "E", "again…", changes=True),
    Key("runs.attach", "a", "attach"),
)


class RunActions(View):
    """A view that says which runs are meant."""

    def chosen_runs(self) -> tuple[str, ...]:
        """Ids in the journal: the marked ones, else the one under the cursor."""
        return ()

    def chosen_task(self) -> Task | None:
        """The work of this session under the cursor."""
        return None

    def _one(self) -> str:
        """The run that is meant; empty, and said, when there is none or more than one."""
        found = self.chosen_runs()
        if len(found) == 1:
            return found[0]
        self.notify("that works with one run at a time" if found else "there is no run here", timeout=4)
        return ""

    def action_runs_stop(self) -> None:
        """`X`: a stream, and what leaves nothing running, is just let go of."""
        task = self.chosen_task()
        leaves_jobs = task and task.run and task.run.jobs
        if task is not None and task.running and not leaves_jobs and self.console.work is not None:
            self.console.work.cancel(task)
        elif name := self._one():
            self.console.say(("runs", "stop", name))

    def action_runs_again(self) -> None:
        """`E`"""
        if name := self._one():
            self.console.say(("runs", "again", name))

    def action_runs_attach(self) -> None:
        """`a`"""
        if name := self._one():
            self.console.say(("runs", "attach", name))

    def action_runs_export(self) -> None:
        """`y`"""
        if names := self.chosen_runs():
            self._copy_script(names)
        else:
            self.notify("there is no run here", timeout=4)

    @work(group="export", exclusive=True, exit_on_error=False)
    async def _copy_script(self, names: tuple[str, ...]) -> None:
        if self.console.work is None:
            return
        try:
            answer = await self.console.work.answer(("runs", "export", *names))
        except SparkError as error:
            self.warn(f"{error.cause} — {error.hint}")
            return
        count = len(answer.data["runs"])
        self.to_clipboard(str(answer.data["script"]), f"a script of {count} run{'s' * (count != 1)}")


class RunView(RunActions):
    """Pushed above the list; `esc` goes back there. Work of this session is shown as it goes on."""

    NAME = "run"
    TAB = "runs"
    AUTO_FOCUS = "#result"
    KEYS = (
        *RUN_KEYS,
        Key("run.whole", "e", "in full", "Show scripts in full and how steps are taken back, or shortly."),
        Key("run.output", "o", "output", "Give the output the room, or the plan.", shown=False),
    )
    DEFAULT_CSS = """
    RunView #plan VerticalScroll { height: 1fr; scrollbar-size: 0 1; }
    RunView #output { height: 1fr; padding: 0; }
    RunView.-short #output { height: 8; }
    RunView #plan, RunView.-output #output { height: 1fr; }
    RunView.-output #plan { height: 5; }
    RunView StyledText { height: auto; }
    """

    def __init__(self, name: str = "", runs: RunList | None = None, task: Task | None = None) -> None:
        super().__init__()
        self._run_id, self._runs, self._own_task = name, runs, task
        self._run: Run | None = None
        self._read = self._whole = False
        self._ring: LineRing[Any] = task.output if task else LineRing()
        self._lines: list[str] = []
        self._found: tuple[Diagnosis, ...] = ()

    def compose_body(self) -> ComposeResult:
        """Plan and result above, output below."""
        with Panel(id="plan"), VerticalScroll(id="result", can_focus=True):
            yield StyledText()
        with Panel(id="output", title="output"):
            yield LogView(self._ring)

    def crumb(self) -> str:
        """` › run 52d9`"""
        return f" › run {presentable(self._run_id).rpartition('-')[2]}"

    def sample(self) -> None:
        """Draws what changed."""
        task = self._own_task
        if not self._read:
            self._read = True
            self._look()
        ticking = (task.version, int(task.elapsed_s)) if task else ()
        sizes = self.size, self.query_one("#plan").size
        if self.is_new(ticking, self._run, len(self._lines), self._whole, *sizes):
            self._draw()
        if task is not None and not task.running and self._run is not None and not run_line(self._run).over:
            self._look()

    def sample_logs(self) -> None:
        """New lines of output."""
        self.query_one(LogView).sample()

    @work(group="kept", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        """What the journal keeps of it."""
        if self._runs is None:
            return
        self._run = await asyncio.to_thread(self._runs.run, self._run_id)
        if self._own_task is None:
            self._lines = await asyncio.to_thread(self._runs.output, self._run_id)
            found = await asyncio.to_thread(explain, self._lines)
            known = (one for one in found if one.kind is not LineKind.UNKNOWN)
            session = self.console.session
            self._found = tuple(one.named(session.fleet.named) if session else one for one in known)
            for line in self._lines:
                self._ring.append(log_line(line))
        self.refresh_now()

    @property
    def _line(self) -> RunLine | None:
        kept = (run_line(self._run),) if self._run else ()
        tasks = (self._own_task,) if self._own_task else ()
        return next(iter(show.merged(kept, tasks, self.console.local_time())), None)

    def _draw(self) -> None:
        panel, line = self.query_one("#plan", Panel), self._line
        pane = panel.query_one(StyledText)
        if line is None:
            panel.head("run")
            pane.show([Text(GONE if self._read and self._runs else "", "$muted")])
            return
        panel.head(*show.heading(line, self.console.local_time()))
        task, run = self._own_task, self._run
        plan = (task and task.plan) or (show.plan_of(run) if run else Plan(""))
        marks = task.steps if task else show.marks_of(plan, self._lines)
        marks = job_ends(marks, done=line.state is RunState.DONE)
        parts = task.answer.parts if task and task.answer else ()
        outcome = run.outcome if run else {}
        width = max(20, panel.size.width - 2)
        why = tuple(paragraphs(self._found)) if line.state is RunState.FAILED and self._found else ()
        pane.show(show.page(line, plan, marks, outcome, parts, why, width, whole=self._whole))
        self.query_one("#output", Panel).head("output", "" if len(self._ring) else "nothing was printed")

    # --- keys

    def chosen_runs(self) -> tuple[str, ...]:
        """This one."""
        return (self._run_id,) if self._run_id and not self._run_id.startswith("task-") else ()

    def chosen_task(self) -> Task | None:
        """Its work in this session."""
        return self._own_task

    def action_run_whole(self) -> None:
        """`e`"""
        pane = self.query_one("#plan", Panel).query_one(StyledText)
        before = pane.lines
        self._whole = not self._whole
        self.sample()
        if pane.lines == before:
            self.notify("there is nothing more to show", timeout=3)

    def action_run_output(self) -> None:
        """`o`"""
        self.toggle_class("-output")
