"""The pages of the launch view: nodes, network, container, review, and the board while it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button

from sparkconsole.errors import SparkError
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.fleet.store import NodeState
from sparkconsole.model.fabric.rates import Rate
from sparkconsole.model.image.build import full_name
from sparkconsole.model.launch.spec import NCCL_LEVELS
from sparkconsole.model.text.units import hms
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.draw.columns import TableRow
from sparkconsole.tui.draw.fabric_result import network_note
from sparkconsole.tui.draw.frame import error_lines
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.findings import findings_of
from sparkconsole.tui.views.form_view import WorkPane
from sparkconsole.tui.views.images.show import image_rows, legend
from sparkconsole.tui.views.launch import show
from sparkconsole.tui.views.launch import show_checks as launch_checks
from sparkconsole.tui.views.launch import show_join as board
from sparkconsole.tui.widgets.form import Form
from sparkconsole.tui.widgets.grid import SheetTable
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.styled_text import StyledText, frame_title

BOARDED = (("launch",), ("node", "restart"))
NETWORK_FIELDS = ("eth_if", "ib_if", "nccl_debug", "gate")
CONTAINER_FIELDS = (
    "tag", "name", "env", "volume", "gpus", "ray_num_gpus", "ray_num_cpus", "ray_port", "dashboard_port",
    "master_port", "timeout",
)  # fmt: skip
LABELS = {
    "eth_if": "Ethernet", "ib_if": "RDMA", "nccl_debug": "NCCL log", "gate": "fabric gate",
    "ray_num_gpus": "Ray GPUs", "ray_num_cpus": "Ray CPUs", "ray_port": "Ray port",
    "dashboard_port": "dashboard", "master_port": "master port", "timeout": "timeout (s)",
}  # fmt: skip
HINTS = {
    "eth_if": "detected on each node",
    "ib_if": "detected on each node",
    "nccl_debug": "off",
    "env": "NAME=VALUE …, or NAME to pass yours",
    "volume": "/data:/data …; $HOME and ~ are expanded on the node",
    "ray_num_gpus": "detected",
    "ray_num_cpus": "all",
    "ray_port": "6379",
    "dashboard_port": "8265",
    "master_port": "29501",
}
LONG = ("tag", "env", "volume", "eth_if", "ib_if")


Looked = Mapping[str, Any] | SparkError | None
"""What `check` found, or why it found nothing; None: it has not answered."""


def fit(table: SheetTable, rows: Sequence[TableRow]) -> None:
    """Shows the rows, as high as they are; the CSS says how high at most."""
    table.show(rows)
    height = len(rows) + 2
    if table.styles.height is None or table.styles.height.value != height:
        table.styles.height = height


class NodesPage(Vertical):
    """Who takes part, in which order, and what joins them."""

    def compose(self) -> ComposeResult:
        """The nodes, the backend, and how other nodes are said."""
        self.border_title = "nodes · the first is the head"
        yield SheetTable(show.NODE_COLUMNS, empty="no nodes yet", id="launch-nodes")
        yield Form("launch", ("backend",), long=("backend",))
        yield StyledText(classes="note")

    def draw(self, nodes: Sequence[NodeState], found: Mapping[str, Mapping[str, Any]], backend: str) -> None:
        """As they stand now."""
        solo = backend == "solo" or (not backend and len(nodes) == 1)
        fit(self.query_one(SheetTable), show.node_rows(nodes, found, solo=solo))
        width = max(30, self.size.width - 2)
        self.query_one(".note", StyledText).show(
            [Text(show.BACKENDS[backend or ("ray" if len(nodes) > 1 else "solo")], "$muted"),
             *show.lost_lines(nodes, width),
             *show.subset_lines([n.name for n in nodes], width)]
        )  # fmt: skip


class NetworkPage(Vertical):
    """What was detected on each node, and what a person may say instead."""

    def compose(self) -> ComposeResult:
        """What is there, what is wrong with it, what to say instead."""
        self.border_title = "network · detected on each node"
        yield SheetTable(show.NETWORK_COLUMNS, empty="asking the nodes …", id="launch-network")
        yield StyledText(classes="note")
        levels = {"nccl_debug": NCCL_LEVELS}
        yield Form("launch", NETWORK_FIELDS, choices=levels, labels=LABELS, hints=HINTS, long=LONG)

    def draw(self, looked: Looked, tried: Sequence[Rate], now: datetime) -> None:
        """`tried`: rates of earlier fabric tests."""
        table, note = self.query_one(SheetTable), self.query_one(".note", StyledText)
        width = max(30, self.size.width - 2)
        if isinstance(looked, SparkError):
            table.empty = "unknown"
            table.show(())
            note.show(show.refused_lines(looked, width))
        elif looked is not None:
            fit(table, show.network_rows(looked["nodes"]))
            doubts = launch_checks.network_doubts(findings_of(looked), width, 5)
            note.show(network_note(doubts, tried, now))

    def offer(self, nodes: Sequence[NodeState]) -> None:
        """Names that every node has."""
        eths, hcas = show.interfaces(nodes)
        self.query_one(Form).offer("eth_if", eths)
        self.query_one(Form).offer("ib_if", hcas)


class ContainerPage(Vertical):
    """What the containers are started from and what they get."""

    def compose(self) -> ComposeResult:
        """The form, and where the image is."""
        self.border_title = "container"
        yield Form("launch", CONTAINER_FIELDS, labels=LABELS, hints=HINTS, long=LONG)
        yield StyledText(classes="note")

    def draw(self, nodes: Sequence[NodeState], tag: str, container: str, extra: str) -> None:
        """Where the image is that is named; more words from the environment."""
        form = self.query_one(Form)
        form.hint("tag", tag)
        form.hint("name", container)
        wanted = str(form.values.get("tag") or tag)
        row = next((r for r in image_rows(nodes) if full_name(r.tag) == full_name(wanted)), None)
        missing = Text("○ not on any node that answered", "$node-warn")
        where = legend(row, advice=False) if row else missing
        also = Text(f"extra docker run args, from VLLM_SPARK_EXTRA_DOCKER_ARGS: {extra}", "$muted")
        note = self.query_one(".note", StyledText)
        note.show([Text(f"{wanted}: ", "bold").append_text(where), *([also] if extra else [])])


class ReviewPage(Vertical):
    """The very plan, and the checks."""

    def compose(self) -> ComposeResult:
        """Both scroll."""
        for name in ("plan", "checks"):
            with VerticalScroll(id=f"review-{name}", classes="pane", can_focus=True) as panel:
                panel.border_title = name
                yield StyledText(classes="lines")

    def draw_plan(self, planned: Plan | SparkError | None, text: str) -> None:
        """The plan, or why there is none, or what is being asked."""
        pane, width = self._pane("plan")
        pane.border_title = show.plan_title(planned if isinstance(planned, Plan) else None)
        match planned:
            case Plan():
                lines = show.plan_lines(planned, width)
            case SparkError():
                lines = show.refused_lines(planned, width)
            case None:
                lines = [Text(text, "$muted")]
        pane.query_one(StyledText).show(lines)

    def draw_checks(self, looked: Looked) -> None:
        """What `check` says."""
        pane, width = self._pane("checks")
        findings = findings_of(looked) if isinstance(looked, Mapping) else None
        pane.border_title = launch_checks.checks_title(findings)
        if findings is not None:
            lines = launch_checks.check_lines(findings, width)
        elif isinstance(looked, SparkError):
            lines = show.refused_lines(looked, width)
        else:
            lines = [Text("asking the nodes …", "$muted")]
        pane.query_one(StyledText).show(lines)

    def _pane(self, name: str) -> tuple[VerticalScroll, int]:
        """One of the two, and how wide its lines are."""
        pane = self.query_one(f"#review-{name}", VerticalScroll)
        return pane, max(30, pane.query_one(StyledText).size.width or pane.size.width - 1)


class ProgressBoard(WorkPane):
    """How far each node got, while a launch, a repair or a restart is under way, and how it ended."""

    def compose(self) -> ComposeResult:
        """Nodes above, output below."""
        with Vertical(id="join", classes="pane"):
            yield SheetTable(board.COLUMNS, empty="starting …", id="join-table")
            yield StyledText(classes="note")
        with LogView(LineRing(), id="join-log", classes="pane") as log:
            log.border_title = "output"

    def newest(self, tasks: Sequence[Task]) -> Task | None:
        """The last work that starts containers."""
        found = (t for t in reversed(tasks) if t.plan and any(t.words[: len(w)] == w for w in BOARDED))
        return next(found, None)

    def draw(self, nodes: Sequence[str]) -> None:
        """As it stands now."""
        task = self.shown
        if task is None:
            return
        lines = board.board(task.plan, nodes, task.news, done=task.state is TaskState.DONE)
        failed = task.broke or task.state is TaskState.CANCELLED
        fit(self.query_one(SheetTable), board.board_rows(lines))
        panel = self.query_one("#join")
        panel.border_title = frame_title(task.title)
        panel.border_subtitle = "X stops it and cleans up" if task.running else "esc: back to the form"
        first = board.summary(lines, running=task.running, failed=failed)
        first.append(f"  {hms(task.elapsed_s)}", "$muted")
        more = error_lines(task.error, max(30, panel.size.width)) if task.error and failed else []
        if task.state is TaskState.DONE:
            more = [Text("next: 5 serves a model · esc goes back to the form", "$key")]
        self.query_one(".note", StyledText).show([first, *more])


class Buttons(Horizontal):
    """What the keys do too."""

    def compose(self) -> ComposeResult:
        """Back, next, save, launch."""
        yield Button("Back ⌫", id="page-back", action="screen.page_previous", compact=True)
        yield Button("Next ]", id="page-next", action="screen.page_next", compact=True)
        yield Button("Save as script ^s", id="page-save", action="screen.launch_save", compact=True)
        yield Button("Launch ^j", id="page-launch", action="screen.launch", compact=True, variant="primary")

    def draw(self, page: str, *, read_only: bool, ready: bool) -> None:
        """Those that make sense here."""
        self.query_one("#page-back", Button).disabled = page == show.PAGES[0]
        self.query_one("#page-next", Button).display = page != show.PAGES[-1]
        self.query_one("#page-save", Button).display = page == show.PAGES[-1]
        launch = self.query_one("#page-launch", Button)
        launch.display, launch.disabled = not read_only, not ready
