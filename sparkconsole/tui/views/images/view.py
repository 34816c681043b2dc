"""The images view: which image is on which node, building one, copying it to the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus

from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.model.image.history import undated
from sparkconsole.model.work.job import JobKind
from sparkconsole.tui.draw.preview import CommandPreview, preview_lines
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.views.form_view import NEXT_FIELD, FormView
from sparkconsole.tui.views.images import show
from sparkconsole.tui.views.images import show_work as image_work
from sparkconsole.tui.views.images.panes import BuildPane, CopyPane, ImageWorkPane
from sparkconsole.tui.widgets.grid import SheetTable
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.styled_text import StyledText, frame_title
from sparkconsole.verbs.grammar.dispatch import understand

SETTLED_S = 0.5
"""What is typed has to stand so long before the nodes are asked for a plan."""


class ImagesView(FormView):
    """Matrix on top, below it what to build and where to copy, at the bottom what that would run."""

    NAME = "images"
    AUTO_FOCUS = "#matrix"
    KEYS = (
        Key("images.details", "enter", "details", "Show the image's layers, labels and places.", display="⏎"),
        Key("images.difference", "d", "differs", "Show where the image differs between nodes."),
        Key("image.build", "B", "build…", changes=True),
        Key("image.copy", "C", "copy…", changes=True),
        Key("image.prune", "P", "prune…", changes=True),
        Key("runs.stop", "X", "stop…", "Stop the running build or copy.", changes=True),
        Key("image.rollback", "K", "roll back…", changes=True),
        NEXT_FIELD,
        Key("images.copy-command", "y", "copy cmd", "Copy the command shown below.", act="copy_command"),
        Key("images.form", "e", "form", "Show the form, or the work that it started."),
        Key("images.all", "a", "all", "Select every node to copy to, or none.", shown=False),
    )
    DEFAULT_CSS = """
    ImagesView #images { height: 1fr; min-height: 6; padding: 0; }
    ImagesView #images StyledText { height: auto; max-height: 2; padding: 0 1; }
    ImagesView SheetTable { scrollbar-gutter: stable; }
    ImagesView #work { height: 11; }
    ImagesView.-tall #work { height: 50%; }
    ImagesView #build, ImagesView.-copying #copy { width: 3fr; }
    ImagesView #copy, ImagesView.-copying #build { width: 2fr; }
    ImagesView.-both #build, ImagesView.-both #copy { width: 1fr; }
    ImagesView.-narrow.-copying #build { Form { grid-size: 1; } FormLine.-long { column-span: 1; } }
    ImagesView .progress { display: none; height: auto; max-height: 6; }
    ImagesView ImageWorkPane LogView { display: none; height: 1fr; }
    ImagesView .-working .progress, ImagesView .-working LogView { display: block; }
    ImagesView .-working Form, ImagesView .-working Targets { display: none; }
    ImagesView #preview { height: 3; padding: 0 1; }
    ImagesView.-tall #preview { height: 6; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, show.ImageRow] = {}
        self._kind = JobKind.BUILD
        self._planned = CommandPreview()

    # --- parts

    def compose_body(self) -> ComposeResult:
        """See the class."""
        with Vertical(id="images", classes="pane") as panel:
            panel.border_title = "images"
            yield SheetTable(show.columns((), 76), id="matrix")
            yield StyledText(id="status")
        with Horizontal(id="work"):
            yield BuildPane(id="build", classes="pane")
            yield CopyPane(id="copy", classes="pane")
        yield StyledText(id="preview")

    @property
    def matrix(self) -> SheetTable:
        """Image by node."""
        return self.query_one("#matrix", SheetTable)

    @property
    def build(self) -> BuildPane:
        """The left pane."""
        return self.query_one(BuildPane)

    @property
    def copy_to(self) -> CopyPane:
        """The right pane."""
        return self.query_one(CopyPane)

    @property
    def row(self) -> show.ImageRow | None:
        """The image under the cursor."""
        return self._rows.get(self.matrix.cursor_key or "")

    @property
    def sender(self) -> str:
        """Where a copy comes from."""
        text = str(self.copy_to.form.values.get("from_") or "")
        return text or next((n.name for n in self.node_states if n.head), "")

    def _copy_words(self) -> tuple[str, ...]:
        return self.copy_to.words(self.row.name if self.row else "")

    # --- drawing

    def sample(self) -> None:
        """Draws what changed."""
        if not self.query(CopyPane):
            return
        self._follow()
        if self.is_new(*self._seen()):
            self._draw_matrix()
            self._draw_panes()
            self._draw_preview()

    def _follow(self) -> None:
        """The newest build and the newest copy; one that ended gives way to a new other one."""
        for pane, other in ((self.build, self.copy_to), (self.copy_to, self.build)):
            if pane.follow(pane.newest(self.tasks)) and other.over:
                other.turn()

    def _seen(self) -> tuple[Any, ...]:
        tasks = [p.shown for p in (self.build, self.copy_to) if p.shown]
        return (
            self.console.store.version,
            *((t.version, int(t.elapsed_s) if t.running else 0, t.state) for t in tasks),
            int(self.console.clock.monotonic() // 60),
            self.size,
            self.matrix.size,
            *(pane.size for pane in self.query(".pane, .progress")),
            self.matrix.cursor_key,
            self._kind,
            self._planned,
            self.copy_to.targets.chosen,
            tuple(self.build.form.values.items()),
            tuple(self.copy_to.form.values.items()),
            self.asking,
            self.build.showing,
            self.copy_to.showing,
        )

    def sample_logs(self) -> None:
        """New lines of output."""
        for pane in self.query(ImageWorkPane):
            if pane.showing:
                pane.query_one(LogView).sample()

    def _draw_matrix(self) -> None:
        nodes = self.node_states
        names, width = tuple(n.name for n in nodes), self.matrix.size.width - 2
        columns = show.columns(names, max(width, 30))
        self.matrix.lay_columns(columns)
        rows = show.image_rows(nodes, self.cluster.image)
        self._rows = {row.tag: row for row in rows}
        headings, wide = show.heads(names, max(width, 30)), columns[4].width or 0
        self.matrix.empty = show.matrix_state(nodes)
        self.matrix.show(show.table_row(row, headings, wide, self.console.clock.now()) for row in rows)
        lost = show.lost_line(nodes)
        advice = not self.console.options.read_only
        lines = [show.legend(self.row, advice=advice)] if self.row else []
        self.query_one("#status", StyledText).show([*lines, *([lost] if lost else [])])

    def _draw_panes(self) -> None:
        row, nodes = self.row, self.node_states
        pane = self.copy_to
        pane.targets.offer(row.tag if row else "", image_work.targets(row, nodes, self.sender))
        self.build.form.hint("tag", self.cluster.image)
        self.build.form.offer("on", [n.name for n in nodes])
        pane.form.offer("from_", [n.name for n in nodes])
        amount = image_work.copy_amount(row, pane.targets.chosen)
        title = f"copy {row.name} · {amount}" if row and not pane.showing else "copy"
        pane.border_title = frame_title(title)
        self.set_class(pane.showing and not self.build.showing, "-copying")
        self.set_class(pane.showing and self.build.showing, "-both")
        for each in (self.build, pane):
            each.sample()

    def commands(self) -> CommandPreview:
        """What B, or where a copy is being filled in C, would run; or what runs."""
        pane = self.copy_to if self._kind is JobKind.COPY else self.build
        if pane.showing and pane.shown and pane.shown.plan:
            return image_work.plan_preview(pane.shown.words, pane.shown.plan)
        if self._kind is JobKind.COPY:
            words = self._copy_words()
            return self._planned if self._planned.words == words else CommandPreview(words)
        words = self.build.form.words()
        given = understand(words).kwargs
        return image_work.build_commands(words, given, self.cluster.image, self.console.clock.now())

    def _draw_preview(self) -> None:
        pane = self.query_one("#preview", StyledText)
        width, height = max(20, self.size.width - 2), 6 if self.has_class("-tall") else 3
        preview = self.preview()
        asking = [Text("asking the nodes for the plan …", "$muted")] if self.asking else None
        pane.show(asking or preview_lines(preview, width, height))
        copying = self._kind is JobKind.COPY and not self.copy_to.showing
        if copying and preview.words and preview.words != self._planned.words:
            self.settle(SETTLED_S, self._plan_copy)

    @work(group="plan", exclusive=True, exit_on_error=False)
    async def _plan_copy(self) -> None:
        """The exact commands of a copy depend on what the nodes say."""
        try:
            words = self._copy_words()
            if self.console.work is None:
                return
            self._planned = image_work.plan_preview(words, await self.console.work.plan(words))
        except WrongUsage as error:
            self._planned = CommandPreview(words, wrong=f"{error.cause}: every chosen node has the image")
        except SparkError as error:
            self._planned = CommandPreview(words, wrong=f"{error.node} {error.cause} → {error.hint}")
        self.sample()

    # --- what the person does here

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The commands shown are those of the pane that is being filled in."""
        owner = next((p for p in event.widget.ancestors_with_self if isinstance(p, ImageWorkPane)), None)
        if owner is not None:
            self._kind = owner.KIND
            self.sample()

    def on_targets_changed(self) -> None:
        """The commands are those of a copy."""
        self._kind = JobKind.COPY
        self.sample()

    def on_sheet_table_row_highlighted(self, event: SheetTable.RowHighlighted) -> None:
        """The copy is of the image under the cursor."""
        if event.table is self.matrix:
            self.sample()

    def on_sheet_table_row_opened(self, event: SheetTable.RowOpened) -> None:
        """`enter`"""
        if event.table is self.matrix:
            self.action_images_details()

    def apply_filter(self, text: str) -> None:
        """Rows that have the text."""
        self.matrix.filter(text)
        self.sample()

    def peel(self) -> bool:
        """Esc leaves a form, then what ended, then the filter."""
        if self.focused is not None and self.focused is not self.matrix:
            self.matrix.focus()
            return True
        ended = [p for p in (self.build, self.copy_to) if p.over]
        for pane in ended:
            pane.turn()
        self.sample()
        return bool(ended)

    # --- keys

    def idle(self, key_id: str) -> str:
        """Most keys are about the image under the cursor."""
        if key_id in ("images.details", "images.difference") and self.row is None:
            return "no image yet"
        if key_id == "images.form" and not (self.build.shown or self.copy_to.shown):
            return "nothing was started in this console yet"
        if key_id == "images.all" and self.copy_to.showing:
            return "a copy is shown; e shows the form"
        if key_id == "runs.stop" and not self._under_way():
            return "no build or copy is running in this console"
        return super().idle(key_id)

    def _under_way(self) -> list[Task]:
        """Builds and copies under way, that of the focused pane last."""
        panes = sorted((self.build, self.copy_to), key=lambda pane: pane.has_focus_within)
        return [pane.shown for pane in panes if pane.shown and pane.shown.running]

    def action_images_details(self) -> None:
        """`enter`"""
        if not self.is_idle("images.details") and self.row is not None:
            words = ("image", "list", self.row.tag)
            self.console.show_answer(words, show.details(self.row, self.console.clock.now()))

    def action_images_difference(self) -> None:
        """`d`"""
        if not self.is_idle("images.difference") and self.row is not None:
            self.console.show_answer((self.row.tag, "by", "node"), show.differences(self.row))

    def action_images_form(self) -> None:
        """`e`"""
        if self.is_idle("images.form"):
            return
        panes = [p for p in (self.build, self.copy_to) if p.shown]
        focused = [p for p in panes if p.has_focus_within]
        for pane in focused or panes:
            pane.turn()
        self.sample()

    def action_images_all(self) -> None:
        """`a`"""
        if not self.is_idle("images.all"):
            self.copy_to.targets.turn_all()

    def action_image_build(self) -> None:
        """`B`"""
        self._kind = JobKind.BUILD
        self._say(self.build.form.words)

    def action_image_copy(self) -> None:
        """`C`"""
        self._kind = JobKind.COPY
        self._say(self._copy_words)

    def action_image_prune(self) -> None:
        """`P`; a dated build is pruned with its name's others. No row: the cluster's image."""
        name, _ = undated(self.row.tag if self.row else self.cluster.image)
        self.say(("image", "prune", name.removesuffix(":latest")))

    def action_image_rollback(self) -> None:
        """`K`, from a dated build's row to that build."""
        if self.row is None:
            self.warn("there is no image to roll back yet")
            return
        name, date = undated(self.row.tag)
        self.say(("image", "rollback", name.removesuffix(":latest"), *(("--to", date) if date else ())))

    def _say(self, words: Callable[[], tuple[str, ...]]) -> None:
        try:
            self.say(words())
        except WrongUsage as error:
            self.warn(error.cause)

    def action_runs_stop(self) -> None:
        """`X`"""
        if self.is_idle("runs.stop"):
            return
        task = self._under_way()[-1]
        if task.run is not None and task.run.jobs:
            self.say(("runs", "stop", task.run_id))
        elif self.console.work is not None:
            self.console.work.cancel(task)
