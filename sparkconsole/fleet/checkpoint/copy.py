"""Copies of a model from one node to others: looked at first, sent by a detached job, proved at the end."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from sparkconsole.errors import Refused, SparkError, Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.fleet.fresh import Fresh
from sparkconsole.fleet.image import copy_survey as copying
from sparkconsole.fleet.image.copy_run import COPIED, FAILED, SAME, UNKNOWN, Result
from sparkconsole.fleet.job_files import folder_step, text_step
from sparkconsole.fleet.jobs import follow_job, forget_job, job_state
from sparkconsole.model.checkpoint.files import MARGIN_BYTES, CheckpointFiles, MissingFiles, shipment
from sparkconsole.model.cluster import Node
from sparkconsole.model.image.build import slug
from sparkconsole.model.image.copy import Receiver, authorise_hint, known_hosts
from sparkconsole.model.text.printable import printable
from sparkconsole.model.text.units import hms, size
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.news import Advance, Remark, Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.parse.checkpoint.files import MoveLog
from sparkconsole.parse.diagnose.cause import cause_of
from sparkconsole.parse.known import During
from sparkconsole.remote.checkpoint.files import FOLDER, SEND, holding, manifest

STREAMS = 4


@dataclass(frozen=True, slots=True)
class ModelCopyTask:
    """One receiver, as it was found before anything was done."""

    node: Node
    what: MissingFiles = field(default_factory=MissingFiles)
    receiver: Receiver | None = None
    problem: SparkError | None = None
    warning: str = ""
    job: Job | None = None
    manifest: str = ""

    @property
    def to_send(self) -> bool:
        """Something has to be done for it."""
        return self.problem is None and not self.what.empty


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
        raise (
            _nowhere(model, found) if found else next(e for e in asked.values() if isinstance(e, SparkError))
        )
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
) -> tuple[ModelCopyTask, ...]:
    """Every receiver, side by side; one that cannot be used carries its problem and stops no other."""
    looks = (_one(fleet, model, source, sender, node, hashing, streams) for node in nodes)
    return tuple(await asyncio.gather(*looks))


async def _one(
    fleet: Fleet, model: str, source: CheckpointFiles, sender: str, node: Node, hashing: bool, streams: int
) -> ModelCopyTask:
    try:
        shell = await fleet.shell(node.name)
        target = await holding(shell, _there(model, source), source.revision, hashing=hashing, beside=hashing)
        what = shipment(source, target)
        _require_readable(node.name, source, target, what)
        if what.empty:
            _require_whole(node.name, target)
            return ModelCopyTask(node)
        _require_rights(node.name, target)
        _require_room(node.name, target, what)
        receiver, warning = await copying.way(fleet, node, sender)
    except SparkError as error:
        error.node = error.node or node.name
        return ModelCopyTask(node, problem=error)
    rows = manifest(receiver, source, target, what, streams)
    job = _job(model, source, sender, node, receiver, what, fleet.fresh)
    return ModelCopyTask(node, what, receiver, None, warning, job, rows)


def _there(model: str, source: CheckpointFiles) -> str:
    """A folder in the sender's home is one in the receiver's."""
    if not model.startswith("/") or not model.startswith(f"{source.home}/"):
        return model
    return f"~{model.removeprefix(source.home)}"


def _require_rights(node: str, target: CheckpointFiles) -> None:
    if not target.writable:
        raise Refused(
            f"{target.there} belongs to {target.owner} and {target.user} may not write there",
            hint=rights_hint(node, target),
            node=node,
        )


def rights_hint(node: str, target: CheckpointFiles) -> str:
    """How the login gets a place to write: never by giving it a folder that others use too."""
    user, home = shlex.quote(target.user), target.home.rstrip("/") + "/"
    inside = f"{target.there}/".startswith((home, f"{target.root}/"))
    if inside and f"{target.there}/" != home:
        return f"on {node}: sudo chown -R {user} {shlex.quote(target.there)}"
    return f"on {node}: sudo install -d -o {user} {shlex.quote(target.root)}"


def _require_readable(
    node: str, source: CheckpointFiles, target: CheckpointFiles, what: MissingFiles
) -> None:
    closed = tuple(p for p in target.unreadable if p in source.files and p not in what.files)
    if closed:
        names = ", ".join(map(target.name_of, closed[:3])) + ", …" * (len(closed) > 3)
        raise Refused(
            f"{names} may not be read by {target.user}",
            hint=f"on {node}: sudo chown -R {target.user} {shlex.quote(f'{target.root}/{closed[0]}')}",
            node=node,
        )


def _require_whole(node: str, target: CheckpointFiles) -> None:
    """It lacks nothing of the sender's, and what it has of its own is not whole."""
    if target.why_incomplete:
        raise SparkError(f"not whole there: {target.why_incomplete}", hint="remove that there", node=node)


