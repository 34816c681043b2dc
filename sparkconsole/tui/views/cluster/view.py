"""The Cluster view: every node as a card or a row, the served model, what happened, what is wrong."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widget import Widget

from sparkconsole.config.bounded_read import from_home
from sparkconsole.config.paths import config_folder
from sparkconsole.fleet.store import NodeState, Reachability, ServerPhase
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.assessment import Assessment
from sparkconsole.tui.draw.charts import area
from sparkconsole.tui.draw.frame import framed, joined, styled
from sparkconsole.tui.draw.node_state import DrawContext
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.views.cluster import show
from sparkconsole.tui.views.cluster import show_table as table
from sparkconsole.tui.views.cluster.board import Board
from sparkconsole.tui.views.cluster.log import ClusterLog
from sparkconsole.tui.views.cluster.show_problems import problem_line, problems
from sparkconsole.tui.views.cluster.show_server import serve_lines, serve_title
from sparkconsole.tui.views.node_keys import NODE_KEYS, NodeActions
from sparkconsole.tui.widgets.lines import Lines

PANES = ("head", "heat", "grid", "chart", "serve", "events", "problem", "empty")


class ClusterView(NodeActions):
    """Cards or a table by room and number of nodes; `v` chooses for the session."""

    NAME = "cluster"
    KEYS = (
        Key("node.open", "enter", "open", "Show all details of the node under the cursor.", display="⏎"),
        *NODE_KEYS,
        Key("problem.next", "n", "problem", "Go to the next node with a problem."),
        Key("node.mark", "space", "mark", "Mark the node: the next action is for all marked nodes."),
        Key("node.mark_all", "a", "all", "Mark all nodes, or none."),
        Key("cluster.layout", "v", "cards/table", "Show cards or a table, for this session."),
        Key(
            "sort.previous", "comma", "sort", "Sort by the previous column.", shown=False, act="sort_next(-1)"
        ),
        Key("sort.next", "full_stop", "sort", "Sort by the next column."),
    )
    DEFAULT_CSS = """
    ClusterView #body { layers: panes; }
    ClusterView #body > * { position: absolute; display: none; }
    ClusterView #body > .-placed { display: block; }
    ClusterView ClusterLog { border: round $frame; border-title-color: $title; padding: 0 1; }
    ClusterView ClusterLog { background: $background; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._meaning = Assessment()
        self._forced, self._sort, self._needle = "", "", ""
        self._plan = show.Arrangement(0)
        self._at_s, self._seen = -1.0, -1
        self._zoomed: Widget | None = None

    def compose_body(self) -> ComposeResult:
        """Every pane there can be; `show.arrange` says which have a place."""
        yield Board()
        for name in PANES:
            yield Lines(id=name)
        yield ClusterLog()

    # --- drawing

    def sample(self) -> None:
        """Draws what changed; nothing when neither the store nor an age that is shown did."""
        size, board = self.query_one("#body").size, self.query_one(Board)
        if self.maximized is not None:
            size = self.size
        if not size.width or not size.height:
            return
        context = self.context()
        pulse = int(context.now_s) if self._ticking(context) else int(context.now_s // 60)
        chosen = (self._forced, self._sort, self._needle, id(self.maximized), self.console.session is None)
        seen = (self._version(context.now_s), pulse, size, board.cursor, frozenset(board.marked))
        if self.is_new(*seen, *chosen):
            nodes = len(self.console.store.nodes)
            self._place(show.arrange(size.width, size.height, nodes, self._forced))
            self._draw(context)

    def _version(self, now_s: float) -> int:
        """The store's; of many nodes once a second, which is as often as each of them says something."""
        many = len(self.console.store.nodes) >= show.GRID
        if not many or int(now_s) != int(self._at_s):
            self._at_s, self._seen = now_s, self.console.store.version
        return self._seen

    def context(self) -> DrawContext:
        """Time and meaning of everything shown now."""
        return self._meaning.context(self.console)

    def _ticking(self, context: DrawContext) -> bool:
        """Some age or time that is shown changes every second."""
        store = self.console.store
        old = any(n.reach is not Reachability.UP or of.is_stale(n, context) for n in store.nodes.values())
        return old or store.server.since_s is not None

    def _place(self, plan: show.Arrangement) -> None:
        """Each pane where the plan says; the zoomed one everywhere."""
        if (plan, self.maximized) == (self._plan, self._zoomed):
            return
        self._plan, self._zoomed = plan, self.maximized
        for widget in self.query_one("#body").children:
            whole = (0, 0, *self.size) if widget is self._zoomed else None
            place = whole or plan.panes.get(widget.id or "")
            widget.set_class(place is not None, "-placed")
            if place is not None:
                x, y, width, height = place
                widget.styles.offset, widget.styles.width, widget.styles.height = (x, y), width, height
        self._clear_arrangement_cache()
        self.refresh(layout=True)

    def _draw(self, context: DrawContext) -> None:
        board = self.query_one(Board)
        states = self._states(context)
        if "head" in self._plan.panes:
            board.states = states
            self._pane("head").show([board.head(self._room("head")[0], self._sort)])
        board.draw(states, context, self._plan, self._needle)
        for name in PANES[1:]:
            if name in self._plan.panes:
                getattr(self, f"_draw_{name}")(context)

    def _states(self, context: DrawContext) -> tuple[NodeState, ...]:
        needle = self._needle.lower()

        def searched(s: NodeState) -> str:
            words = (s.name, s.address, of.role(s, context), of.sign(s, context).word, s.reason)
            return " ".join(words).lower()

        kept = [s for s in self.console.store.nodes.values() if not needle or needle in searched(s)]
        return table.ordered(kept, context, self._sort)

    def _pane(self, name: str) -> Lines:
        return self.query_one(f"#{name}", Lines)

    def _room(self, name: str) -> tuple[int, int]:
        return self._plan.panes[name][2:]

    def _framed(self, name: str, lines: list[Text], title: Text | str, right: Text | str = "") -> None:
        width, height = self._room(name)
        self._pane(name).show(framed(lines, width, height, title=title, right=right))

    def _draw_serve(self, context: DrawContext) -> None:
        store = self.console.store
        width, height = self._room("serve")
        hint = show.next_step(store, context)
        if store.server.phase is ServerPhase.UNKNOWN and not hint.startswith("the head"):
            hint = ""
        lines = serve_lines(store.server, store.generated, store.prompted, width - 4, height - 2, hint=hint)
        self._framed("serve", lines, "serve", serve_title(store.server, context.now_s))

    def _draw_events(self, context: DrawContext) -> None:
        zone, height = self.console.local_time().tzinfo, self._room("events")[1] - 2
        self._framed("events", show.event_lines(self.console.store.events, height, zone), "events")

    def _draw_problem(self, context: DrawContext) -> None:
        store, board, width = self.console.store, self.query_one(Board), self._room("problem")[0]
        shown = f" /{self._needle}: {len(board.states)} of {len(store.nodes)}" if self._needle else ""
        marks = Text(f" ◆ {len(board.marked)} marked" if board.marked else "", "$mark")
        text = joined((marks, styled(shown, "$match")))
        waiting = sum(n.reach is Reachability.CONNECTING for n in store.nodes.values())
        found = problems(store, context)
        line = problem_line(found, width - text.cell_len - (1 if text else 0), waiting)
        self._pane("problem").show([joined((text, line), " ")])

    def _draw_heat(self, context: DrawContext) -> None:
        nodes = tuple(self.console.store.nodes.values())
        self._pane("heat").show([show.heat_line(nodes, self._room("heat")[0])])

    def _draw_grid(self, context: DrawContext) -> None:
        lines = show.heat_lines(tuple(self.console.store.nodes.values()), self._room("grid")[0] - 4)
        self._framed("grid", lines, "heat", "GPU%, a cell a node")

    def _draw_chart(self, context: DrawContext) -> None:
        """What the rails of the node under the cursor carry."""
        width, height = self._room("chart")
        node = self.query_one(Board).cursor
        history = self.console.store.histories.get(node)
        lines = area(history.series("rdma_rx") if history else (), width - 4, height - 2, unit="B")
        title = joined((Text("rdma in", "$title"), styled(node, "$muted")))
        self._framed("chart", lines, title, Text("5 min, B/s", "$muted"))

    def _draw_empty(self, context: DrawContext) -> None:
        width, height = self._room("empty")
        lines = [Text("reading the list of nodes …", "$muted")]
        if self.console.session is not None:
            lines = show.empty_lines(from_home(config_folder() / "cluster.toml"))
        broad = max(line.cell_len for line in lines)
        left = " " * max(1, (width - max(broad, 48)) // 2)
        above = max(1, (height - len(lines)) // 3)
        self._pane("empty").show([Text("")] * above + [Text(left).append_text(x) for x in lines])

    # --- the log

    def sample_logs(self) -> None:
        """Reads while there is a place for the pane."""
        log, session = self.query_one(ClusterLog), self.console.session
        if session is None or "log" not in self._plan.panes or self.app.screen is not self:
            return
        server = self.console.store.server
        log.read(session, (server.model, server.since_s))
        log.sample()

    async def on_screen_suspend(self) -> None:
        """Another view is shown."""
        await self.query_one(ClusterLog).rest()

    # --- what the keys and the mouse do

    def keys_here(self) -> tuple[Key, ...]:
        """Without nodes only what is not about nodes."""
        every = super().keys_here()
        return every if self.console.store.nodes else tuple(k for k in every if k not in self.KEYS)

    def idle(self, key_id: str) -> str:
        """Cards stay in the cluster's order."""
        if key_id.startswith("sort.") and self._plan.cards:
            return "cards keep the cluster's order; v shows a table that can be sorted"
        return super().idle(key_id)

    def refresh_now(self) -> None:
        """Everything anew, whatever was seen before."""
        self._at_s = -1.0
        super().refresh_now()

    def selected_nodes(self) -> tuple[str, ...]:
        """The marked nodes, else the one under the cursor."""
        return self.query_one(Board).chosen()

    def apply_filter(self, text: str) -> None:
        """Only nodes of whose name, address, role or state the text is a part."""
        self._needle = text.strip()
        self.sample()

    def peel(self) -> bool:
        """First the filter goes, then the marks."""
        board = self.query_one(Board)
        had = bool(self._needle or board.marked)
        if self._needle:
            self._needle = ""
        else:
            board.marked.clear()
        self.sample()
        return had

    def on_board_moved(self) -> None:
        """The cursor is seen at once."""
        self.sample()

    def on_board_opened(self) -> None:
        """A double click."""
        self.action_node_open()

    def action_node_open(self) -> None:
        """`enter`: its page, above this view."""
        from sparkconsole.tui.views.node.view import NodeView

        if name := self.query_one(Board).cursor:
            self.app.push_screen(NodeView(name))

    def action_node_mark(self) -> None:
        """`space`"""
        board = self.query_one(Board)
        board.mark()
        board.action_move("right" if self._plan.cards else "down")
        self.sample()

    def action_node_mark_all(self) -> None:
        """`a`"""
        self.query_one(Board).mark_all()
        self.sample()

    def action_cluster_layout(self) -> None:
        """`v`"""
        self._forced = "table" if self._plan.cards else "cards"
        self.sample()

    def action_sort_next(self, step: int = 1) -> None:
        """`.`, `,`: only columns that are shown."""
        if self.is_idle("sort.next"):
            return
        shown = ("", "name", *(c.name for c in self.query_one(Board).columns if c.order))
        at = shown.index(self._sort) if self._sort in shown else 0
        self._sort = shown[(at + step) % len(shown)]
        self.sample()

    def action_problem_next(self) -> None:
        """`n`: the next node in trouble after the cursor, round and round."""
        board = self.query_one(Board)
        wrong = {name for p in problems(self.console.store, self.context()) for name in p.nodes}
        names = [s.name for s in board.states]
        if not wrong.intersection(names):
            self.notify("no node has a problem", timeout=2)
            return
        at = names.index(board.cursor) + 1 if board.cursor in names else 0
        found = next(n for n in (*names[at:], *names[:at]) if n in wrong)
        if found == board.cursor:
            self.notify("no other node has a problem", timeout=2)
        board.go_to(found)
