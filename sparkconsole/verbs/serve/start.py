"""`serve`: a model on the running cluster, followed until a completion came back."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.diagnose.engine_death import find_death
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.launch.await_memory import await_memory
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.serve import memory_guards as guarding
from sparkconsole.fleet.serve import start as serving
from sparkconsole.fleet.serve import stop as stopping
from sparkconsole.fleet.serve.start import Stage, Up, server_up
from sparkconsole.fleet.serve.status import ServerStatus, serve_standing
from sparkconsole.model.foresight.effect import ServerGone
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.engine import LiveRank, jobs_of
from sparkconsole.model.serve.memory_guard import USUAL_SHARE
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
from sparkconsole.verbs.grammar.registry import FLAG, follower, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.serve.guard import LEAST_GIB, guard_steps, guarded_failure, line_of
from sparkconsole.verbs.serve.memory_check import find_room, require_model, taking_part, yet_to_be_known
from sparkconsole.verbs.serve.starts import explained, newest_ranks, newest_start

_SPEC_NAMES = {"tp": "tensor_parallel", "pp": "pipeline_parallel", "dp": "data_parallel"}


def _refuse_words(model: str, *extra: str, **given: Any) -> None:
    """What no cluster could make right: a model without a name, a port that there is not, a secret."""
    own = {_SPEC_NAMES.get(key, key): value for key, value in given.items()}
    _spec(model, {key: value for key, value in own.items() if key in ServeSpec.model_fields}, extra)


@verb("serve", tier=Tier.RECOVERABLE, default=True, refuses=_refuse_words)
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
    The server outlives this console. Words behind `--` go to vLLM byte for byte.
    Instead of a model: qwen3-vl-235b or gpt-oss-120b, the two examples of the scripts this replaces.

    Parameters
    ----------
    model
        A name on the hub, a path in the container, or the name of an example.
    extra
        Behind `--`: vLLM's own arguments.
    tp
        GPUs to spread each layer over; by default every node's one.
    pp
        Stages to split the layers into.
    dp
        Copies of the model, each on nodes of its own; requests are shared among them.
    port
        Where it answers.
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
    values = {
        "tensor_parallel": tp,
        "pipeline_parallel": pp,
        "data_parallel": dp,
        "port": port,
        "host": host,
        "dtype": dtype,
        "gpu_memory_utilization": gpu_memory_utilization,
        "max_model_len": max_model_len,
        "max_num_seqs": max_num_seqs,
        "load_format": load_format,
        "served_model_name": served_model_name,
        "enforce_eager": enforce_eager,
        "trust_remote_code": trust_remote_code,
        "offline": offline,
    }
    spec = _spec(model, values, extra)
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
    watchers = guarding.guards(jobs, stage.nodes, line_of(guard_at)) if guarded else ()
    steps = (*_steps(jobs), *guard_steps(watchers, guard_at))
    plan = Plan(
        f"serve {spec.model}", steps, Tier.RECOVERABLE, notes=(*notes(spec), *unread, *forced, *room.notes)
    )

    async def execute(report: Report) -> Answer:
        share = spec.utilization or USUAL_SHARE
        settled = await await_memory(session.fleet, stage.nodes, share, report)
        require_room(settled.values(), force=force)
        return await _execute(session, plan, jobs, watchers, report)

    return PlannedAction(plan, execute, (server_up(session.fleet.fresh, spec, jobs, stage.nodes),))


_NOT_SPEC = ("name", "force", "guard", "guard_at")
_SPEC_NAMES = {"tp": "tensor_parallel", "pp": "pipeline_parallel", "dp": "data_parallel"}


def spec_of(model: str, *extra: str, **spoken: Any) -> ServeSpec:
    """The spec that the verb's arguments say, without looking at a machine; WrongUsage for nonsense."""
    data = {_SPEC_NAMES.get(key, key): value for key, value in spoken.items() if key not in _NOT_SPEC}
    return _spec(model, data, extra)


def _spec(model: str, data: dict[str, Any], extra: tuple[str, ...]) -> ServeSpec:
    return checked_spec(ServeSpec, ("serve",), preset(model, {**data, "extra": extra}))


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
    raise Refused(
        f"port {spec.port} is taken; {_who(names, ranks)}",
        hint="another --port; or sparkconsole serve status, serve stop",
        node=stage.head,
    )