def _require_room(node: str, target: CheckpointFiles, what: MissingFiles) -> None:
    needed = what.size_bytes - what.arrived + MARGIN_BYTES
    if target.free < needed:
        raise Refused(
            f"{size(target.free)} are free in {target.there}, {size(needed)} are needed",
            hint="make room there: sparkconsole model list shows what each model takes",
            node=node,
        )


def _job(
    model: str,
    source: CheckpointFiles,
    sender: str,
    node: Node,
    receiver: Receiver,
    what: MissingFiles,
    fresh: Fresh,
) -> Job:
    return Job(
        id=fresh.name(f"model-copy-{slug(model.strip('/~'))}"),
        node=sender,
        kind=JobKind.MODEL_COPY,
        argv=(*SEND, receiver.target, model),
        details={
            "model": model,
            "revision": source.revision,
            "host": node.name,
            "receiver": node.model_dump(mode="json", exclude_none=True),
            "target": receiver.target,
            "port": receiver.port,
            "bytes": what.size_bytes,
            "damaged": sorted(what.again),
        },
    )


def steps_of(delivery: ModelCopyTask) -> tuple[Step, ...]:
    """What the copy needs goes into its folder on the sender, then it runs there."""
    job, receiver, host = delivery.job, delivery.receiver, delivery.node.name
    if job is None or receiver is None:
        return ()
    texts = {"known_hosts": known_hosts(receiver), "manifest": delivery.manifest}
    values = {
        "known_hosts": f"give the sender the verified host keys of {host}",
        "manifest": f"say what goes to {host}",
    }
    puts = tuple(text_step(f"{name}-{host}", job, name, text, values[name]) for name, text in texts.items())
    copy = Step(
        id=f"copy-{host}",
        node=job.node,
        sentence=f"copy {job.details['model']} to {receiver.target} ({delivery.what.words})",
        argv=job.argv,
        needs=(*(step.id for step in puts), f"programs-{host}"),
        job=job,
    )
    return (*puts, programs_step(job, f"programs-{host}"), copy)


def programs_step(job: Job, step: str) -> Step:
    """The program that the job runs."""
    text = "send the program that moves models (python3, standard library only)"
    return folder_step(step, job, "programs", FOLDER, text)


def copy_plan(deliveries: Sequence[ModelCopyTask], model: str, sender: str, source: CheckpointFiles) -> Plan:
    """The copies, and what the person should know first."""
    notes = [f"{d.node.name} has all of it already" for d in deliveries if not d.problem and d.what.empty]
    notes += [f"cannot copy to {d.node.name}: {d.problem.cause}" for d in deliveries if d.problem]
    notes += [f"warning: {d.warning}" for d in deliveries if d.warning and d.to_send]
    notes += [
        f"{size(source.size_bytes)} in {len(source.files)} files, revision {source.revision or '–'}",
        "each file is hashed as it arrives and gets its name only when it is right; links come last",
    ]
    steps = tuple(step for d in deliveries for step in steps_of(d))
    sent = [d for d in deliveries if d.to_send]
    total = sum(d.what.size_bytes - d.what.arrived for d in sent)
    moves = Moves(f"of the model to {', '.join(d.node.name for d in sent)}", total)
    return Plan(f"Copy {model} from {sender}", steps, notes=tuple(notes), moves=moves if sent else None)


