"""Copies of a model from one node to others: looked at first, sent by a detached job, proved at the end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from sparkconsole.clock import together
from sparkconsole.errors import Refused, SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.fleet.jobs import follow_job
from sparkconsole.fleet.transfer import receivers
from sparkconsole.fleet.transfer.plan import CopyTask, plan_of, receiver_notes, receiver_of, with_job
from sparkconsole.fleet.transfer.run import Payload, tell_progress
from sparkconsole.model.checkpoint.files import MARGIN_BYTES, CheckpointFiles, MissingFiles, shipment
from sparkconsole.model.cluster import Node
from sparkconsole.model.text.printable import printable
from sparkconsole.model.text.units import size
from sparkconsole.model.transfer.ends import authorise_hint
from sparkconsole.model.transfer.outcome import CopyResult, CopyState
from sparkconsole.model.work.job import Job, JobKind, JobState
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.parse.checkpoint.files import MoveLog
from sparkconsole.parse.diagnose.explain import cause_of
from sparkconsole.parse.known import During
from sparkconsole.remote.checkpoint.files import FileTransfer, holding, manifest

STREAMS = 4
ROOM = "sparkconsole model list shows what each model takes"
"""How room is made for a model."""


async def find_model(
    fleet: Fleet, model: str, revision: str, sender: str | None, *, hashing: bool = False
) -> tuple[str, CheckpointFiles]:
    """The node that has it whole, and what it has: the one that was named, else the first; SparkError when
    there is none."""
    names = (sender,) if sender else fleet.names
    asked = await fleet.ask(lambda shell: holding(shell, model, revision), names)
    found = answered(asked)
    whole = next((name for name, held in found.items() if not held.why_incomplete), None)
    if whole is None:
        raise _nowhere(model, found) if found else next(iter(failed(asked).values()))
    if not hashing:
        return whole, found[whole]
    held = await holding(await fleet.shell(whole), model, revision, hashing=True)
    if held.why_incomplete:
        raise SparkError(f"{model} is not whole: {held.why_incomplete}", hint=_again(model), node=whole)
    return whole, held


def _nowhere(model: str, found: dict[str, CheckpointFiles]) -> SparkError:
    there = {name: held for name, held in found.items() if held.present}
    if not there:
        return SparkError(f"{model} is not on {', '.join(found)}", hint=_again(model))
    why = "; ".join(f"{name}: {held.why_incomplete}" for name, held in there.items())
    return SparkError(f"no node has {model} whole: {why}", hint=_again(model))


def _again(model: str) -> str:
    if model.startswith(("/", "~")):
        return "it is a folder of a node: bring it to one of them first"
    return f"sparkconsole model download {model}"


async def survey(
    fleet: Fleet,
    model: str,
    source: CheckpointFiles,
    sender: str,
    nodes: Sequence[Node],
    *,
    hashing: bool,
    streams: int,
) -> tuple[CopyTask, ...]:
    """Every receiver, side by side; one that cannot be used carries its problem and stops no other."""
    there, named = _there(model, source), {"model": model, "revision": source.revision}

    async def judged(node: Node) -> CopyTask:
        try:
            shell = await fleet.shell(node.name)
            target = await holding(shell, there, source.revision, hashing=hashing, beside=hashing)
            what = shipment(source, target)
            _require_usable(node.name, source, target, what)
            if what.empty:
                return CopyTask(node, receivers.as_configured(node), same=True)
            size_bytes = what.size_bytes - what.arrived
            receivers.require_room(node.name, target.free, target.there, size_bytes + MARGIN_BYTES, ROOM)
            receiver, warning = await receivers.way(fleet, node, sender)
        except SparkError as error:
            error.node = error.node or node.name
            return CopyTask(node, receivers.as_configured(node), problem=error)
        way = FileTransfer(what, manifest(receiver, source, target, what, streams))
        found = CopyTask(node, receiver, warning=warning, bytes_total=size_bytes, transfer=way)
        more = {"bytes": what.size_bytes, "damaged": sorted(what.again)}
        return with_job(found, JobKind.MODEL_COPY, sender, fleet.fresh, named, more)

    return tuple(await together(*map(judged, nodes)))


def _there(model: str, source: CheckpointFiles) -> str:
    """A folder in the sender's home is one in the receiver's."""
    if not model.startswith("/") or not model.startswith(f"{source.home}/"):
        return model
    return f"~{model.removeprefix(source.home)}"


def rights_hint(node: str, target: CheckpointFiles) -> str:
    """How the login gets a place to write: never by giving it a folder that others use too."""
    user, home = shlex.quote(target.user), target.home.rstrip("/") + "/"
    inside = f"{target.there}/".startswith((home, f"{target.root}/"))
    if inside and f"{target.there}/" != home:
        return f"on {node}: sudo chown -R {user} {shlex.quote(target.there)}"
    return f"on {node}: sudo install -d -o {user} {shlex.quote(target.root)}"


def _require_usable(node: str, source: CheckpointFiles, target: CheckpointFiles, what: MissingFiles) -> None:
    """What is there can be read and is whole; what lacks can be written."""
    closed = tuple(p for p in target.unreadable if p in source.files and p not in what.files)
    if closed:
        names = ", ".join(map(target.name_of, closed[:3])) + ", …" * (len(closed) > 3)
        hint = f"on {node}: sudo chown -R {target.user} {shlex.quote(f'{target.root}/{closed[0]}')}"
        raise Refused(f"{names} may not be read by {target.user}", hint=hint, node=node)
    if what.empty and target.why_incomplete:
        raise SparkError(f"not whole there: {target.why_incomplete}", hint="remove that there", node=node)
    if not what.empty and not target.writable:
        cause = f"{target.there} belongs to {target.owner} and {target.user} may not write there"
        raise Refused(cause, hint=rights_hint(node, target), node=node)


def copy_plan(tasks: Sequence[CopyTask], model: str, sender: str, source: CheckpointFiles) -> Plan:
    """The copies, and what the person should know first."""
    notes = (
        *receiver_notes(tasks, "all of it"),
        f"{size(source.size_bytes)} in {len(source.files)} files, revision {source.revision or '–'}",
        "each file is hashed as it arrives and gets its name only when it is right; links come last",
    )
    return plan_of(tasks, model, sender, "model", notes)


async def watch_download(fleet: Fleet, job: Job, report: Report) -> MoveLog:
    """Follows a download to its end."""
    log, what = MoveLog(), f"download {job.details['model']}"
    async for line in follow_job(fleet, job):
        if progress := log.feed(printable(line)):
            tell_progress(report, job.node, what, progress, 0)
    return log


@dataclass(slots=True)
class CheckpointPayload(Payload):
    """A model: the files that a receiver lacks."""

    job: Job
    log: MoveLog = field(default_factory=MoveLog)
    done: str = CopyState.COPIED.value
    unproved: str = "not proved"

    def failed(self, state: JobState) -> bool:
        return self.log.failed != {}

    def why(self) -> str:
        advice = _advice(self.job, self.log.why)
        return self.log.why + (f" → {advice}" if advice else "")

    async def prove(self, fleet: Fleet) -> None:
        """By names, sizes and links; hashes were right as files arrived."""
        host, model, revision = (str(self.job.details[key]) for key in ("host", "model", "revision"))
        source = await holding(await fleet.shell(self.job.node), model, revision)
        target = await holding(await fleet.shell(host), _there(model, source), revision)
        lacks = shipment(source, target)
        if not lacks.empty or target.why_incomplete:
            raise SparkError(f"not whole afterwards: {target.why_incomplete or f'it lacks {lacks.words}'}")

    def lost(self, error: SparkError) -> CopyResult:
        host = str(self.job.details["host"])
        if isinstance(error, Unreachable):
            detail = f"the sender was lost: {error.cause}; the copy may go on there"
            return CopyResult(host, CopyState.UNKNOWN, detail=detail, exit_code=3)
        return CopyResult(host, CopyState.FAILED, detail=error.cause, exit_code=1)


def _advice(job: Job, why: str) -> str:
    receiver = receiver_of(job)
    host, address, login = receiver.name, receiver.address, receiver.login
    known = cause_of(why, During.COPY)
    ours = {
        "ssh-refused": authorise_hint(receiver, job.node).partition(";")[0],
        "ssh-host-key": f"another machine answers at {address}, or its key changed: look at {host}; "
        "its address on the fast link is set by node add --fabric",
        "disk-full": f"make room on {host}: sparkconsole model list; then copy again",
    }
    words = {
        "is damaged": _again(str(job.details["model"])),
        "is somebody else's": f"on {host}: remove it, or give it to {login or 'the login'} by chown",
        "connection lost": "copy again: it goes on where it was",
        "is under way": "wait for the other copy: sparkconsole runs list",
    }
    # A cause first: a key that is refused ends as a lost connection too, and trying again mends nothing.
    if known and known.id in ours:
        return ours[known.id]
    text = next((advice for sign, advice in words.items() if sign in why), "")
    return text or (known.remedy if known else "")
