"""The Logs view: any source of any nodes, merged by time; it reads only while it can be seen."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Static

from sparkconsole.config import paths
from sparkconsole.config.bounded_read import from_home
from sparkconsole.fleet.logs.feed import Feed
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.fleet.logs.sources import Source
from sparkconsole.model.logs.diagnosis import Diagnosis, Ending, Weight, paragraphs, ranked
from sparkconsole.model.logs.kernel import on_kernel
from sparkconsole.model.logs.line import Level, LogLine
from sparkconsole.model.text.redact import presentable
from sparkconsole.model.text.units import UNKNOWN
from sparkconsole.model.work.answer import Answer
from sparkconsole.parse.diagnose.explain import examine, explain_line
from sparkconsole.tui.draw.bars import short_names
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.view import View
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.verbs.logs.sources import KINDS, kept_current, log_sources, speaks_of_nccl

NAME_WIDTH = 8
RATE_OVER = 20
"""Samples, two seconds, over which lines a second are counted."""


class LogsView(View):
    """`show_nodes` and `show_source` are how other views come here."""

    NAME = "logs"
    KEYS = (
        Key("logs.follow", "f", "follow", "Follow the end, or stay where you are."),
        Key("logs.finding", "x", "finding", "The next line that is known to say something wrong."),
        Key(
            "logs.why", "enter", "why", "What the finding means and what to do; without one, of all lines.",
            display="⏎",
        ),
        Key("logs.wrap", "w", "wrap", "Break long lines, or cut them.", act="logs_turn('wrap')"),
        Key("logs.source", "right_square_bracket", "source", "The next source."),
        Key(
            "logs.source.previous", "left_square_bracket", "source", "The source before.",
            shown=False, act="logs_source(-1)",
        ),
        Key("logs.nodes", "a", "nodes", "The next node alone, after the last one all of them.", shown=False),
        Key("logs.search", "s", "search", "Search; n and p go from match to match."),
        Key("logs.next", "n", "match", "The next match.", shown=False, act="logs_match(1)"),
        Key("logs.previous", "p", "match", "The match before.", shown=False, act="logs_match(-1)"),
        Key("logs.error", "e", "error", "The next line that is an error."),
        Key("logs.time", "t", "time", "Show or hide the time of each line.", act="logs_turn('times')"),
        Key("logs.mark", "m", "mark", "Draw a line under the newest line."),
        Key("logs.more", "minus", "level", "Show lower levels too.", shown=False, act="logs_level(-1)"),
        Key(
            "logs.less", "plus", "level", "Hide the lowest level that is shown.",
            shown=False, act="logs_level(1)",
        ),
        Key("logs.copy", "c", "copy", "Copy what is shown, all of it.", shown=False),
        Key("logs.save", "ctrl+s", "save", "Save what is shown to a file."),
        Key("logs.end", "G", "end", "Go to the newest line.", shown=False),
        Key("logs.home", "g", "begin", "Go to the oldest line.", shown=False),
    )  # fmt: skip
    DEFAULT_CSS = """
    LogsView .line { height: 1; color: $text-muted; padding: 0 1; text-wrap: nowrap; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.nodes: tuple[str, ...] = ()
        """Only these; empty: all."""
        self.source = "all"
        self._totals: deque[int] = deque(maxlen=RATE_OVER)
        self._matches: int | None = None
        self._filter, self._searching = "", False

    def compose_body(self) -> ComposeResult:
        """What is read, the lines, and how they are shown."""
        yield Static(id="logs-head", classes="line", markup=False)
        lines = LogView(LineRing(), id="log")
        lines.judge = finding_in
        yield lines
        yield Static(id="logs-tail", classes="line", markup=False)

    # --- reading

    def on_mount(self) -> None:
        """The lines take the keys."""
        super().on_mount()
        self.log_view.focus()

    def on_screen_resume(self) -> None:
        """Reads on from where it was left."""
        super().on_screen_resume()
        self._read()

    async def on_screen_suspend(self) -> None:
        """Nobody looks: nothing is read."""
        await self.log_view.rest()

    def _read(self) -> None:
        """Begins to read, or goes on; without a session yet, at one of the next samples."""
        session, view = self.console.session, self.log_view
        if session is None or self.app.screen is not self:
            return
        if view.feed is None:
            keep = speaks_of_nccl if self.source == "nccl" else None
            view.feed = Feed(session.fleet, kept_current(session, self._sources), ring=view.ring, keep=keep)
        view.feed.begin()

    def _sources(self) -> list[Source]:
        session = self.console.session
        if session is None:
            return []
        nodes = [n for n in session.fleet.names if not self.nodes or n in self.nodes]
        return log_sources(session, self.source, nodes)

    async def _again(self) -> None:
        """Another source: a new log in the same place."""
        await self.log_view.rest()
        self.log_view.feed = None
        self._totals.clear()
        self.log_view.show_ring(LineRing())
        self._read()
        self.sample()

    # --- drawing

    @property
    def log_view(self) -> LogView:
        """The lines."""
        return self.query_one("#log", LogView)

    def sample(self) -> None:
        """The two lines above and below."""
        self._read()
        self.query_one("#logs-head", Static).update(presentable(self._head()))
        self.query_one("#logs-tail", Static).update(presentable(self._tail()))

    def sample_logs(self) -> None:
        """New lines."""
        view = self.log_view
        nodes = tuple(self.console.store.nodes)
        view.names = dict(zip(nodes, short_names(nodes, NAME_WIDTH), strict=True))
        self._totals.append(view.ring.total)
        view.sample()

    def _head(self) -> str:
        """`source ◂ serve ▸   nodes all   level ≥ info   lines 9 981/10 000   12/s`."""
        view, counted = self.log_view, self._totals
        least = "all" if view.least is Level.DEBUG else f"≥ {view.least.name.lower()}"
        what = f"source ◂ {self.source} ▸   nodes {', '.join(self.nodes) or 'all'}   level {least}"
        if not self._sources():
            return f"{what}   nothing to read: no such log here"
        per_s = (counted[-1] - counted[0]) / max(len(counted) - 1, 1) * 10 if counted else 0.0
        lines = f"{len(view.ring):,}/{view.ring.capacity:,}".replace(",", " ")
        return f"{what}   " + (f"lines {lines}   {per_s:.0f}/s" if len(view.ring) else "no lines yet")

    def _tail(self) -> str:
        """`▼ following   wrap off   time on   filter: none   matches –`."""
        view, turned = self.log_view, ("off", "on")
        follow = "▼ following" if view.follow else "‖ staying"
        matches = UNKNOWN if self._matches is None else self._matches
        shown = f"wrap {turned[view.wrap]}   time {turned[view.times]}   filter: {self._filter or 'none'}"
        return f"{follow}   {shown}   matches {matches}"

    def on_log_view_moved(self) -> None:
        """Following may have begun or ended."""
        self.sample()

    # --- what other views ask

    async def show_nodes(self, nodes: Sequence[str], source: str = "all") -> None:
        """Only the logs of these nodes; none: of all."""
        self.nodes, self.source = tuple(nodes), source
        await self._again()

    def selected_nodes(self) -> tuple[str, ...]:
        """The nodes whose logs are shown."""
        return self.nodes

    def apply_filter(self, text: str) -> None:
        """`/` filters; `s` searches."""
        if self._searching:
            self._matches = self.log_view.search(text) if text else None
        else:
            self._filter = text
            self.log_view.filter(text)
        self.sample()

    def peel(self) -> bool:
        """First the search, then the filter, then the choice of nodes."""
        if self._matches is not None:
            self._searching, self._matches = False, None
            self.log_view.search("")
        elif self._filter:
            self._filter = ""
            self.log_view.filter("")
        elif self.nodes:
            self.nodes = ()
            self.call_later(self._again)
        else:
            return False
        self.sample()
        return True

    # --- keys

    def action_filter(self) -> None:
        """`/`"""
        self._searching = False
        self.console.action_filter()

    def action_logs_search(self) -> None:
        """`s`"""
        self._searching = True
        self.console.action_filter()

    def action_logs_follow(self) -> None:
        """`f`"""
        if self.log_view.follow:
            self.log_view.follow = False
        else:
            self.log_view.to_end()
        self.sample()

    def action_logs_turn(self, what: str) -> None:
        """`w`, `t`: on, or off again."""
        setattr(self.log_view, what, not getattr(self.log_view, what))
        self.sample()

    async def action_logs_source(self, step: int = 1) -> None:
        """`]`, `[`"""
        self.source = KINDS[(KINDS.index(self.source) + step) % len(KINDS)]
        await self._again()

    async def action_logs_nodes(self) -> None:
        """`a`"""
        every: list[tuple[str, ...]] = [(), *((n,) for n in self.console.store.nodes)]
        at = every.index(self.nodes) if self.nodes in every else 0
        self.nodes = every[(at + 1) % len(every)]
        await self._again()

    def action_logs_match(self, step: int) -> None:
        """`n`, `p`"""
        self._go(self.log_view.next_match(step), "no match; s searches")

    def action_logs_error(self) -> None:
        """`e`"""
        self._go(self.log_view.next_error(), "no line here is an error")

    def action_logs_finding(self) -> None:
        """`x`"""
        self._go(self.log_view.next_finding(), "nothing here says that something is wrong")

    async def action_logs_why(self) -> None:
        """`enter`: the finding that was gone to, else the root cause in all that is shown."""
        nodes, view, chosen = self.console.store.nodes, self.log_view, self.log_view.chosen
        kernels = {name: state.look.facts.kernel for name, state in nodes.items() if state.look is not None}
        findings = ((chosen,), ()) if chosen else await asyncio.to_thread(explained, view.shown(), kernels)
        if session := self.console.session:
            findings = (tuple(one.named(session.fleet.named) for one in findings[0]), findings[1])
        self.console.show_answer(("why",), Answer({}, tuple(paragraphs(*findings))))

    def _go(self, found: bool, otherwise: str) -> None:
        if not found:
            self.notify(otherwise, timeout=3, markup=False)
        self.sample()

    def action_logs_mark(self) -> None:
        """`m`"""
        self._go(self.log_view.mark(f"mark {self.console.local_time():%H:%M:%S}"), "no line here to mark")

    def action_logs_level(self, step: int) -> None:
        """`-`, `+`"""
        self.log_view.least = Level(min(max(self.log_view.least + step, Level.DEBUG), Level.ERROR))
        self.sample()

    def action_logs_copy(self) -> None:
        """`c`"""
        self.app.copy_to_clipboard(self.log_view.all_text())
        self.notify("copied", timeout=2)

    def action_logs_save(self) -> None:
        """`ctrl+s`"""
        path = paths.state_folder() / "logs" / f"{self.console.clock.now():%Y%m%d-%H%M%S}-{self.source}.log"
        try:
            paths.write_private(path, self.log_view.all_text() + "\n")
        except OSError as error:
            self.notify(f"not saved: {path}: {error.strerror}", severity="warning", timeout=10, markup=False)
            return
        self.notify(f"saved: {from_home(path)}", timeout=10, markup=False)

    def action_logs_end(self) -> None:
        """`G`"""
        self.log_view.to_end()
        self.sample()

    def action_logs_home(self) -> None:
        """`g`"""
        self.log_view.follow = False
        self.log_view.scroll_home(animate=False)
        self.sample()


def finding_in(line: LogLine) -> Diagnosis | None:
    """What the line says is wrong; good to know is no finding."""
    one = explain_line(line.bare)
    return None if one is None or one.severity is Weight.INFO else replace(one, node=one.node or line.node)


def explained(
    lines: Iterable[LogLine], kernels: Mapping[str, str]
) -> tuple[tuple[Diagnosis, ...], tuple[Ending, ...]]:
    """What the logs of several nodes say went wrong, the root cause first, and how each of them ends.

    `kernels`: by node, where they are known.
    """
    logs: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        logs[line.node].append(line.bare)
    read = [examine(lines, node) for node, lines in logs.items()]
    found = (on_kernel(one, kernels.get(one.node, "")) for log in read for one in log.found)
    return ranked(found), tuple(log.ending for log in read)
