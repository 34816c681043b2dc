"""The log of the server that runs, read from its node for as long as somebody looks."""

from __future__ import annotations

import asyncio

from sparkconsole.fleet.logs.feed import Feed
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.logs.line import LogLine
from sparkconsole.verbs.grammar.session import Session
from sparkconsole.verbs.logs.sources import server_sources

BY_HAND = "log · started by hand or by another console; it is not kept here"


class ServerLog:
    """`ring` has its lines; nothing is read before `begin`, and nothing after `rest`."""

    def __init__(self, session: Session | None) -> None:
        self.ring: LineRing[LogLine] = LineRing()
        self._reading: asyncio.Task[None] | None = None
        sources = server_sources(session, session.fleet.names) if session else []
        self.title = "log of the server" if sources else BY_HAND
        self._feed = Feed(session.fleet, sources, ring=self.ring) if session and sources else None

    def begin(self) -> None:
        """Reads, or goes on to."""
        if self._feed is not None and self._reading is None:
            self._reading = asyncio.create_task(self._feed.run(), name="server log")

    def rest(self) -> None:
        """Stops reading; what was read stays."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = None
