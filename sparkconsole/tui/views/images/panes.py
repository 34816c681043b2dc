"""The two panes below the matrix: each a form, or what became of it while it is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.message import Message

from sparkconsole.errors import WrongUsage
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.image.build import RECIPES
from sparkconsole.model.text.units import hms
from sparkconsole.model.work.job import JobKind
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import error_lines, plain
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.views.form_view import WorkPane
from sparkconsole.tui.views.images import show_work as show
from sparkconsole.tui.widgets.form import Form
from sparkconsole.tui.widgets.grid import SheetTable
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.styled_text import StyledText
from sparkconsole.verbs.grammar.forms import words

FIELDS = (
    "recipe", "tag", "vllm_ref", "triton_ref", "build_jobs", "rebuild_deps", "rebuild_vllm", "on",
    "copy_to", "no_cache", "copy_parallel", "full_log", "least_free", "network", "build_arg",
)  # fmt: skip
LABELS = {
    "vllm_ref": "vLLM ref", "triton_ref": "triton", "build_jobs": "jobs", "rebuild_deps": "rebuild deps",
    "rebuild_vllm": "rebuild vLLM", "copy_to": "copy to", "copy_parallel": "in parallel",
    "no_cache": "no cache", "full_log": "full log", "least_free": "min free GB", "build_arg": "build args",
}  # fmt: skip
HINTS = {
    "on": "the head", "copy_to": "none", "network": "default", "least_free": "default",
    "build_arg": "KEY=VALUE …",
}  # fmt: skip
LONG = ("recipe", "tag", "vllm_ref", "build_arg")
"""Those of a build that get a whole line."""
COPY_FIELDS = ("from_", "parallel", "through_console")
COPY_LABELS = {"through_console": "through this computer"}


class ImageWorkPane(WorkPane):
    """A form, and how far the newest work of its kind is."""

    KIND: ClassVar[JobKind]

    @property
    def form(self) -> Form:
        """What is filled in."""
        return self.query_one(Form)

    def newest(self, tasks: Sequence[Task]) -> Task | None:
        """The last work of its kind."""
        return next((task for task in reversed(tasks) if kind_of(task) is self.KIND), None)

    def subtitle(self) -> str:
        """How the work stands, and which key does what."""
        task = self.shown
        if task is None:
            return ""
        text = f"{show.MARKS[task.state.value]} {task.state.value} {hms(task.elapsed_s)}"
        if not self.showing:
            return f"{text} · e shows it"
        return f"{text} · X stops it" if task.running else f"{text} · esc: the form"

    def progress(self, width: int) -> list[Text]:
        """The lines above the output."""
        return []

    def sample(self) -> None:
        """Draws how far it is."""
        self.border_subtitle = self.subtitle()
        if self.shown is None or not self.showing:
            return
        pane = self.query_one(".progress", StyledText)
        width = max(20, pane.size.width or self.size.width - 2)
        lines = self.progress(width)
        if self.shown.error is not None and not self.shown.running:
            lines = [*error_lines(self.shown.error, width), *lines]
        pane.show(lines or [Text("starting …", "$muted")])


class BuildPane(ImageWorkPane):
    """What is built, where, and how far it is."""

    KIND = JobKind.BUILD
    DEFAULT_CSS = """
    BuildPane Form { grid-size: 2; height: 1fr; grid-gutter: 0 1; scrollbar-size: 0 1; }
    BuildPane Form FormLine Label { width: 13; }
    BuildPane FormLine.-long { column-span: 2; }
    """

    def compose(self) -> ComposeResult:
        """The form, and the place of the work."""
        self.border_title = "build"
        choices = {"recipe": RECIPES, "copy_to": ("all",), "network": ("host",)}
        yield Form("image build", FIELDS, choices=choices, labels=LABELS, hints=HINTS, long=LONG)
        yield StyledText(classes="progress")
        yield LogView(LineRing())

    def progress(self, width: int) -> list[Text]:
        """Steps, and copies after the build."""
        task = self.shown
        assert task is not None  # noqa: S101 - sample looked
        copies = [line for line in _copies(task) if line.state or not task.running]
        return [*show.build_text(task.current(), width), *show.copy_text(copies, width)]


class CopyPane(ImageWorkPane):
    """Where an image is copied to, and how far each copy is."""

    KIND = JobKind.COPY
    DEFAULT_CSS = """
    CopyPane Form { grid-size: 2; height: 3; max-height: 3; grid-gutter: 0 1; }
    CopyPane Form FormLine Label { width: 9; }
    CopyPane FormLine.-long { column-span: 2; }
    CopyPane Form FormLine.-through_console Label { width: 22; }
    CopyPane .progress { height: 1fr; }
    CopyPane LogView { max-height: 30%; }
    """

    def compose(self) -> ComposeResult:
        """The receivers, how, and the place of the work."""
        self.border_title = "copy"
        yield Targets()
        hints = {"from_": "the head"}
        yield Form("image copy", COPY_FIELDS, labels=COPY_LABELS, hints=hints, long=COPY_FIELDS)
        yield StyledText(classes="progress")
        yield LogView(LineRing())

    @property
    def targets(self) -> Targets:
        """Who gets it."""
        return self.query_one(Targets)

    def words(self, tag: str) -> tuple[str, ...]:
        """What C says; WrongUsage when there is no image or no receiver."""
        chosen = self.targets.chosen
        if not tag:
            raise WrongUsage("there is no image to copy yet")
        if not chosen:
            raise WrongUsage("choose a node to copy to: space marks it")
        values: Mapping[str, Any] = {**self.form.values, "tag": tag, "to": chosen}
        return words("image copy", values)

    def progress(self, width: int) -> list[Text]:
        """A line per receiver."""
        task = self.shown
        return show.copy_text(_copies(task), width) if task else []


def _copies(task: Task) -> tuple[show.CopyLine, ...]:
    data: Mapping[str, Any] = task.answer.data if task.answer else {}
    results = data.get("copies", data).get("hosts", ())
    return show.copy_lines(task.plan, task.current(), task.news, results)


def kind_of(task: Task) -> JobKind | None:
    """Whether it builds or copies; an attachment does what the run does that it follows."""
    verbs = {"image build": JobKind.BUILD, "image copy": JobKind.COPY}
    kind = verbs.get(" ".join(task.words[:2]))
    if kind is JobKind.BUILD and "--no-build" in task.words:
        return JobKind.COPY
    if task.words[:2] == ("runs", "attach") and task.run:
        kinds = [job.kind for job in task.run.jobs]
        return next((k for k in verbs.values() if k in kinds), None)
    return kind


CHOOSE = (Key("targets.choose", "space,enter", "choose"),)


class Targets(SheetTable):
    """Nodes to choose from, each with a box; one that cannot be reached has none."""

    class Changed(Message):
        """Other nodes are chosen."""

    DEFAULT_CSS = "Targets { height: 1fr; }"

    def __init__(self) -> None:
        columns = (
            Column("pick", "", width=3),
            Column("node", "NODE", min=6, max=24),
            Column("status", "STATUS", min=6, grow=True),
        )
        super().__init__(columns, header=False, empty="no other node")
        self._offered: tuple[show.Target, ...] = ()
        self._chosen: set[str] = set()
        self._of = ""

    def offer(self, of: str, targets: Sequence[show.Target]) -> None:
        """These nodes, for that image; what was chosen for the same image stays chosen."""
        if of != self._of or not self._offered:
            self._of, self._chosen = of, {t.node for t in targets if t.wanted}
        self._offered = tuple(targets)
        self.show(self._line(t) for t in targets)

    @property
    def OFFERS(self) -> tuple[Key, ...]:  # noqa: N802 - as focus.py asks for it
        """Space and enter turn a box, where there is one."""
        return CHOOSE if self._offered else ()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The nodes that are chosen and can be reached."""
        return tuple(t.node for t in self._offered if t.open and t.node in self._chosen)

    def _line(self, target: show.Target) -> TableRow:
        box = ("[x]" if target.node in self._chosen else "[ ]") if target.open else " – "
        style = "" if target.open else "$node-lost" if target.mark == "✖" else "$muted"
        return TableRow(target.node, (box, plain(target.node), Text(f"{target.mark} {target.why}", style)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Space turns a box here."""
        return True if action == "mark" else super().check_action(action, parameters)

    def action_mark(self) -> None:
        """`space`"""
        self._turn(self.cursor_key)
        self.action_move(1)

    def action_open(self) -> None:
        """`enter`"""
        self._turn(self.cursor_key)

    def on_click(self, event: events.Click) -> None:
        """A click on a row turns it."""
        super().on_click(event)
        event.prevent_default()
        if event.chain == 1:
            self._turn(self.cursor_key)

    def turn_all(self) -> None:
        """All that can be reached; none when all are chosen."""
        every = {t.node for t in self._offered if t.open}
        self._chosen = set() if every <= self._chosen else every
        self._tell()

    def _turn(self, node: str | None) -> None:
        if node in {t.node for t in self._offered if t.open}:
            self._chosen ^= {str(node)}
            self._tell()

    def _tell(self) -> None:
        self.show(self._line(t) for t in self._offered)
        self.post_message(self.Changed())
