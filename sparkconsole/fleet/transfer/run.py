"""Carrying copies out: each receiver has an outcome of its own, and no failure stops another's copy.

A copy is called done only after what the receiver has now was compared with what the sender has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import follow_job, forget_job, job_state, persistently
from sparkconsole.fleet.transfer.plan import CopyTask, Task, copied_name, copy_steps
from sparkconsole.fleet.waiting import waiting
from sparkconsole.model.cluster import Node
from sparkconsole.model.text.printable import printable
from sparkconsole.model.text.units import hms, size
from sparkconsole.model.transfer.outcome import ByteProgress, CopyResult, CopyState
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job, JobState
from sparkconsole.model.work.news import Advance, Remark, Report
from sparkconsole.model.work.plan import Plan


class TransferLog(Protocol):
    """A copy's log: it is fed every line."""

    def feed(self, line: str) -> ByteProgress | None:
        """New progress, when the line tells any."""

    @property
    def measured(self) -> tuple[int, float]:
        """Bytes that were sent, and seconds."""


class Payload(Protocol):
    """What a running copy carries, an image or a model: all that the engine does not know by itself."""

    job: Job
    log: TransferLog
    done: str
    """What is said of a copy that came to its proved end."""
    unproved: str
    """What is said when all was sent and an end cannot be asked for its proof."""

    def failed(self, state: JobState) -> bool:
        """By its log and its job's end."""

    def why(self) -> str:
        """Why it failed, and what to do next."""

    async def prove(self, fleet: Fleet) -> None:
        """The receiver has what the sender has; SparkError when not."""

    @property
    def arrived(self) -> bool:
        """All of it is there while the sender still puts its tools away."""
        return False

    @property
    def piece(self) -> str:
        """The part that is under way."""
        return ""

    @property
    def amiss(self) -> str:
        """What of a good copy went another way than planned."""
        return ""

    def turns(self) -> Iterator[str]:
        """What changes how the copy goes on, each once."""
        return iter(())

    def refuted(self, error: SparkError, *, started: bool) -> str:
        """What is said when the proof fails."""
        return error.cause

    def lost(self, error: SparkError) -> CopyResult:
        """The result when the copy could not be followed to its end, or the error itself."""
        raise error


async def send_all(
    fleet: Fleet,
    tasks: Sequence[CopyTask],
    payload: Callable[[Job], Payload],
    report: Report,
    *,
    parallel: bool,
) -> tuple[CopyResult, ...]:
    """Every task by a detached job; what a payload raises for a lost sender comes after all were tried."""

    async def send(task: CopyTask) -> CopyResult:
        if task.job is None:
            return untouched(task)
        host = task.receiver.name
        started = await execute_plan(fleet, Plan(f"copy to {host}", copy_steps(task)), report)
        copy = payload(task.job)
        for failure in started.failures():
            if failure.unseen:
                return copy.lost(Unreachable(failure.detail, node=failure.step.node))
            return CopyResult(host, CopyState.FAILED, detail=failure.detail, exit_code=1)
        try:
            return await follow_one(fleet, copy, report)
        except SparkError as error:
            return copy.lost(error)

    return await each(tasks, send, parallel)


async def each(
    tasks: Sequence[Task], send: Callable[[Task], Awaitable[CopyResult]], parallel: bool
) -> tuple[CopyResult, ...]:
    """All of them, one after the other or side by side; what ends them all is told after each was tried."""

    async def tried(task: Task) -> CopyResult | SparkError:
        try:
            return await send(task)
        except SparkError as error:
            return error

    ended = await together(*map(tried, tasks)) if parallel else [await tried(task) for task in tasks]
    for end in ended:
        if isinstance(end, SparkError):
            raise end
    return tuple(end for end in ended if isinstance(end, CopyResult))


async def follow_one(fleet: Fleet, copy: Payload, report: Report) -> CopyResult:
    """One copy's end, proved. May start in the middle or after it; SparkError when it cannot be followed."""
    fleet.include(Node.model_validate(copy.job.details["receiver"]))
    result = await _Following(fleet, copy, report).to_the_result()
    if result.state is not CopyState.UNKNOWN:  # `runs attach` looks again
        await forget_job(fleet, copy.job)
    tell_end(report, result, copy.done)
    return result


