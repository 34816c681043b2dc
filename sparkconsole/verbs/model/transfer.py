"""`model download`, `model copy`, `model verify`: a model onto one node, to the others, and proved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter

from sparkconsole.errors import Refused, SparkError, WrongUsage, exit_code_of_look
from sparkconsole.fleet.checkpoint import copy as moving
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.fleet.jobs import forget_job, job_state
from sparkconsole.fleet.transfer import receivers
from sparkconsole.fleet.transfer.plan import program_step
from sparkconsole.fleet.transfer.run import answer_of, follow_one, send_all, untouched
from sparkconsole.model.checkpoint.files import CheckpointFiles
from sparkconsole.model.foresight.effect import ModelThere
from sparkconsole.model.image.build import slug
from sparkconsole.model.serve.spec import PRESETS
from sparkconsole.model.text.units import hms, size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind, Run
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.checkpoint.files import FOLDER, download_argv, holding
from sparkconsole.remote.checkpoint.hf_cache import hf_cache
from sparkconsole.verbs.grammar.node_words import receiver_words
from sparkconsole.verbs.grammar.record import require_done
from sparkconsole.verbs.grammar.registry import FLAG, MANY, follower, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

HUB, TOKEN = "https://huggingface.co", "HF_TOKEN"
GATED = "accept its licence on its page there, then give the token: HF_TOKEN=… sparkconsole model download …"


@verb("model copy", tier=Tier.RECOVERABLE)
async def copy(
    session: Here,
    model: str,
    *,
    to: Annotated[list[str] | None, MANY] = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    revision: str = "",
    verify: Annotated[bool, FLAG] = False,
    streams: int = moving.STREAMS,
    parallel: Annotated[bool, Parameter(negative="--serial")] = True,
) -> Answer | PlannedAction:
    """Copy a model from the node that has it to others over the fast link, only the files they lack.

    Each file is hashed as it arrives; an interrupted copy goes on inside the file. The jobs go on when this
    console ends. Exit code 1 when any copy failed; one failing node stops no other.

    Parameters
    ----------
    model
        `owner/name` in the cache, or a folder on the node that the others get too.
    to
        Nodes or addresses, separated by spaces or commas; `all`: every other node (the default).
    from_
        Node that has the model; by default the first that has it whole.
    revision
        Branch or commit; by default main, else what is there.
    verify
        Read and hash what the receivers have already, and send again what is damaged.
    streams
        Connections to each receiver.
    parallel
        All receivers at the same time, instead of one after the other.
    """
    hosts = receiver_words(to)
    fleet, name = session.fleet, _name(model)
    local = name.startswith(("/", "~"))
    sender, source = await moving.find_model(
        fleet, name, revision, session.member(from_) if from_ else None, hashing=verify and local
    )
    nodes = await receivers.resolve(session.cluster, fleet, hosts, sender)
    found = await moving.survey(fleet, name, source, sender, nodes, hashing=verify, streams=streams)
    if len(found) == 1 and found[0].problem is not None:
        raise found[0].problem
    if not any(d.to_send for d in found):
        return answer_of([untouched(d) for d in found], "model")

    async def execute(report: Report) -> Answer:
        began = fleet.clock.monotonic()
        session.record_jobs(d.job for d in found)
        results = await send_all(fleet, found, moving.CheckpointPayload, report, parallel=parallel)
        return answer_of(results, "model", fleet.clock.monotonic() - began)

    effects = tuple(ModelThere(d.node.name, name, source) for d in found if d.to_send)
    return PlannedAction(moving.copy_plan(found, name, sender, source), execute, effects)


@follower(JobKind.MODEL_COPY)
async def follow_copy(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """Brings a copy to its proved end."""
    return answer_of((await follow_one(session.fleet, moving.CheckpointPayload(job), report),), "model", 0.0)


@verb("model verify")
async def verify(session: Here, model: str, *, revision: str = "") -> Answer:
    """Read all of a model on every node and compare it with the hashes that the hub names its files by.

    Takes as long as reading it from disk. Exit code 1 when one is not whole, 3 when one could not be asked.

    Parameters
    ----------
    model
        `owner/name` in the cache, or a folder on the nodes.
    revision
        Branch or commit; by default main, else what is there.
    """
    name = _name(model)
    asked = await session.fleet.ask(lambda shell: holding(shell, name, revision, hashing=True))
    found, errors = answered(asked), failed(asked)
    whole = "whole, every hash is right"
    rows = [(n, size(h.size_bytes), len(h.files), h.why_incomplete or whole) for n, h in found.items()]
    data = {
        "model": name,
        "nodes": {n: _holding_data(h) for n, h in found.items()},
        "unknown": {n: e.as_data() for n, e in errors.items()},
    }
    wrong = any(h.why_incomplete for h in found.values())
    lines = [f"{n}: unknown: {e.cause}" for n, e in errors.items()]
    lines += _fixing(name, found, errors) if wrong else []
    code = 1 if wrong else exit_code_of_look(errors.values())
    return Answer(data, (Sheet.of(("node", "size", "files", name), rows), *lines), code)


def _fixing(name: str, found: Mapping[str, CheckpointFiles], errors: Mapping[str, SparkError]) -> list[str]:
    """What makes it whole everywhere: from a node that has it whole, else from the hub."""
    if any(not held.why_incomplete for held in found.values()):
        return [f"→ sparkconsole model copy {name} --verify"]
    if errors:
        return [f"→ a copy comes from a node that has it whole: ask again when {', '.join(errors)} answers"]
    if name.startswith(("/", "~")):
        return [f"→ no node has it whole: bring {name} to one of them, then sparkconsole model copy {name}"]
    first = f"sparkconsole model download {name}, then sparkconsole model copy {name}"
    return [f"→ no node has it whole: {first}"]


def _holding_data(held: CheckpointFiles) -> dict[str, object]:
    return {
        "whole": not held.why_incomplete,
        "why": held.why_incomplete,
        "revision": held.revision,
        "bytes": held.size_bytes,
        "files": len(held.files),
        "damaged": list(held.damaged),
        "missing": list(held.missing),
        "dangling": list(held.dangling),
    }


@verb("model download", tier=Tier.RECOVERABLE)
async def download(
    session: Here,
    model: str,
    *,
    on: str | None = None,
    revision: str = "main",
    endpoint: str = "",
    streams: int = moving.STREAMS,
) -> Answer | PlannedAction:
    """Download a model from the hub into one node's cache; `model copy` brings it to the others.

    By python3 on the node, its standard library only; it goes on when this console ends, and, started again,
    where it was. A token is taken from HF_TOKEN here, else from the node's login, and shown nowhere.

    Parameters
    ----------
    model
        `owner/name`, as the hub calls it.
    on
        Node; by default the head.
    revision
        Branch, tag or commit; the commit that it stands for is what is downloaded.
    endpoint
        Another hub; by default HF_ENDPOINT here, else huggingface.co.
    streams
        Files at the same time.
    """
    fleet = session.fleet
    name, node = _name(model), session.member(on or None)
    hub = endpoint or os.environ.get("HF_ENDPOINT", HUB)
    if name.count("/") != 1 or name.startswith(("/", "~", ".")):
        hint = "owner/name, such as Qwen/Qwen3-0.6B"
        raise WrongUsage(f"{name} is no name of a model on the hub", hint=hint)
    if not hub.startswith(("https://", "http://")):
        raise WrongUsage(f"{hub} is no address of a hub", hint="https://…")
    shell = await session.fleet.shell(node)
    held = await holding(shell, name)
    if not held.writable:
        raise Refused(
            f"{held.there} belongs to {held.owner} and {held.user} may not write there",
            hint=moving.rights_hint(node, held),
            node=node,
        )
    job = Job(
        id=fleet.fresh.name(f"download-{slug(name)}"),
        node=node,
        kind=JobKind.DOWNLOAD,
        argv=(await hf_cache(shell)).with_folders(download_argv(name, revision, hub, streams)),
        details={"model": name, "revision": revision},
    )
    plan = _download_plan(name, node, hub, job, held)

    async def execute(report: Report) -> Answer:
        session.record_jobs((job,))
        require_done(await execute_plan(session.fleet, plan, report))
        return await follow_download(session, session.own_run(), job, report)

    files = CheckpointFiles(files={fleet.fresh.unknown(f"files of {name}"): 0})
    return PlannedAction(plan, execute, (ModelThere(node, name, files),))


def _download_plan(name: str, node: str, hub: str, job: Job, held: CheckpointFiles) -> Plan:
    ours = "the token in HF_TOKEN is used"
    token = ours if os.environ.get(TOKEN) else "the node's own token is used, if any"
    notes = (
        f"by python3 on {node}, its standard library only, from {hub}; {token}",
        f"{size(held.free)} are free in {held.there}; what is there already is not loaded again",
    )
    what = f"download {name} at {job.details['revision']}"
    step = Step("download", node, what, job.argv, needs=("programs",), secrets=(TOKEN,), job=job)
    steps = (program_step("programs", job, str(FOLDER), "models"), step)
    return Plan(f"Download {name} on {node}", steps, notes=notes, moves=Moves(f"from {hub} to {node}"))


@follower(JobKind.DOWNLOAD)
async def follow_download(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """Brings a download to its proved end."""
    fleet, name = session.fleet, str(job.details["model"])
    if not (await job_state(fleet, job)).known:
        hint = "start it again: what arrived is kept"
        raise SparkError("the node has no record of this download", hint=hint, node=job.node)
    log = await moving.watch_download(fleet, job, report)
    await forget_job(fleet, job)
    if log.failed != {}:
        gated = "hub wants a login" in log.why or "licence" in log.why
        hint = GATED if gated else "start it again: it goes on where it was"
        raise SparkError(f"{name} was not downloaded: {log.why}", hint=hint, node=job.node)
    held = await holding(await fleet.shell(job.node), name, log.revision)
    if held.why_incomplete:
        cause = f"{name} is not whole afterwards: {held.why_incomplete}"
        raise SparkError(cause, hint="start it again", node=job.node)
    data = {
        "model": name,
        "node": job.node,
        "revision": held.revision,
        "bytes": held.size_bytes,
        "seconds": log.progress.elapsed_s,
    }
    what = f"{size(held.size_bytes)} in {len(held.files)} files, {hms(log.progress.elapsed_s)}"
    text = f"{name} is on {job.node}: {what}"
    return Answer(data, (text, f"revision {held.revision}", f"→ sparkconsole model copy {name}"))


def _name(model: str) -> str:
    name = str(PRESETS[model]["model"]) if model in PRESETS else model.rstrip("/")
    if not name or name.startswith("."):
        raise WrongUsage(f"{model!r} is no model", hint="owner/name, or a folder by its whole path: /…, ~/…")
    return name
