"""`serve`: a model on the running cluster, followed until a completion came back."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import Refused, SparkError, Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.launch.await_memory import await_memory
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.serve import memory_guards as guarding
from sparkconsole.fleet.serve import start as serving
from sparkconsole.fleet.serve import stop as stopping
from sparkconsole.fleet.serve.engine_death import find_death
from sparkconsole.fleet.serve.start import Stage, Up, server_up
from sparkconsole.fleet.serve.status import ServerCondition, ServerStatus, serve_status
from sparkconsole.fleet.watch.own_actions import ended_by
from sparkconsole.model.foresight.effect import ServerGone
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.engine import jobs_of
from sparkconsole.model.serve.memory_guard import FREEZE_LINE, USUAL_SHARE
from sparkconsole.model.serve.ranks import Rank, serve_ranks
from sparkconsole.model.serve.spec import SECRETS, ServeSpec, notes, preset
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job, JobKind, Run
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.diagnose.preflight import (
    node_model,
    require,
    require_room,
    serve_findings,
    serve_looks,
)
from sparkconsole.verbs.grammar.bounds import checked_spec
from sparkconsole.verbs.grammar.record import require_done
from sparkconsole.verbs.grammar.registry import FLAG, follower, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.serve.memory_check import find_room, require_model, taking_part, yet_to_be_known

GIB = 1 << 30
LEAST_GIB = FREEZE_LINE / GIB
_SPEC_NAMES = {"tp": "tensor_parallel", "pp": "pipeline_parallel", "dp": "data_parallel"}


def spec_of(model: str, *extra: str, **given: Any) -> ServeSpec:
    """The spec that the verb's arguments say, without looking at a machine; WrongUsage for what no cluster
    could make right: a model without a name, a port that there is not, a secret."""
    named = {_SPEC_NAMES.get(key, key): value for key, value in given.items()}
    own = {key: value for key, value in named.items() if key in ServeSpec.model_fields}
    return checked_spec(ServeSpec, ("serve",), preset(model, {**own, "extra": extra}))


@verb("serve", tier=Tier.RECOVERABLE, default=True, refuses=spec_of)
async def serve(
    session: Here,
    model: str,
    *extra: str,
    tp: Annotated[int | None, Parameter(name=["--tensor-parallel-size", "--tp", "-tp"])] = None,
    pp: Annotated[int, Parameter(name=["--pipeline-parallel-size", "--pp", "-pp"])] = 1,
    dp: Annotated[int, Parameter(name=["--data-parallel-size", "--dp", "-dp"])] = 1,
    port: int = 8888,
    host: str = "0.0.0.0",  # noqa: S104 - clients are on other machines
    gpu_memory_utilization: float | None = None,
    max_model_len: int | None = None,
    max_num_seqs: int | None = None,
    dtype: str | None = None,
    load_format: str | None = None,
    served_model_name: str | None = None,
    enforce_eager: Annotated[bool, FLAG] = False,
    trust_remote_code: Annotated[bool, FLAG] = False,
    offline: Annotated[bool, FLAG] = False,
    guard: bool | None = None,
    guard_at: float = LEAST_GIB,
    force: Annotated[bool, FLAG] = False,
    name: str | None = None,
) -> Answer | PlannedAction:
    """Serve a model on the running cluster and return when a completion came back.

    Where an earlier server's memory still comes back it is waited for, a minute and a half at most.
    The server outlives this console. Words after `--` are passed to vLLM unchanged.
    Instead of a model: qwen3-vl-235b or gpt-oss-120b, the two examples of the scripts this replaces.

    Parameters
    ----------
    model
        A name on the hub, a path in the container, or the name of an example.
    extra
        After `--`: extra vLLM flags, passed unchanged.
    tp
        GPUs to spread each layer over; by default every node's one.
    pp
        Stages to split the layers into.
    dp
        Copies of the model, each on nodes of its own; requests are shared among them.
    port
        Port of the server.
    host
        Address it listens on; 127.0.0.1 for this node alone.
    gpu_memory_utilization
        Share of the memory it may use; beside another server, by default what that one leaves.
    max_model_len
        Longest request, in tokens.
    max_num_seqs
        Most requests at a time.
    dtype
        auto, bfloat16, float32, …
    load_format
        auto, safetensors, fastsafetensors, …
    served_model_name
        The name under which it answers.
    enforce_eager
        No CUDA graphs, no compilation.
    trust_remote_code
        Run code that comes with the model.
    offline
        Ask nobody: the model is in every node's cache.
    guard
        End the server before its memory freezes a machine: a small watcher beside it on every node, which
        needs no console, reads the memory twice a second and writes why into the server's log. Also as
        guard = true of a cluster in cluster.toml.
    guard_at
        GiB of available memory below which --guard ends it.
    force
        Start although a check failed or the model does not fit; the plan says what was passed over.
    name
        Name of the containers; without it the cluster's.
    """
    given = dict(locals())  # first of all: every option by its name
    spec = spec_of(given.pop("model"), *given.pop("extra"), **given)
    container = name or session.cluster.container
    stage = await serving.find_stage(session.fleet, container)
    if (there := await _there_already(session, spec, stage)) is not None:
        return there
    unread = await require_model(session.fleet, spec, stage)
    wanted = node_model(spec.model)
    looks = await serve_looks(session.fleet, stage, wanted)
    own = {node: looks[node] for node in taking_part(spec, stage)}
    found = await serve_findings(session.cluster, session.fleet, stage, wanted, own)
    forced = require("serve", found, force=force)
    room = await find_room(session.fleet, spec, stage, looks, force=force)
    spec = room.spec
    ranks = serve_ranks(spec, stage.launch.backend, stage.nodes, stage.addresses, room.meeting)
    fresh = session.fleet.fresh
    ranks = yet_to_be_known(session.fleet, room, ranks)
    jobs = tuple(_job(spec, rank, stage.launch.backend, container, fresh) for rank in ranks)
    guarded = session.cluster.guard if guard is None else guard
    watchers = guarding.guards(jobs, stage.nodes, int(guard_at * GIB)) if guarded else ()
    steps = (*_steps(jobs), *_guard_steps(watchers, guard_at))
    known = (*notes(spec), *unread, *forced, *room.notes)
    plan = Plan(f"serve {spec.model}", steps, Tier.RECOVERABLE, notes=known)

    async def execute(report: Report) -> Answer:
        share = spec.utilization or USUAL_SHARE
        settled = await await_memory(session.fleet, stage.nodes, share, report)
        require_room(settled.values(), force=force)
        session.record_jobs((*jobs, *watchers))
        outcome = await execute_plan(session.fleet, plan, report)
        if not outcome.ok:
            await serving.clear(session.fleet, jobs, report)
            await guarding.clear_guards(session.fleet, jobs, session.fleet.names, report)
        require_done(outcome)
        return await _follow(session, jobs, report)

    return PlannedAction(plan, execute, (server_up(session.fleet.fresh, spec, jobs, stage.nodes),))


async def _there_already(session: Session, spec: ServeSpec, stage: Stage) -> Answer | PlannedAction | None:
    """The same model on the same port is what was asked for, also while it starts; another keeps its port."""
    from sparkconsole.remote.serve.vllm import models

    ranks = await serving.ranks_on(session.fleet, stage.launch.container, stage.nodes, spec.port)
    listening = spec.port in stage.sites[stage.head].listening
    if not ranks and not listening:
        return None
    names: tuple[str, ...] = ()
    if listening:
        with contextlib.suppress(SparkError):
            names = await models(await session.fleet.shell(stage.head), spec.port)
    if spec.name in names:
        if death := await find_death(session.fleet, stage.launch.container, stage.nodes, spec.port):
            why = f"{spec.name} answers on port {spec.port}, and gives no token any more: {death.why}"
            raise Refused(why, hint="sparkconsole serve stop, then serve again", node=death.node)
        return _ready(session, spec.port, Up(spec.name), "it was served already; nothing was started")
    jobs = jobs_of(ranks, stage.launch.container)
    if not names and any(r.name == spec.name for r in ranks) and any(j.rank == 0 for j in jobs):
        return _join(session, spec, jobs)
    who = f"a server of {ranks[0].name} starts there" if ranks else "who listens there is no model server"
    if names:
        who = f"who listens there serves {', '.join(names)}"
    hint = "another --port; or sparkconsole serve status, serve stop"
    raise Refused(f"port {spec.port} is taken; {who}", hint=hint, node=stage.head)


def _join(session: Session, spec: ServeSpec, jobs: tuple[Job, ...]) -> PlannedAction:
    """A start that is under way is followed, whichever console began it."""
    lead = jobs[-1]
    plan = Plan(f"Follow the start of {spec.name} that runs on {lead.node} already ({lead.id})")

    async def execute(report: Report) -> Answer:
        session.record_jobs(jobs)
        return await _follow(session, jobs, report)

    return PlannedAction(plan, execute, ())


def _job(spec: ServeSpec, rank: Rank, backend: Backend, container: str, fresh: Fresh) -> Job:
    slug = "".join(c if c.isalnum() else "-" for c in spec.name.rsplit("/", 1)[-1].lower())[:40]
    return Job(
        id=fresh.name(f"serve-{slug}"),
        node=rank.node,
        kind=JobKind.SERVE,
        argv=rank.argv,
        container=container,
        details={
            "model": spec.model,
            "name": spec.name,
            "port": spec.port,
            "rank": rank.rank,
            "backend": backend.value,
        },
    )


def _steps(jobs: tuple[Job, ...]) -> tuple[Step, ...]:
    """Workers first: rank 0 waits for them."""
    workers = tuple(j.id for j in jobs if j.rank)
    return tuple(
        Step(
            id=job.id,
            node=job.node,
            sentence=f"serve {job.details['model']}, rank {job.rank}",
            argv=("docker", "exec", job.container, *job.argv),
            needs=() if job.rank else workers,
            secrets=SECRETS,
            job=job,
        )
        for job in jobs
    )


def _guard_steps(watchers: tuple[Job, ...], gib: float) -> tuple[Step, ...]:
    """They begin with the ranks: memory is short while a model loads."""
    what = f"guard its memory: the server ends below {gib:g} GiB available"
    return tuple(
        Step(f"{w.id}-{w.node}", w.node, what, ("docker", "exec", w.container, *w.argv), job=w)
        for w in watchers
    )


async def _follow(session: Session, jobs: tuple[Job, ...], report: Report) -> Answer:
    try:
        up = await serving.follow_start(session.fleet, jobs, report)
    except serving.ServeFailed as error:
        # A guard that ended it is the cause, whatever the ranks said of that.
        lead = next(job for job in jobs if not job.rank)
        found = await guarding.fired(session.fleet, lead, session.fleet.names)
        await guarding.clear_guards(session.fleet, (lead,), session.fleet.names, report)
        if found is None:
            raise
        raise serving.ServeFailed(found.why, hint=guarding.REMEDY, node=found.node) from error
    return _ready(session, int(jobs[0].details["port"]), up)


def _ready(session: Session, port: int, up: Up, remark: str = "") -> Answer:
    """Where it answers. Only what completed a token is called ready."""
    url = f"http://{session.cluster.head.address}:{port}/v1"
    state = "unproved" if up.doubt else "ready"
    data = {"state": state, "model": up.name, "port": port, "url": url, "doubt": up.doubt}
    doubt = f"it is up, but no token could be asked of it: {up.doubt}" if up.doubt else ""
    parts = (remark, doubt, f"{up.name} answers at {url}")
    return Answer(data, tuple(part for part in parts if part))


@follower(JobKind.SERVE)
async def follow_serve(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """Brings a start to ready or failed; all ranks of the run are one start, led by rank 0."""
    if job.rank:
        return Answer({"rank": job.rank})
    return await _follow(session, tuple(j for j in run.jobs if j.kind is JobKind.SERVE), report)


@follower(JobKind.GUARD)
async def follow_guard(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """A guard lives as long as its server; there is nothing to wait for."""
    return Answer({"guard": job.node})


def ranks_of(run: Run, port: int) -> tuple[Job, ...]:
    """The ranks that a run started on that port."""
    return tuple(j for j in run.jobs if j.serves(port))


def newest_start(session: Session, port: int) -> Run | None:
    """The newest start on that port."""
    return next((run for run in session.journal.newest() if ranks_of(run, port)), None)


def newest_ranks(session: Session, port: int) -> tuple[Job, ...]:
    """The ranks of the newest start on that port."""
    run = newest_start(session, port)
    return ranks_of(run, port) if run else ()


def explained(found: ServerStatus, run: Run | None) -> ServerStatus:
    """What an action of ours ended has not failed."""
    by = ended_by(run) if run else ""
    if not by or found.state not in (ServerCondition.FAILED, ServerCondition.ABSENT, ServerCondition.LOST):
        return found
    if found.state is ServerCondition.FAILED:
        found = replace(found, state=ServerCondition.ABSENT, node="", remedy="serve it again")
        return replace(found, detail=f"ended by {by}")
    return replace(found, detail=f"{found.detail}; its last server was ended by {by}")


@verb("serve status")
async def status(session: Here, *, port: int = 8888, name: str | None = None) -> Answer:
    """Say how the served model stands.

    That is ready, unproved, loading, wedged, failed, lost, unknown or not running. Ready means that a
    completion came back just now; unknown, that a node it needs could not be asked. Exit code 0 when ready,
    3 when a node is unreachable, 5 when one was reached and did not say, else 1.

    Parameters
    ----------
    port
        Port of the server.
    name
        Name of the containers; without it the cluster's.
    """
    jobs = newest_ranks(session, port)
    found = await serve_status(session.fleet, name or session.cluster.container, port, jobs)
    return _status_answer(explained(found, newest_start(session, port)))


def _status_answer(found: ServerStatus) -> Answer:
    data = {
        "state": found.state.value,
        "detail": found.detail,
        "model": found.model,
        "nodes": dict(found.nodes),
        "node": found.node,
        "remedy": found.remedy,
    }
    line = found.state.value + (f" ({found.node})" if found.node else "")
    line += f": {found.detail}" if found.detail else ""
    remedy = (found.remedy,) if found.remedy else ()
    sheet = Sheet.of(("node", "container"), list(found.nodes.items()))
    return Answer(data, (line, *remedy, sheet), found.exit_code)


@verb("serve stop", tier=Tier.RECOVERABLE)
async def stop(session: Here, *, port: int = 8888, name: str | None = None) -> Answer | PlannedAction:
    """End the served model on every node and read back that it is gone; the containers go on.

    Parameters
    ----------
    port
        Port of the server to end.
    name
        Name of the containers; without it the cluster's.
    """
    container = name or session.cluster.container
    scene = await stopping.look_for_servers(session.fleet, container, port)
    known = {j.id: j for j in newest_ranks(session, port) if j.container == container}
    await stopping.require_server(session.fleet, scene, known.values())
    jobs = tuple({**{j.id: j for j in scene.jobs()}, **known}.values())
    plan = stopping.serve_stop_plan(scene)

    async def execute(report: Report) -> Answer:
        outcome = await execute_plan(session.fleet, plan, report)
        await serving.clear(session.fleet, [j for j in jobs if j.node not in scene.lost], report)
        await guarding.clear_guards(session.fleet, jobs, scene.sites, report)
        ends = await stopping.read_back(session.fleet, scene, outcome)
        rows = [(e.node, e.text, e.memory()) for e in ends]
        data = {
            "stopped": all(e.ok for e in ends),
            "nodes": {e.node: e.text for e in ends},
            "available": {e.node: [e.before_bytes, e.after_bytes] for e in ends if e.after_bytes},
        }
        code = min((Unreachable.exit_code if e.unknown else 1 for e in ends if not e.ok), default=0)
        return Answer(data, (Sheet.of(("node", "server", "memory available"), rows),), code)

    return PlannedAction(plan, execute, (ServerGone(tuple(scene.sites), container, port),))