def _who(names: tuple[str, ...], ranks: tuple[LiveRank, ...]) -> str:
    if names:
        return f"who listens there serves {', '.join(names)}"
    return f"a server of {ranks[0].name} starts there" if ranks else "who listens there is no model server"


def _join(session: Session, spec: ServeSpec, jobs: tuple[Job, ...]) -> PlannedAction:
    """A start that is under way is followed, whichever console began it."""
    lead = jobs[-1]
    plan = Plan(f"Follow the start of {spec.name} that runs on {lead.node} already ({lead.id})")

    async def execute(report: Report) -> Answer:
        if session.run is not None:
            session.run = session.journal.add_jobs(session.run, jobs)
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


async def _execute(
    session: Session, plan: Plan, jobs: tuple[Job, ...], watchers: tuple[Job, ...], report: Report
) -> Answer:
    if session.run is not None:
        session.run = session.journal.add_jobs(session.run, (*jobs, *watchers))
    outcome = await execute_plan(session.fleet, plan, report)
    if not outcome.ok:
        await serving.clear(session.fleet, jobs, report)
        await guarding.clear_guards(session.fleet, jobs, session.fleet.names, report)
        first = outcome.failures()[0]
        raise SparkError(f"{first.step.sentence}: {first.detail}", node=first.step.node)
    return await _follow(session, jobs, report)


async def _follow(session: Session, jobs: tuple[Job, ...], report: Report) -> Answer:
    try:
        up = await serving.follow_start(session.fleet, jobs, report)
    except serving.ServeFailed as error:
        raise await guarded_failure(session, jobs, error, report) from error
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


@verb("serve status")
async def status(session: Here, *, port: int = 8888, name: str | None = None) -> Answer:
    """Say how the served model stands.

    That is ready, unproved, loading, wedged, failed, lost, unknown or not running. Ready means that a
    completion came back just now; unknown, that a node it needs could not be asked. Exit code 0 when ready,
    3 when a node is unreachable, else 1.

    Parameters
    ----------
    port
        Where it should answer.
    name
        Name of the containers; without it the cluster's.
    """
    jobs = newest_ranks(session, port)
    found = await serve_standing(session.fleet, name or session.cluster.container, port, jobs)
    return _standing_answer(explained(found, newest_start(session, port)))


def _standing_answer(found: ServerStatus) -> Answer:
    rows = [(n, text) for n, text in found.nodes.items()]
    data = {
        "state": found.state.value,
        "detail": found.detail,
        "model": found.model,
        "nodes": dict(found.nodes),
        "node": found.node,
        "remedy": found.remedy,
    }
    where = f" ({found.node})" if found.node else ""
    line = f"{found.state.value}{where}: {found.detail}" if found.detail else f"{found.state.value}{where}"
    remedy = (found.remedy,) if found.remedy else ()
    return Answer(data, (line, *remedy, Sheet.of(("node", "container"), rows)), found.exit_code)


@verb("serve stop", tier=Tier.RECOVERABLE)
async def stop(session: Here, *, port: int = 8888, name: str | None = None) -> Answer | PlannedAction:
    """End the served model on every node and read back that it is gone; the containers go on.

    Parameters
    ----------
    port
        The server to end.
    name
        Name of the containers; without it the cluster's.
    """
    container = name or session.cluster.container
    scene = await stopping.look_for_servers(session.fleet, container, port)
    known = {j.id: j for j in newest_ranks(session, port) if j.container == container}
    await stopping.require_server(session.fleet, scene, known.values())
    jobs = tuple({**{j.id: j for j in scene.jobs()}, **known}.values())
    plan = stopping.serve_stop_plan(scene)
    effects = (ServerGone(tuple(scene.sites), container, port),)
    return PlannedAction(plan, lambda report: _execute_stop(session, plan, scene, jobs, report), effects)


async def _execute_stop(
    session: Session, plan: Plan, scene: stopping.RunningServers, jobs: tuple[Job, ...], report: Report
) -> Answer:
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
    code = 3 if scene.lost else 0 if data["stopped"] else 1
    return Answer(data, (Sheet.of(("node", "server", "memory available"), rows),), code)
