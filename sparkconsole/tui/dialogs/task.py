"""One piece of work: its steps, how far they are, and its output; `X` ends what it left running."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from sparkconsole.model.text.redact import presentable
from sparkconsole.model.text.units import hms
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.news import advance_text
from sparkconsole.tui.dialogs.dialog import CLOSE, COPY, Dialog
from sparkconsole.tui.draw.plan import MARKS
from sparkconsole.tui.draw.sheet import sheet_lines
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.widgets.log_view import LogView


class TaskScreen(Dialog[None]):
    """Drawn twice a second while it is open."""

    BINDINGS = [Binding("X", "stop", "stop", id="runs.stop")]  # noqa: RUF012
    OFFERS = (
        replace(CLOSE, label="close, it keeps running"),
        Key("runs.stop", "X", "stop", changes=True),
        replace(COPY, label="copy output"),
    )

    SIZE, BEGINS_AT = "-full-dialog", "LogView"

    def __init__(self, task: Task) -> None:
        super().__init__(" ".join(task.words))
        self.shown, self._seen = task, -1

    def compose_body(self) -> ComposeResult:
        """Steps above, output below."""
        with VerticalScroll(classes="task-steps"):
            yield Static(id="task-steps", markup=False)
        yield LogView(self.shown.output)

    def begin(self) -> None:
        """And again while it is open."""
        self.sample()
        self.set_interval(0.5, self.sample)

    def offers(self) -> tuple[Key, ...]:
        """Nothing goes on or can be stopped once it has ended."""
        return self.OFFERS if self.shown.running else (CLOSE, self.OFFERS[-1])

    def sample(self) -> None:
        """Draws what changed."""
        if self.shown.running or self._seen != self.shown.version:
            self._seen = self.shown.version
            self.query_one("#task-steps", Static).update(task_text(self.shown))
            self.offer()
        self.query_one(LogView).sample()

    def action_stop(self) -> None:
        """Asks to end what runs; a stream is just let go of."""
        work = self.console.work
        if work is None or not self.shown.running:
            self.notify("this task has ended", timeout=3)
            return
        if self.shown.run is not None and self.shown.run.jobs:
            self.console.say(("runs", "stop", self.shown.run_id))
        else:
            work.cancel(self.shown)

    def text(self) -> str:
        """The output."""
        return self.query_one(LogView).all_text()


def task_text(task: Task) -> Text:
    """State, steps with their marks, and what is advancing."""
    state = task.state.value
    text = Text(f"{MARKS.get(state, '▶')} {state} {hms(task.elapsed_s)}\n", style="bold")
    for step in task.plan.steps if task.plan else ():
        mark = MARKS[task.steps.get(step.id, "")]
        text.append(f"{mark} {presentable(step.node)}  {presentable(step.sentence)}\n")
    for news in task.current().values():
        text.append(f"  {presentable(news.node)} {presentable(news.what)}: {advance_text(news)}\n")
    if task.error is not None:
        text.append(f"✖ {presentable(str(task.error))}\n")
    for part in task.answer.parts if task.answer else ():
        text.append("\n".join(sheet_lines(part) if isinstance(part, Sheet) else [presentable(part)]) + "\n")
    return text
