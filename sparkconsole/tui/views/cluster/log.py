"""The log pane of the Cluster view: containers and the served model, read only while the pane can be seen."""

from __future__ import annotations

from sparkconsole.fleet.logs.feed import Feed
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.fleet.logs.sources import Source
from sparkconsole.tui.draw.bars import short_names
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.verbs.grammar.session import Session
from sparkconsole.verbs.logs.sources import kept_current, log_sources

NAME_WIDTH, TAIL = 3, 200
MANY = 8
"""With more nodes only the head's container is read here; the Logs view reads all."""


class ClusterLog(LogView):
    """`read` begins to follow, or follows something else from now on; `rest` ends it."""

    def __init__(self) -> None:
        super().__init__(LineRing(), id="log")
        self.border_title = "log"
        self._of: tuple[object, ...] = ()

    def on_mount(self) -> None:
        """Little room: whole lines matter more than times."""
        self.times, self.wrap = False, True

    def read(self, session: Session, serving: object) -> None:
        """`serving`: another value means that another model is served, or none."""
        names, of = session.fleet.names, (session.fleet.names, session.cluster.container, serving)
        if self.feed is None or of != self._of:
            self.let_go()
            self._of = of
            self.show_ring(LineRing())
            self.names = dict(zip(names, short_names(names, NAME_WIDTH), strict=True))
            current = kept_current(session, lambda: sources(session))
            self.feed = Feed(session.fleet, current, ring=self.ring, tail=TAIL)
        self.feed.begin()


def sources(session: Session) -> list[Source]:
    """The containers and the servers of all nodes; of many, the head's."""
    names = session.fleet.names if len(session.fleet.names) <= MANY else session.fleet.names[:1]
    return log_sources(session, "all", names)
