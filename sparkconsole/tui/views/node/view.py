"""The page of one node: everything that is known of it, and what can be done with it."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding

from sparkconsole.fleet.fabric.history import RateHistory
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.assessment import Assessment
from sparkconsole.tui.draw.fabric_result import node_gate
from sparkconsole.tui.draw.frame import plain
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.views.node.show_page import page
from sparkconsole.tui.views.node_keys import NODE_KEYS, NodeActions
from sparkconsole.tui.widgets.lines import Lines
from sparkconsole.verbs.fabric.test import history_of

GONE = "This node is no longer part of the cluster.  esc goes back."


class PageLines(Lines):
    """Scrolls with the arrows, and with j and k."""

    BINDINGS: ClassVar = [
        Binding("j", "scroll_down", "down", show=False, id="page.down"),
        Binding("k", "scroll_up", "up", show=False, id="page.up"),
    ]


class NodeView(NodeActions):
    """Pushed above the view it was opened from; `esc` goes back there."""

    NAME = "node"
    TAB = "cluster"
    KEYS = (
        *NODE_KEYS,
        Key("node.previous", "left_square_bracket", "node", "Show the previous node.", act="node_next(-1)"),
        Key("node.next", "right_square_bracket", "node", "Show the next node."),
    )

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self._shown = name
        self._meaning = Assessment()
        self._history: RateHistory | None = None

    def compose_body(self) -> ComposeResult:
        """One page that scrolls where it is longer than the screen."""
        yield PageLines(id="node-page", focus=True)

    def crumb(self) -> str:
        """` › spark-02`"""
        return f" › {plain(self.state.name if self.state else self._shown)}"

    @property
    def state(self) -> NodeState | None:
        """The node's; None when it is no longer one of ours."""
        nodes = self.console.store.nodes
        return nodes.get(self._shown) if self._shown else next(iter(nodes.values()), None)

    def selected_nodes(self) -> tuple[str, ...]:
        """This one."""
        return (self.state.name,) if self.state else ()

    def sample(self) -> None:
        """Draws what changed."""
        lines, state = self.query_one(PageLines), self.state
        size = lines.size
        if not size.width:
            return
        context = self._meaning.context(self.console, self._tried())
        fresh = state is not None and state.reach is Reachability.UP and not of.is_stale(state, context)
        minute = int(context.now_s // (60 if fresh else 1))
        if not self.is_new(self.console.store.version, minute, size, self._shown, *context.tried.items()):
            return
        if state is None:
            lines.show([Text(""), Text(f"  {GONE}", "$muted")])
            return
        made = page(state, context, size.width, size.height)
        longer = len(made) > size.height
        lines.show(page(state, context, size.width - 1, size.height) if longer else made)

    def _tried(self) -> dict[str, str]:
        """What the last fabric test measured of the node that is shown."""
        session = self.console.session
        if session is None or self.state is None:
            return {}
        self._history = self._history or history_of(session)
        kept = self._history.glance(session.cluster.name)
        return {self.state.name: node_gate(kept, self.state.name)}

    def action_node_next(self, step: int = 1) -> None:
        """`]`, `[`"""
        names = tuple(self.console.store.nodes)
        if self.state is None or len(names) < 2:
            return
        self._shown = names[(names.index(self.state.name) + step) % len(names)]
        self.query_one(PageLines).scroll_home(animate=False)
        self.refresh_now()
