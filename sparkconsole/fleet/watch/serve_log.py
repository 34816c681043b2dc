"""The log of one serving job, followed as long as it runs: how far the start is, why it failed, NCCL's words.

It is read in bounded pieces: of a log that has grown long, its beginning and its end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress

from sparkconsole.errors import SparkError
from sparkconsole.fleet.jobs import follow_job, job_state
from sparkconsole.fleet.watch.context import WatchContext
from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.model.serve.spec import ServeProgress, StartFailure, advance
from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.job import Job, JobState
from sparkconsole.parse.diagnose.explain import explain_line
from sparkconsole.parse.fabric.nccl import speaks_of_nccl, spoken_on, transport
from sparkconsole.parse.serve.engine_death import message, tells_of_death, tells_of_start
from sparkconsole.parse.serve.vllm_serve import first_cause, read_line

LONG = 2 << 20
HEAD, TAIL = 512 << 10, 256 << 10
"""Bytes: from where on a log is long, and what is read of such a one."""
KEPT_FIRST, KEPT_LAST, KEPT_NCCL = 2000, 2000, 200
"""Lines."""
SHOWN = 300
"""Characters of the line that ended it."""
_NEWS = (LineKind.CAUSE, LineKind.FACT)
"""What is told while a log grows: the first cause of what follows or ends is known only once it ended."""


class ServeLog:
    """`start` follows; `progress`, `cause` and `ended` tell what it said so far."""

    def __init__(self, scope: WatchContext, job: Job, dies: Callable[[], object] = lambda: None) -> None:
        """`dies` is called at the line that says so, whatever the watch is waiting for."""
        self.job, self._scope, self._dies = job, scope, dies
        self.death = ""
        """The first line that says that the engine or a rank died; empty: none does since it started."""
        self.progress = ServeProgress()
        self.heard_at_s: float | None = None
        """When it last said something, by the clock of the watch."""
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=KEPT_LAST)
        self._nccl: dict[str, deque[str]] = {}
        self._told: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follows from now on; after an end it begins anew."""
        if self._task is None or self.ended:
            self._task = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        """Nothing is followed any more: the job ended, or its node stayed away."""
        return self._task is not None and self._task.done()

    async def aclose(self) -> None:
        """Follows no longer; the job goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def cause(self) -> StartFailure | None:
        """The first real cause in it."""
        return first_cause(self.lines())

    def lines(self) -> list[str]:
        """What is kept of it: its beginning and its end."""
        return [*self._first, *self._last]

    async def end(self) -> JobState:
        """How the job stands on its node."""
        return await job_state(self._scope.fleet, self.job)

    async def _run(self) -> None:
        with suppress(SparkError):
            size = (await self.end()).log_bytes
            begin = 0
            if size > LONG:
                await self._read(0, HEAD)
                begin = size - TAIL
            await self._read(begin, None)

    async def _read(self, offset: int, most: int | None) -> None:
        read, torn = 0, offset > 0
        async with aclosing(follow_job(self._scope.fleet, self.job, offset=offset)) as lines:  # type: ignore[type-var]
            async for line in lines:
                if torn:
                    torn = False  # its beginning is not here: what it quotes could look like its own
                    continue
                self._take(line)
                read += len(line) + 1
                if most is not None and read > most:
                    return

    def _take(self, line: str) -> None:
        self.heard_at_s = self._scope.clock.monotonic()
        if len(self._first) < KEPT_FIRST:
            self._first.append(line)
        else:
            self._last.append(line)
        self.progress = advance(self.progress, read_line(line))
        self._judge(line)
        if speaks_of_nccl(line):
            self._heard(line)
        if (found := explain_line(line)) and found.kind in _NEWS and found.severity is not Weight.INFO:
            self._tell(found)

    def _judge(self, line: str) -> None:
        if self.death and tells_of_start(line):
            self.death = ""
        elif not self.death and tells_of_death(line):
            self.death = message(line)[:SHOWN]
            self._dies()

    def _tell(self, found: Diagnosis) -> None:
        """A finding is an event of its node, once; an error stands on the node's card too."""
        node = (found.node and self._scope.node_at(found.node)) or self.job.node
        if (found.id, node) in self._told:
            return
        self._told.add((found.id, node))
        text = printable(found.text)
        if own := self._scope.own_end(self.job.id):
            self._scope.tell("info", node, f"the server's log: {text} ({own})")
            return
        self._scope.tell(found.severity.value, node, f"the server's log: {text}")
        state = self._scope.store.nodes.get(node)
        if state is not None and found.severity is Weight.ERROR and not state.log_error:
            self._scope.store.update(node, log_error=text)

    def _heard(self, line: str) -> None:
        """A line belongs to the node that spoke, which with Ray is not always the one that has the log."""
        address = spoken_on(line)
        node = self._scope.node_at(address) if address else self.job.node
        state = self._scope.store.nodes.get(node)
        if state is None:
            return
        first = node not in self._nccl
        lines = self._nccl.setdefault(node, deque(maxlen=KEPT_NCCL))
        lines.append(printable(line))
        before = "" if first else state.nccl
        self._scope.store.update(node, nccl=transport(line, before), nccl_lines=tuple(lines))
