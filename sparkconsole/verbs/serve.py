"""`serve`: a model on the running cluster, followed until a completion came back."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import ValidationError

from sparkconsole.errors import Refused, SparkError, WrongUsage
from sparkconsole.fleet import serving
from sparkconsole.fleet.carry import carry_out
from sparkconsole.fleet.serve_standing import Standing, serve_standing
from sparkconsole.model.answer import Answer, Sheet
from sparkconsole.model.job import Job, JobKind, Run
from sparkconsole.model.launch import Backend
from sparkconsole.model.plan import Plan, Step, Tier, Verification
from sparkconsole.model.progress import Report
from sparkconsole.model.serve import Rank, ServeSpec, notes, preset, serve_ranks
from sparkconsole.verbs.registry import follower, verb
from sparkconsole.verbs.session import Deed, Here, Session

Flag = Parameter(negative="")


@verb("serve", tier=Tier.RECOVERABLE, default=True)
async def serve(
    session: Here,
    model: str,
    *extra: str,
    tp: Annotated[int | None, Parameter(name=["--tensor-parallel-size", "-tp"])] = None,
    pp: Annotated[int, Parameter(name=["--pipeline-parallel-size", "-pp"])] = 1,
    port: int = 8888,
    host: str = "0.0.0.0",  # noqa: S104 - clients are on other machines
    gpu_memory_utilization: float | None = None,
    max_model_len: int | None = None,
    max_num_seqs: int | None = None,
    dtype: str | None = None,
    load_format: str | None = None,
    served_model_name: str | None = None,
    enforce_eager: Annotated[bool, Flag] = False,
    trust_remote_code: Annotated[bool, Flag] = False,
    offline: Annotated[bool, Flag] = False,
    name: str | None = None,
) -> Answer | Deed:
    """Serve a model on the running cluster and return when a completion came back.

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
    port
        Where it answers.
    host
        Address it listens on; 127.0.0.1 for this node alone.
    gpu_memory_utilization
        Share of the memory it may use.
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
    name
        Name of the containers; without it the cluster's.
    """
    said = {
        "tensor_parallel": tp,
        "pipeline_parallel": pp,
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
    spec = _spec(model, said, extra)
    container = name or session.cluster.container
    stage = await serving.find_stage(session.fleet, container)
    if spec.port in stage.sites[stage.head].listening:
        return await _there_already(session, spec, stage)
    await _require_model(session, spec, stage)
    ranks = serve_ranks(spec, stage.launch.backend, stage.nodes, stage.addresses, stage.launch.master_port)
    jobs = tuple(_job(spec, rank, stage.launch.backend, container) for rank in ranks)
    plan = Plan(f"serve {spec.model}", _steps(jobs), Tier.RECOVERABLE, notes=notes(spec))
    return Deed(plan, lambda report: _carry(session, plan, jobs, report))


def _spec(model: str, said: dict[str, Any], extra: tuple[str, ...]) -> ServeSpec:
    try:
        return ServeSpec(**preset(model, {**said, "extra": extra}))
    except ValidationError as error:
        first = error.errors()[0]
        flag = str(first["loc"][0]).replace("_", "-")
        why = first["msg"].removeprefix("Value error, ")
        where = "behind --" if flag == "extra" else f"--{flag}"
        raise WrongUsage(f"{where}: {why}", hint="sparkconsole serve --help") from error


async def _there_already(session: Session, spec: ServeSpec, stage: serving.Stage) -> Answer:
    """The same model on the same port is what was asked for; anything else keeps its port."""
    from sparkconsole.remote.vllm import models

    try:
        names = await models(await session.fleet.shell(stage.head), spec.port)
    except SparkError:
        names = ()
    if spec.name not in names:
        what = f"serves {', '.join(names)}" if names else "is no model server, or one that still starts"
        raise Refused(
            f"port {spec.port} is taken; who listens there {what}",
            hint="another --port; or sparkconsole serve status, serve stop",
            node=stage.head,
        )
    return _ready(session, spec.name, spec.port, ("it was served already; nothing was started",))


async def _require_model(session: Session, spec: ServeSpec, stage: serving.Stage) -> None:
    """A path has to be in the container of every node that loads it."""
    if not spec.model.startswith("/"):
        return
    container = stage.launch.container
    for node in stage.nodes:
        shell = await session.fleet.shell(node)
        seen = await shell.run(("docker", "exec", container, "test", "-e", f"{spec.model}/config.json"))
        if not seen.ok:
            raise Refused(
                f"{spec.model} has no config.json in the container",
                hint="put it there on every node; ~/.cache/huggingface is /root/.cache/huggingface inside",
                node=node,
            )


def _job(spec: ServeSpec, rank: Rank, backend: Backend, container: str) -> Job:
    slug = "".join(c if c.isalnum() else "-" for c in spec.name.rsplit("/", 1)[-1].lower())[:40]
    return Job(
        id=f"serve-{slug}-{secrets.token_hex(4)}",
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
    workers = tuple(j.id for j in jobs if j.details["rank"])
    return tuple(
        Step(
            id=job.id,
            node=job.node,
            sentence=f"serve {job.details['model']}, rank {job.details['rank']}",
            argv=("docker", "exec", job.container, *job.argv),
            needs=() if job.details["rank"] else workers,
            job=job,
        )
        for job in jobs
    )


async def _carry(session: Session, plan: Plan, jobs: tuple[Job, ...], report: Report) -> Answer:
    if session.run is not None:
        session.run = session.journal.add_jobs(session.run, jobs)
    outcome = await carry_out(session.fleet, plan, report)
    if not outcome.ok:
        await serving.clear(session.fleet, jobs, report)
        first = outcome.failures()[0]
        raise SparkError(f"{first.step.sentence}: {first.detail}", node=first.step.node)
    return await _follow(session, jobs, report)


async def _follow(session: Session, jobs: tuple[Job, ...], report: Report) -> Answer:
    name = await serving.follow_start(session.fleet, jobs, report)
    return _ready(session, name, int(jobs[0].details["port"]), ())


def _ready(session: Session, name: str, port: int, remarks: tuple[str, ...]) -> Answer:
    url = f"http://{session.cluster.head.address}:{port}/v1"
    data = {"state": "ready", "model": name, "port": port, "url": url}
    return Answer(data, (*remarks, f"{name} answers at {url}"))


@follower(JobKind.SERVE)
async def follow_serve(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """Brings a start to ready or failed; all ranks of the run are one start, led by rank 0."""
    if job.details.get("rank", 0):
        return Answer({"rank": job.details["rank"]})
    return await _follow(session, tuple(j for j in run.jobs if j.kind is JobKind.SERVE), report)


@verb("serve status")
async def status(session: Here, *, port: int = 8888, name: str | None = None) -> Answer:
    """Say how the served model stands: ready, loading, wedged, failed, lost or not running.

    Ready means that a completion came back just now. Exit code 0 when ready, 3 when a node is lost, else 1.

    Parameters
    ----------
    port
        Where it should answer.
    name
        Name of the containers; without it the cluster's.
    """
    jobs = _jobs(session, port)
    found = await serve_standing(session.fleet, name or session.cluster.container, port, jobs)
    return _standing_answer(found)


def _standing_answer(found: Standing) -> Answer:
    rows = [(n, said) for n, said in found.nodes.items()]
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


def _jobs(session: Session, port: int) -> tuple[Job, ...]:
    """The ranks of the newest start on that port that this journal knows."""
    for run in session.journal.runs():
        jobs = tuple(j for j in run.jobs if j.kind is JobKind.SERVE and j.details.get("port") == port)
        if jobs:
            return jobs
    return ()


@verb("serve stop", tier=Tier.RECOVERABLE)
async def stop(session: Here, *, port: int = 8888, name: str | None = None) -> Answer | Deed:
    """End the served model on every node and read back that it is gone; the containers go on.

    Parameters
    ----------
    port
        The server to end.
    name
        Name of the containers; without it the cluster's.
    """
    container = name or session.cluster.container
    stage = await serving.find_stage(session.fleet, container)
    jobs = tuple(j for j in _jobs(session, port) if j.container == container)
    steps = tuple(_end(node, container) for node in stage.nodes)
    plan = Plan(f"end the server in {container}", steps, Tier.RECOVERABLE)
    return Deed(plan, lambda report: _carry_stop(session, plan, jobs, report))


# The pattern is bracketed so that the shell that looks does not find itself.
_PATTERN = "[v]llm serve|[V]LLM::"
_END = """
pkill -TERM -f "$1"; n=0
while pgrep -f "$1" >/dev/null; do
  n=$((n+1)); [ $n -eq 150 ] && pkill -KILL -f "$1"; [ $n -lt 250 ] || exit 20; sleep 0.2
done
"""


def _end(node: str, container: str) -> Step:
    inside = ("docker", "exec", container)
    return Step(
        id=f"end-{node}",
        node=node,
        sentence="end vllm serve and everything it started",
        argv=(*inside, "sh", "-c", _END, "serve-stop", _PATTERN),
        verify=Verification(
            "no process of it is left", (*inside, "sh", "-c", '! pgrep -f "$1"', "look", _PATTERN)
        ),
        timeout_s=70,
    )


async def _carry_stop(session: Session, plan: Plan, jobs: tuple[Job, ...], report: Report) -> Answer:
    outcome = await carry_out(session.fleet, plan, report)
    await serving.clear(session.fleet, jobs, report)
    wrong = outcome.failures()
    rows = [(o.step.node, "ended" if o.ok else o.detail) for o in outcome.outcomes]
    data = {"stopped": not wrong, "nodes": dict(rows)}
    return Answer(data, (Sheet.of(("node", "server"), rows),), 1 if wrong else 0)