@dataclass(slots=True)
class _Following:
    """Follows one copy's log, and has its end proved."""

    fleet: Fleet
    copy: Payload
    report: Report
    proof: asyncio.Future[None] | None = None
    """Under way, or done."""

    @property
    def host(self) -> str:
        return str(self.copy.job.details["host"])

    async def to_the_result(self) -> CopyResult:
        state = await job_state(self.fleet, self.copy.job)
        failed = False
        try:
            if state.known:
                await self._to_the_end()
                state = await job_state(self.fleet, self.copy.job)
                failed = self.copy.failed(state)
            if failed:
                return self._result(CopyState.FAILED, self.copy.why(), 1)
            return await self._proved(started=state.known)
        finally:
            if self.proof is not None:
                self.proof.cancel()

    async def _to_the_end(self) -> None:
        copy, what = self.copy, f"copy {copied_name(self.copy.job.details)}"
        expected, sent = copy.job.details.get("bytes"), -1

        def stalled(seconds: float) -> Iterator[tuple[str, str]]:
            if isinstance(expected, int) and sent >= expected:
                yield self.host, f"all was sent {seconds:.0f} s ago; the node is at its end of it"
            else:
                yield (
                    self.host,
                    f"no byte of the copy for {seconds:.0f} s: look at the link between both nodes",
                )

        async with waiting(stalled) as wait:
            async for line in follow_job(self.fleet, copy.job):
                progress = copy.log.feed(printable(line))
                if progress is None or progress.done != sent:  # a sender counts on while nothing goes
                    wait.heard()
                if progress:
                    sent = progress.done
                    tell_progress(self.report, self.host, what, progress, expected, copy.piece)
                for text in copy.turns():
                    self.report(Remark(text, self.host))
                if copy.arrived and self.proof is None:
                    self.proof = asyncio.ensure_future(self._prove())

    async def _proved(self, *, started: bool) -> CopyResult:
        """Compares what the receiver has now with the sender's; one that cannot be asked is unknown."""
        try:
            await (self.proof or self._prove())
        except (Unreachable, TimedOut) as error:
            return self._result(CopyState.UNKNOWN, f"sent, but {self.copy.unproved}: {error.cause}", 3)
        except SparkError as error:
            return self._result(CopyState.FAILED, self.copy.refuted(error, started=started), 1)
        return self._result(CopyState.COPIED, self.copy.amiss)

    async def _prove(self) -> None:
        await persistently(self.fleet, lambda: self.copy.prove(self.fleet))

    def _result(self, state: CopyState, detail: str, exit_code: int = 0) -> CopyResult:
        return CopyResult(self.host, state, *self.copy.log.measured, detail, exit_code)


def untouched(task: CopyTask) -> CopyResult:
    """The result for a receiver for which nothing had to be, or could be, done."""
    host, error = task.receiver.name, task.problem
    if error is None:
        return CopyResult(host, CopyState.SAME)
    state = CopyState.UNKNOWN if isinstance(error, Unreachable) else CopyState.FAILED
    advice = f" → {error.hint}" if error.hint else ""
    return CopyResult(host, state, detail=error.cause + advice, exit_code=1)


def tell_progress(
    report: Report, host: str, what: str, progress: ByteProgress, expected: object, piece: str = ""
) -> None:
    """How far the bytes are, of the total that the sender counted, else of what was expected."""
    total = progress.total or expected
    reached = total if isinstance(total, int) and total >= progress.done else None
    news = (progress.rate_per_s, progress.eta_s(reached), progress.elapsed_s)
    report(Advance(host, what, progress.done, reached, "B", *news, piece=piece))


def tell_end(report: Report, result: CopyResult, done: str) -> None:
    """One line for the end of one copy."""
    if result.exit_code:
        text = f"copy to {result.host} {result.state}: {result.detail}"
    else:
        text = f"copy to {result.host} {done} in {hms(result.seconds)} ({size(result.sent_bytes)})"
    report(Remark(text, "", "error" if result.exit_code else "done"))


def answer_of(results: Sequence[CopyResult], noun: str, total_s: float | None = None) -> Answer:
    """The final table: every host with its outcome, bytes and time; exit code 1 when any copy failed."""
    rows = [
        (r.host, r.state.value, size(r.sent_bytes) if r.sent_bytes else None, hms(r.seconds), r.detail)
        for r in results
    ]
    total = max((r.seconds for r in results), default=0.0) if total_s is None else total_s
    sheet = Sheet.of(("host", noun, "sent", "time", "why"), rows)
    data = {"hosts": [r.as_data() for r in results], "seconds": round(total, 1)}
    codes = {r.exit_code for r in results}
    exit_code = 1 if 1 in codes else max(codes, default=0)
    return Answer(data, (sheet, f"total time {hms(total)}"), exit_code=exit_code)
