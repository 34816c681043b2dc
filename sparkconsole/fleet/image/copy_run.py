"""Carrying copies out: each host has an outcome of its own, and no host's failure stops another's copy.

A copy is called done only after the receiver's content was compared and a container could be created from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.image.copy_plan import delivery_steps
from sparkconsole.fleet.image.copy_survey import CopyTask, find_image
from sparkconsole.fleet.jobs import follow_job, forget_job, job_state
from sparkconsole.model.cluster import Node
from sparkconsole.model.docker import same_content
from sparkconsole.model.image.copy import Receiver, authorise_hint
from sparkconsole.model.text.printable import printable
from sparkconsole.model.text.units import hms, size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job
from sparkconsole.model.work.news import Advance, Remark, Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.parse.diagnose.cause import cause_of
from sparkconsole.parse.image.copy import ByteProgress, CopyLog
from sparkconsole.parse.known import During
from sparkconsole.remote.image.transfer import relay, usable

COPIED, SAME, FAILED, UNKNOWN = "copied", "already there", "failed", "unknown"
"""How a copy to one host ended."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the copy to one host ended."""

    host: str
    state: str
    sent_bytes: int = 0
    seconds: float = 0.0
    detail: str = ""
    exit_code: int = 0

    def as_data(self) -> dict[str, Any]:
        """The result as JSON gives it."""
        return {
            "host": self.host,
            "state": self.state,
            "bytes": self.sent_bytes,
            "seconds": round(self.seconds, 1),
            "detail": self.detail,
        }


@dataclass(slots=True)
class _CopyWatch:
    """Follows one copy's log."""

    fleet: Fleet
    job: Job
    report: Report
    log: CopyLog = field(default_factory=CopyLog)

    proof: asyncio.Future[None] | None = None
    """Under way, or done."""
    _registering: bool = False
    _fallback: str = ""

    @property
    def host(self) -> str:
        """The receiver."""
        return str(self.job.details["host"])

    async def to_the_end(self) -> None:
        async for line in follow_job(self.fleet, self.job):
            if progress := self.log.feed(printable(line)):
                self._tell(progress)
            self._tell_turns()
            if self.log.sent is not None and self.proof is None:
                # The sender still puts its tools away: proved meanwhile.
                self.proof = asyncio.ensure_future(self.prove())

    async def prove(self) -> None:
        """The receiver has the sender's content under that name; SparkError when not."""
        await verify(self.fleet, self.job.node, self.host, str(self.job.details["tag"]))

    def _tell_turns(self) -> None:
        """What changes how the copy goes on, each once."""
        if self.log.fallback != self._fallback:
            self._registering, self._fallback = False, self.log.fallback
            why = f"the missing layers alone could not be sent ({self.log.fallback})"
            self.report(Remark(f"{why}; {self.host} gets the image by docker save", self.host))
        if self.log.all_sent and not self._registering:
            self._registering = True
            self.report(Remark(f"all bytes sent; the engine of {self.host} registers the layers", self.host))

    def _tell(self, progress: ByteProgress) -> None:
        total = progress.total or self.job.details.get("bytes")
        reached = total if isinstance(total, int) and total >= progress.done else None
        eta = progress.eta_s(reached)
        news = (progress.rate_per_s, eta, progress.elapsed_s)
        what = f"copy {self.job.details['tag']}"
        piece = self.log.layer.words if self.log.layer else ""
        self.report(Advance(self.host, what, progress.done, reached, "B", *news, piece=piece))


async def send_all(
    fleet: Fleet,
    deliveries: Sequence[CopyTask],
    report: Report,
    *,
    parallel: bool,
) -> tuple[Result, ...]:
    """Every delivery by a detached job; Unreachable, after all were tried, when the sender is lost."""
    return await _each((partial(_send_one, fleet, d, report) for d in deliveries), parallel)


async def relay_all(
    fleet: Fleet, deliveries: Sequence[CopyTask], tag: str, sender: str, report: Report, *, parallel: bool
) -> tuple[Result, ...]:
    """Every delivery through this console."""
    return await _each((partial(_relay_one, fleet, d, tag, sender, report) for d in deliveries), parallel)


async def _each(sends: Iterable[Callable[[], Awaitable[Result]]], parallel: bool) -> tuple[Result, ...]:
    """All of them, one after the other or side by side; a lost sender is told after every one was tried."""

    async def tried(send: Callable[[], Awaitable[Result]]) -> Result | Unreachable:
        try:
            return await send()
        except Unreachable as error:
            return error

    ended = await asyncio.gather(*map(tried, sends)) if parallel else [await tried(send) for send in sends]
    for end in ended:
        if isinstance(end, Unreachable):
            raise end
    return tuple(end for end in ended if isinstance(end, Result))


async def _send_one(fleet: Fleet, delivery: CopyTask, report: Report) -> Result:
    job, host = delivery.job, delivery.receiver.name
    if job is None:
        return untouched(delivery)
    plan = Plan(f"copy to {host}", delivery_steps(delivery))
    started = await execute_plan(fleet, plan, report)
    if not started.ok:
        return Result(host, FAILED, detail=started.failures()[0].detail, exit_code=1)
    return await follow_one(fleet, job, report)


async def follow_one(fleet: Fleet, job: Job, report: Report) -> Result:
    """One copy's end, verified. May start in the middle or after it; Unreachable when the sender is lost."""
    host, watch = str(job.details["host"]), _CopyWatch(fleet, job, report)
    guest = Node.model_validate(job.details["receiver"])
    fleet.include(guest)
    state = await job_state(fleet, job)
    try:
        if state.known:
            await watch.to_the_end()
            state = await job_state(fleet, job)
        if state.known and not (watch.log.ok and state.status == 0):
            result = _failed(job, watch.log)
        else:
            result = await _verified(watch, never_started=not state.known)
    finally:
        if watch.proof is not None:
            watch.proof.cancel()
    await forget_job(fleet, job)
    _remark(report, result)
    return replace(result, host=host)


