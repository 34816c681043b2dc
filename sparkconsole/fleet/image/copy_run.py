"""An image as the payload of a copy: its log, its proof, advice when it fails; and the way through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sparkconsole.clock import together
from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.image.copy_survey import ImageTask, find_image
from sparkconsole.fleet.jobs import persistently
from sparkconsole.fleet.transfer.plan import receiver_of
from sparkconsole.fleet.transfer.run import Payload, each, tell_end, tell_progress, untouched
from sparkconsole.model.docker import same_content
from sparkconsole.model.transfer.ends import authorise_hint
from sparkconsole.model.transfer.outcome import ByteProgress, CopyResult, CopyState
from sparkconsole.model.work.job import Job, JobState
from sparkconsole.model.work.news import Report
from sparkconsole.parse.diagnose.explain import cause_of
from sparkconsole.parse.image.copy_log import CopyLog
from sparkconsole.parse.known import During
from sparkconsole.remote.image.transfer import relay, usable

DONE = "completed"


@dataclass(slots=True)
class ImagePayload(Payload):
    """An image: the layers that a receiver lacks, or all of it."""

    job: Job
    log: CopyLog = field(default_factory=CopyLog)
    done: str = DONE
    unproved: str = "it cannot be asked"
    _registering: bool = False
    _fallback: str = ""

    @property
    def arrived(self) -> bool:
        return self.log.sent is not None

    @property
    def piece(self) -> str:
        return self.log.layer.words if self.log.layer else ""

    @property
    def amiss(self) -> str:
        way = "sent by docker save" if self.log.sent is not None else "the whole image was sent"
        return self.log.fallback and f"{way}: {self.log.fallback}"

    def turns(self) -> Iterator[str]:
        host = self.job.details["host"]
        if self.log.fallback != self._fallback:
            self._registering, self._fallback = False, self.log.fallback
            why = f"the missing layers alone could not be sent ({self.log.fallback})"
            yield f"{why}; {host} gets the image by docker save"
        if self.log.all_sent and not self._registering:
            self._registering = True
            yield f"all bytes sent; the engine of {host} registers the layers"

    def failed(self, state: JobState) -> bool:
        return state.known and not (self.log.ok and state.status == 0)

    def why(self) -> str:
        if self.log.ends is None and not self.log.error:
            how = "stopped, killed, or the sender restarted"
            return f"the copy was ended before its end ({how}) → {self._again()}"
        return self.log.cause() + self._advice()

    def _advice(self) -> str:
        receiver = receiver_of(self.job)
        if self.log.login_refused():
            return " → " + authorise_hint(receiver, self.job.node)
        if self.log.key_refused():
            changed = f"another machine answers at {receiver.address}, or its key changed"
            return f" → {changed}: look at {receiver.name}"
        known = cause_of(self.log.cause(), During.COPY)
        remedy = known.remedy if known else ""
        if self.log.arrived:
            first = remedy.removesuffix("copy again").removesuffix("; then ")
            remedy = "; then ".join(filter(None, (first, self._again())))
        return f" → {remedy}" if remedy else ""

    def _again(self) -> str:
        """What arrived stays there, nameless, for the next copy: nobody looks for it who is not told."""
        count = len(self.log.arrived)
        layers = "the layer" if count == 1 else f"the {count} layers"
        return f"copy again: it goes on from {layers} that arrived" if count else "copy again"

    async def prove(self, fleet: Fleet) -> None:
        await verify(fleet, self.job.node, str(self.job.details["host"]), str(self.job.details["tag"]))

    def refuted(self, error: SparkError, *, started: bool) -> str:
        return error.cause if started else f"the sender knows no such copy, and {error.cause}"


async def verify(fleet: Fleet, sender: str, host: str, tag: str) -> None:
    """The receiver has the sender's content under that tag and makes containers of it; SparkError if not."""
    from sparkconsole.remote.docker.engine import image

    shell = await fleet.shell(host)
    ours, theirs = await together(find_image(fleet, sender, tag), image(shell, tag))
    if theirs is None:
        raise SparkError(f"{tag} is not there", hint="copy it again: sparkconsole image copy", node=host)
    if not same_content(ours, theirs):
        raise SparkError(f"{tag} there has other content than on {sender}", hint="copy it again", node=host)
    await usable(shell, tag)


async def relay_all(
    fleet: Fleet, deliveries: Sequence[ImageTask], tag: str, sender: str, report: Report, *, parallel: bool
) -> tuple[CopyResult, ...]:
    """Every delivery through this console, verified."""

    async def relayed(delivery: ImageTask) -> CopyResult:
        host, began, sent = delivery.receiver.name, fleet.clock.monotonic(), 0
        if not delivery.to_send:
            return untouched(delivery)

        def count(total: int) -> None:
            nonlocal sent
            sent = total
            progress = ByteProgress(total, fleet.clock.monotonic() - began)
            tell_progress(report, host, f"copy {tag}", progress, delivery.bytes_total)

        state, detail = CopyState.COPIED, ""
        try:
            await relay(await fleet.shell(sender), await fleet.shell(host), tag, count)
            await persistently(fleet, lambda: verify(fleet, sender, host, tag))
        except SparkError as error:
            state, detail = CopyState.FAILED, error.cause
        seconds, failed = fleet.clock.monotonic() - began, int(state is CopyState.FAILED)
        result = CopyResult(host, state, sent, seconds, detail, failed)
        tell_end(report, result, DONE)
        return result

    return await each(deliveries, relayed, parallel)