async def send_all(
    fleet: Fleet, deliveries: Sequence[ModelCopyTask], report: Report, *, parallel: bool
) -> tuple[Result, ...]:
    """Every delivery; one that fails stops no other."""
    if parallel:
        return tuple(await asyncio.gather(*(_send(fleet, d, report) for d in deliveries)))
    return tuple([await _send(fleet, d, report) for d in deliveries])


async def _send(fleet: Fleet, delivery: ModelCopyTask, report: Report) -> Result:
    host = delivery.node.name
    if delivery.problem is not None:
        error = delivery.problem
        state = UNKNOWN if isinstance(error, Unreachable) else FAILED
        return Result(
            host, state, detail=error.cause + (f" → {error.hint}" if error.hint else ""), exit_code=1
        )
    if delivery.job is None:
        return Result(host, SAME)
    started = await execute_plan(fleet, Plan(f"copy to {host}", steps_of(delivery)), report)
    if not started.ok:
        return Result(host, FAILED, detail=started.failures()[0].detail, exit_code=1)
    try:
        return await follow_one(fleet, delivery.job, report)
    except Unreachable as error:
        detail = f"the sender was lost: {error.cause}; the copy may go on there"
        return Result(host, UNKNOWN, detail=detail, exit_code=3)
    except SparkError as error:  # the others' copies go on
        return Result(host, FAILED, detail=error.cause, exit_code=1)


async def watch(fleet: Fleet, job: Job, who: str, report: Report) -> MoveLog:
    """Follows a job that moves a model to its end."""
    log = MoveLog()
    async for line in follow_job(fleet, job):
        if log.feed(printable(line)):
            news = (log.done, log.total, "B", log.rate_per_s, log.eta_s, log.seconds)
            report(
                Advance(
                    who, f"{job.kind.value.partition('-')[2] or 'download'} {job.details['model']}", *news
                )
            )
    return log


async def follow_one(fleet: Fleet, job: Job, report: Report) -> Result:
    """One copy's end, proved; may start in the middle or after it. Unreachable when the sender is lost."""
    host = str(job.details["host"])
    fleet.include(Node.model_validate(job.details["receiver"]))
    known = (await job_state(fleet, job)).known
    log = await watch(fleet, job, host, report) if known else MoveLog(failed={})
    result = await _proved(fleet, job, log) if log.failed == {} else _failed(job, log)
    await forget_job(fleet, job)
    text = f"copy to {host} {result.state}"
    text += f": {result.detail}" if result.exit_code else f" in {hms(log.seconds)} ({size(log.done)})"
    report(Remark(text, "", "error" if result.exit_code else "done"))
    return result


def _failed(job: Job, log: MoveLog) -> Result:
    why, host = log.why, str(job.details["host"])
    advice = _advice(job, why)
    return Result(host, FAILED, log.done, log.seconds, why + (f" → {advice}" if advice else ""), 1)


def _advice(job: Job, why: str) -> str:
    host, target = str(job.details["host"]), str(job.details["target"])
    login, _, address = target.rpartition("@")
    receiver = Receiver(host, address, login, int(job.details["port"]))
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


async def _proved(fleet: Fleet, job: Job, log: MoveLog) -> Result:
    """The receiver has what the sender has: by names, sizes and links; hashes were right as files arrived."""
    host, model, revision = (str(job.details[key]) for key in ("host", "model", "revision"))
    try:
        source = await holding(await fleet.shell(job.node), model, revision)
        target = await holding(await fleet.shell(host), _there(model, source), revision)
    except Unreachable as error:
        return Result(host, UNKNOWN, log.done, log.seconds, f"sent, but not proved: {error.cause}", 3)
    except SparkError as error:
        return Result(host, FAILED, log.done, log.seconds, error.cause, 1)
    lacks = shipment(source, target)
    if not lacks.empty or target.why_incomplete:
        why = target.why_incomplete or f"it lacks {lacks.words}"
        return Result(host, FAILED, log.done, log.seconds, f"not whole afterwards: {why}", 1)
    return Result(host, COPIED, log.done, log.seconds)
