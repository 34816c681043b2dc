"""The launch view: nodes, network, container, then the plan and the checks; a board while it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Container

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fabric.history import RateHistory
from sparkconsole.fleet.store import NodeState
from sparkconsole.model.fabric.rates import Rate
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.views.form_view import NEXT_FIELD
from sparkconsole.tui.views.launch import pages, show
from sparkconsole.tui.views.launch.actions import LaunchActions
from sparkconsole.tui.views.node_keys import RESTART, STOP
from sparkconsole.tui.widgets.form import Form
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.styled_text import StyledText
from sparkconsole.verbs.fabric.test import history_of
from sparkconsole.verbs.grammar.forms import words
from sparkconsole.verbs.launch.start import EXTRA_ARGS

SETTLED_S = 0.6
"""What is typed has to stand so long before the nodes are asked."""
ASKING = "asking the nodes for the plan …"
CHECKED = ("tag", "name", "eth_if", "ib_if")
"""What of the forms changes what `check` finds."""


class LaunchView(LaunchActions):
    """A page at a time; on a huge screen the review stands beside the page that is filled in."""

    NAME = "launch"
    AUTO_FOCUS = ""
    KEYS = (
        Key("page.previous", "backspace,left_square_bracket", "back", "Previous page.", display="⌫"),
        Key("page.next", "right_square_bracket", "next", "Next page."),
        NEXT_FIELD,
        Key("launch", "ctrl+j", "launch…", changes=True),
        Key("fabric.test", "t", "test fabric", shown=False),
        Key("launch.copy", "y", "copy script", "Copy the launch as a script."),
        Key("launch.repair", "F", "repair…", "Start the missing containers of the cluster.", changes=True),
        RESTART,
        STOP,
        Key("launch.cancel", "X", "stop…", "Stop the launch and remove what it started.", changes=True),
        Key("launch.save", "ctrl+s", "save", "Save the launch as a script here.", shown=False),
        Key("launch.form", "e", "form", "Show the form, or the progress of the last launch.", shown=False),
    )
    DEFAULT_CSS = """
    LaunchView #launch-steps { height: 1; }
    LaunchView #launch-status { height: auto; max-height: 2; padding: 0 1; }
    LaunchView #pages { layout: horizontal; height: 1fr; }
    LaunchView .page { display: none; width: 1fr; height: 100%; }
    LaunchView #page-review { border: none; padding: 0; }
    LaunchView .page SheetTable { height: 4; min-height: 3; max-height: 60%; }
    LaunchView.-short .page SheetTable { max-height: 11; }
    LaunchView SheetTable { scrollbar-gutter: stable; }
    LaunchView #join-table { height: 4; max-height: 80%; }
    LaunchView .note { height: auto; max-height: 6; margin-top: 1; }
    LaunchView .page Form { height: auto; max-height: 70%; grid-size: 2; margin-top: 1; }
    LaunchView.-short .note, LaunchView.-short .page Form { margin-top: 0; }
    LaunchView .page FormLine.-long { column-span: 2; }
    LaunchView #review-plan, LaunchView #join { height: 3fr; }
    LaunchView #review-checks, LaunchView #join-log { height: 2fr; }
    LaunchView .lines { height: auto; width: 100%; text-wrap: nowrap; text-overflow: ellipsis; }
    LaunchView #page-review VerticalScroll { scrollbar-size: 0 1; scrollbar-gutter: stable; }
    LaunchView Buttons { height: 1; padding: 0 1; }
    LaunchView Buttons Button { margin-right: 2; }
    LaunchView ProgressBoard { display: none; height: 1fr; }
    LaunchView.-boarding { #pages, Buttons, #launch-steps { display: none; } }
    LaunchView.-boarding ProgressBoard { display: block; }
    LaunchView.-at-nodes #page-nodes, LaunchView.-at-network #page-network { display: block; }
    LaunchView.-at-container #page-container, LaunchView.-at-review #page-review { display: block; }
    LaunchView.-huge #page-review, LaunchView.-huge.-at-review #page-container { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.page = show.PAGES[0]
        self._looked: pages.Looked = None
        self._planned: tuple[tuple[str, ...], Plan | SparkError] | None = None
        self._asked: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._shape: object = None
        self._history: RateHistory | None = None

    # --- parts

    def compose_body(self) -> ComposeResult:
        """See the class."""
        yield StyledText(id="launch-steps")
        yield StyledText(id="launch-status")
        with Container(id="pages"):
            yield pages.NodesPage(id="page-nodes", classes="page pane")
            yield pages.NetworkPage(id="page-network", classes="page pane")
            yield pages.ContainerPage(id="page-container", classes="page pane")
            yield pages.ReviewPage(id="page-review", classes="page pane")
        yield pages.ProgressBoard()
        yield pages.Buttons()

    def on_mount(self) -> None:
        """The first page."""
        super().on_mount()
        self.action_page(self.page)

    @property
    def container(self) -> str:
        """The name typed, or the cluster's."""
        return str(self.values.get("name") or self.cluster.container)

    @property
    def board(self) -> pages.ProgressBoard:
        """How far the newest launch got."""
        return self.query_one(pages.ProgressBoard)

    @property
    def status(self) -> show.ClusterStatus:
        """What runs now."""
        return show.cluster_status(self.node_states, self.container)

    # --- drawing

    def sample(self) -> None:
        """Draws what changed, and asks the nodes again when that is worth something."""
        if not self.query(pages.ProgressBoard) or not self.query(Form):
            return
        board = self.board
        board.follow(board.newest(self.tasks))
        self.set_class(board.showing, "-boarding")
        if self.is_new(*self._seen(board.shown)):
            self._draw_frame()
            board.draw([n.name for n in self.node_states])
            if not board.showing:
                self._draw_pages()
                self._wonder()

    def _seen(self, task: Task | None) -> tuple[Any, ...]:
        return (
            self.console.store.version,
            (task.version, task.state, int(task.elapsed_s) if task.running else 0) if task else (),
            self.size,
            self.page,
            tuple(self.values.items()),
            self._looked,
            self._planned,
            self.has_class("-boarding"),
            self.asking,
            self._tried()[-1:],
            # What is folded to a pane's width is folded again once the pane has one.
            *(pane.size for pane in self.query(".pane, .page, .lines")),
        )

    def sample_logs(self) -> None:
        """New lines of output."""
        if self.has_class("-boarding"):
            self.query_one(LogView).sample()

    def _draw_frame(self) -> None:
        now, read_only = self.status, self.console.options.read_only
        self.query_one("#launch-steps", StyledText).show([show.pages_line(self.page)])
        lines = show.status_lines(now, len(self.node_states), max(20, self.size.width - 2))
        if read_only:
            lines = [show.without_keys(line) for line in lines]
        if self.asking:
            lines = [Text(ASKING, "$muted")]
        self.query_one("#launch-status", StyledText).show(lines)
        self.query_one(pages.Buttons).draw(self.page, read_only=read_only, ready=bool(self.node_states))

    def _draw_pages(self) -> None:
        nodes = self._looked["nodes"] if isinstance(self._looked, Mapping) else ()
        by_name = {str(n["node"]): n for n in nodes}
        backend = str(self.values.get("backend") or "")
        self.query_one(pages.NodesPage).draw(self.node_states, by_name, backend)
        network = self.query_one(pages.NetworkPage)
        network.draw(self._looked, self._tried(), self.console.clock.now())
        network.offer(self.node_states)
        extra, container = os.environ.get(EXTRA_ARGS, ""), self.query_one(pages.ContainerPage)
        container.draw(self.node_states, self.cluster.image, self.container, extra)
        container.query_one(Form).offer("tag", show.tags(self.node_states))
        self._draw_review()

    def _tried(self) -> tuple[Rate, ...]:
        """What earlier fabric tests measured."""
        session = self.console.session
        if session is None:
            return ()
        self._history = self._history or history_of(session)
        return self._history.glance(session.cluster.name)

    def _draw_review(self) -> None:
        review, wrong = self.query_one(pages.ReviewPage), self.wrong()
        review.draw_checks(self._looked)
        words, planned = self._planned or ((), None)
        if wrong is not None or words != self.words():
            planned = wrong
        review.draw_plan(planned, ASKING if self.node_states else "no nodes yet")

    # --- asking

    def _wonder(self) -> None:
        """Asks again when something else is typed, or when the nodes are others or stand otherwise."""
        if not self.node_states or self.wrong() is not None:
            return
        shape = tuple((n.name, n.reach, _outline(n)) for n in self.node_states)
        wanted = (self.words(), words("check", {name: self.values.get(name) for name in CHECKED}))
        if shape != self._shape or wanted != self._asked:
            self._shape, self._asked = shape, wanted
            self.settle(SETTLED_S, self._ask)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def _ask(self) -> None:
        """The checks and the plan; neither changes anything."""
        launch, check = self._asked
        try:
            self._looked = (await self.ask(*check)).data
        except SparkError as error:
            self._looked = error
        try:
            assert self.console.work is not None  # noqa: S101 - it answered
            self._planned = (launch, await self.console.work.plan(launch))
        except SparkError as error:
            self._planned = (launch, show.explained(error, self.status))
        self.sample()

    # --- going through the pages

    def action_page(self, page: str) -> None:
        """Shows that page; so does a click on its name."""
        self.page = page
        for name in show.PAGES:
            self.set_class(name == page, f"-at-{name}")
        self.set_focus(None)
        self.sample()

    def idle(self, key_id: str) -> str:
        """The first page has none before it, the last none behind it; a board has none."""
        task = self.board.shown
        if key_id == "launch.cancel" and (task is None or not task.running):
            return "no launch is running in this console"
        if key_id == "launch.form" and task is None:
            return "nothing was launched in this console yet"
        if key_id == "page.previous" and self.page == show.PAGES[0]:
            return "this is the first page"
        if key_id == "page.next" and self.page == show.PAGES[-1]:
            return "this is the last page: ^j launches"
        if key_id.startswith("page.") and self.has_class("-boarding"):
            return "e shows the form"
        return super().idle(key_id)

    def action_page_next(self) -> None:
        """`]`"""
        if not self.is_idle("page.next"):
            self.action_page(show.PAGES[show.PAGES.index(self.page) + 1])

    def action_page_previous(self) -> None:
        """`backspace`"""
        if not self.is_idle("page.previous"):
            self.action_page(show.PAGES[show.PAGES.index(self.page) - 1])

    def action_launch_form(self) -> None:
        """`e`"""
        if not self.is_idle("launch.form"):
            self.board.turn()
            self.sample()

    @work(group="cancel", exclusive=True, exit_on_error=False)
    async def action_launch_cancel(self) -> None:
        """`X`"""
        task = self.board.shown
        if self.is_idle("launch.cancel") or task is None or self.console.work is None:
            return
        notes = ("containers it started are removed; their logs are kept",)
        sure = await self.console.confirm(("stop", *task.words), Plan(f"Stop: {task.title}", notes=notes))
        if sure and not self.is_idle("launch.cancel"):
            self.console.work.cancel(task)

    def peel(self) -> bool:
        """Esc leaves a field, then the board of what ended."""
        if super().peel():
            return True
        over = self.board.over
        if over:
            self.board.turn()
            self.sample()
        return over


def _outline(node: NodeState) -> tuple[object, ...]:
    """What of a node changes a plan."""
    containers = tuple((c.name, c.state) for c in node.containers or ())
    images = tuple((i.tag, i.short) for i in node.images or ())
    return (containers, images, node.ray_alive)
