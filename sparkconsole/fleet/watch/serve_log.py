"""The log of one serving job, followed as long as it runs; what it says of nodes goes into the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from sparkconsole.clock import cancelled
from sparkconsole.errors import SparkError
from sparkconsole.fleet.jobs import job_state
from sparkconsole.fleet.serve.log import follow
from sparkconsole.fleet.watch.context import WatchContext
from sparkconsole.model.logs.diagnosis import Diagnosis, Weight
from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.job import Job, JobState
from sparkconsole.parse.diagnose.nccl import speaks_of_nccl, spoken_on, transport
from sparkconsole.parse.serve.serve_log import ServeLogReader, finding

KEPT_LAST, KEPT_NCCL = 2000, 200
"""Lines."""


class FollowedLog:
    """`start` follows; `reader` tells what it said so far."""

    def __init__(self, scope: WatchContext, job: Job, dies: Callable[[], object] = lambda: None) -> None:
        """`dies` is called at the line that says so, whatever the watch is waiting for."""
        self.job, self._scope, self._dies = job, scope, dies
        self.reader = ServeLogReader(last=KEPT_LAST, named=scope.fleet.named)
        self.heard_at_s: float | None = None
        """When it last said something, by the clock of the watch."""
        self._nccl: dict[str, tuple[str, deque[str]]] = {}
        self._reported: set[tuple[str, str]] = set()
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
            await cancelled((self._task,))

    async def end(self) -> JobState:
        """How the job stands on its node."""
        return await job_state(self._scope.fleet, self.job)

    async def _run(self) -> None:
        with suppress(SparkError):
            async for line in follow(self._scope.fleet, self.job, self.reader, bounded=True):
                self._take(line)

    def _take(self, line: str) -> None:
        self.heard_at_s = self._scope.clock.monotonic()
        if self.reader.dies:
            self._dies()
        if speaks_of_nccl(line):
            self._heard(line)
        if found := finding(line):
            self._tell(found)

    def _tell(self, found: Diagnosis) -> None:
        """A finding is an event of its node, once; an error stands on the node's card too."""
        node = (found.node and self._scope.node_at(found.node)) or self.job.node
        if (found.id, node) in self._reported:
            return
        self._reported.add((found.id, node))
        text, own = printable(found.text), self._scope.own_end(self.job.id)
        self._scope.tell(found.severity.value, node, f"the server's log: {text}", own)
        state = self._scope.store.nodes.get(node)
        if not own and state is not None and found.severity is Weight.ERROR and not state.log_error:
            self._scope.store.update(node, log_error=text)

    def _heard(self, line: str) -> None:
        """A line belongs to the node that spoke, which with Ray is not always the one that has the log."""
        address = spoken_on(line)
        node = self._scope.node_at(address) if address else self.job.node
        before, lines = self._nccl.get(node, ("", deque[str](maxlen=KEPT_NCCL)))
        lines.append(printable(line))
        self._nccl[node] = transport(line, before), lines
        self._scope.store.update(node, nccl=self._nccl[node][0], nccl_lines=tuple(lines))

    def tell_transport(self) -> None:
        """Puts into the store what it said of NCCL so far."""
        for node, (used, lines) in self._nccl.items():
            self._scope.store.update(node, nccl=used, nccl_lines=tuple(lines))