def _failed(job: Job, log: CopyLog) -> Result:
    sent, took = _measured(log)
    if log.ends is None and not log.error:
        cause = (
            "the copy was ended before its end (stopped, killed, or the sender restarted); nothing was loaded"
        )
    else:
        cause = log.cause() + _advice(job, log)
    return Result(str(job.details["host"]), FAILED, sent, took, cause, 1)


def _advice(job: Job, log: CopyLog) -> str:
    login, _, address = str(job.details["target"]).rpartition("@")
    receiver = Receiver(str(job.details["host"]), address, login, int(job.details["port"]))
    if log.login_refused():
        return " → " + authorise_hint(receiver, job.node)
    if log.key_refused():
        return f" → another machine answers at {address}, or its key changed: look at {receiver.name}"
    known = cause_of(log.cause(), During.COPY)
    return f" → {known.remedy}" if known else ""


def _measured(log: CopyLog) -> tuple[int, float]:
    done, took = (log.progress.done, log.progress.elapsed_s) if log.progress else (0, 0.0)
    return (done if log.sent is None else log.sent), took


async def _verified(watch: _CopyWatch, *, never_started: bool = False) -> Result:
    """Compares what the receiver has now with the sender's; a receiver that cannot be asked is unknown."""
    host, log = watch.host, watch.log
    sent, took = _measured(log)
    try:
        await (watch.proof or watch.prove())
    except Unreachable as error:
        return Result(host, UNKNOWN, sent, took, f"sent, but it cannot be asked: {error.cause}", 3)
    except SparkError as error:
        cause = f"the sender knows no such copy, and {error.cause}" if never_started else error.cause
        return Result(host, FAILED, sent, took, cause, 1)
    return Result(host, COPIED, sent, took, _fell_back(log))


def _fell_back(log: CopyLog) -> str:
    """What went another way than planned, and why; empty when nothing did."""
    way = "sent by docker save" if log.sent is not None else "the whole image was sent"
    return log.fallback and f"{way}: {log.fallback}"


async def verify(fleet: Fleet, sender: str, host: str, tag: str) -> None:
    """The receiver has the sender's content under that tag and makes containers of it; SparkError if not."""
    from sparkconsole.remote.docker.engine import image

    shell = await fleet.shell(host)
    ours, theirs = await asyncio.gather(find_image(fleet, sender, tag), image(shell, tag))
    if theirs is None:
        raise SparkError(f"{tag} is not there", hint="copy it again: sparkconsole image copy", node=host)
    if not same_content(ours, theirs):
        raise SparkError(f"{tag} there has other content than on {sender}", hint="copy it again", node=host)
    await usable(shell, tag)


async def _relay_one(fleet: Fleet, delivery: CopyTask, tag: str, sender: str, report: Report) -> Result:
    """One copy through this console, verified."""
    host, began = delivery.receiver.name, fleet.clock.monotonic()
    if not delivery.to_send:
        return untouched(delivery)
    sent = 0

    def count(total: int) -> None:
        nonlocal sent
        sent = total
        progress = ByteProgress(total, fleet.clock.monotonic() - began)
        reached = delivery.bytes_total if (delivery.bytes_total or 0) >= total else None
        news = (progress.rate_per_s, progress.eta_s(reached), progress.elapsed_s)
        report(Advance(host, f"copy {tag}", total, reached, "B", *news))

    try:
        await relay(await fleet.shell(sender), await fleet.shell(host), tag, count)
        await verify(fleet, sender, host, tag)
        result = Result(host, COPIED, sent)
    except SparkError as error:
        result = Result(host, FAILED, sent, detail=error.cause, exit_code=1)
    result = replace(result, seconds=fleet.clock.monotonic() - began)
    _remark(report, result)
    return result


def untouched(delivery: CopyTask) -> Result:
    """The result for a receiver for which nothing had to be, or could be, done."""
    if delivery.problem is not None:
        advice = f" → {delivery.problem.hint}" if delivery.problem.hint else ""
        state = UNKNOWN if isinstance(delivery.problem, Unreachable) else FAILED
        return Result(delivery.receiver.name, state, detail=delivery.problem.cause + advice, exit_code=1)
    return Result(delivery.receiver.name, SAME)


def _remark(report: Report, result: Result) -> None:
    level = "done" if result.exit_code == 0 else "error"
    if result.exit_code:
        text = f"copy to {result.host} {result.state}: {result.detail}"
    else:
        text = f"copy to {result.host} completed in {hms(result.seconds)} ({size(result.sent_bytes)})"
    report(Remark(text, "", level))


def answer_of(results: Sequence[Result], total_s: float | None = None) -> Answer:
    """The final table: every host with its outcome, bytes and time; exit code 1 when any copy failed."""
    rows = [
        (r.host, r.state, size(r.sent_bytes) if r.sent_bytes else None, hms(r.seconds), r.detail)
        for r in results
    ]
    total = max((r.seconds for r in results), default=0.0) if total_s is None else total_s
    sheet = Sheet.of(("host", "image", "sent", "time", "why"), rows)
    data = {"hosts": [r.as_data() for r in results], "seconds": round(total, 1)}
    return Answer(data, (sheet, f"total time {hms(total)}"), exit_code=_worst(results))


def _worst(results: Sequence[Result]) -> int:
    codes = {r.exit_code for r in results}
    return 1 if 1 in codes else max(codes, default=0)
