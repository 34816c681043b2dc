"""`status`: how every node, Ray, the server and the jobs stand right now; what was not seen is unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from sparkconsole.errors import (
    UNSEEN,
    OddEngine,
    SilentEngine,
    SparkError,
    TimedOut,
    Unreachable,
    WrongUsage,
    exit_code_of_look,
)
from sparkconsole.fleet.diagnose.probe import probe
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import job_state
from sparkconsole.fleet.marks import under_way
from sparkconsole.fleet.serve.engine_death import REMEDY, EngineDeath, find_death
from sparkconsole.fleet.serve.hang_probe import look_for_hang
from sparkconsole.model.checks import Look
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, recalled
from sparkconsole.model.ray import RayMember, gpu_count, living
from sparkconsole.model.serve.hang import Hang
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Answer, Row, Sheet
from sparkconsole.model.work.job import Job, Run
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here, Session
from sparkconsole.verbs.status.watch import status_watch

Looks = dict[str, Look | SparkError]
_READINGS = {"utilisation": "%", "temperature_c": "°C", "power_w": "W"}
"""Of a GPU, with their units."""


@dataclass(frozen=True, slots=True)
class Ray:
    """What Ray's head told; `members` None: it did not answer, or is not there."""

    expected: bool | None
    """None: whether Ray runs could not be seen."""
    members: tuple[RayMember, ...] | None = None


class State(StrEnum):
    """How a node, a container, Ray, a server or a job stands, as `--json` says it."""

    REACHABLE = "reachable"
    RUNNING = "running"
    ENDED = "ended"
    ABSENT = "absent"
    GONE = "gone"
    ANSWERS = "answers"
    SILENT = "does not answer"
    NOT_RUNNING = "not running"
    NONE = "none"
    WEDGED = "wedged"
    FAILED = "failed"
    UNKNOWN = "unknown"


@verb("status")
async def status(
    session: Here,
    *,
    port: int = 8888,
    name: str | None = None,
    watch: Annotated[bool, FLAG] = False,
    every: float | None = None,
    count: int | None = None,
    series: Path | None = None,
) -> Answer | AsyncIterator[Row]:
    """Say how nodes, containers, Ray, the served model and jobs stand; nothing is changed.

    Exit code 3 when a node is unreachable, 5 when one is reached and its Docker engine does not say what runs
    there (after 10 s nobody waits for it): the others are shown all the same. Where requests run and no token
    comes, one is asked for: a server that returns none in 20 s is stuck (`wedged`), the node to suspect is
    named, and the exit code is 1. With --watch, readings of every node's hardware follow, a row per node and
    second.

    Parameters
    ----------
    port
        Port of the server.
    name
        Name of the containers; without it the cluster's.
    watch
        Go on with readings of every node: GPU, memory, fast link, pressure, what the kernel reports.
    every
        Seconds between readings with --watch; without it 1.
    count
        End after so many rows of each node.
    series
        Append the readings to this file too, a JSON object a line; goes with --watch.
    """
    if watch:
        return status_watch(session, every=1.0 if every is None else every, count=count, series=series)
    if every is not None or count is not None or series is not None:
        raise WrongUsage("--every, --count and --series say how to watch", hint="add --watch")
    fleet, container = session.fleet, name or session.cluster.container
    head = fleet.head
    looks = await probe(fleet, container, session.cluster.image)
    ray = await _ray(fleet, looks.get(head))
    models = await _models(fleet, looks.get(head), port)
    served = isinstance(models, list)
    death = await find_death(fleet, container, _running(looks), port) if served else None
    hang = await look_for_hang(fleet, container, port, _sites(looks)) if served and not death else None
    nodes = [_node(n, container, look, ray) for n, look in looks.items()]
    runs = [run for run in session.journal.runs() if run.state.open]
    jobs = [await _job(session, run, job) for run in runs for job in run.jobs]
    data = {
        "cluster": session.cluster.name,
        "nodes": nodes,
        "ray": _ray_data(ray, len(fleet.names)),
        "server": {"port": port, "models": models if served else None, **_server_state(models, hang, death)},
        "jobs": jobs,
        "under_way": list(await under_way(fleet, session.journal, fleet.names)),
    }
    return Answer(data, _parts(data), _exit_code(looks, failed=(hang or death) is not None))


def _exit_code(looks: Looks, *, failed: bool) -> int:
    code = exit_code_of_look(look for look in looks.values() if isinstance(look, SparkError))
    if code or failed:
        return code if code == Unreachable.exit_code else 1 if failed else code
    errors = (look.docker_error for look in looks.values() if isinstance(look, Look))
    return UNSEEN if any(isinstance(error, SilentEngine | OddEngine) for error in errors) else 0


def _site(look: Look | SparkError | None) -> Site | None:
    return look.site if isinstance(look, Look) else None


def _running(looks: Looks) -> tuple[str, ...]:
    return tuple(n for n, look in looks.items() if (site := _site(look)) is not None and site.running)


def _sites(looks: Looks) -> dict[str, Site | SparkError]:
    """What is known of the container of each node; where Docker did not say, nothing is held against it."""
    known = {n: look if isinstance(look, SparkError) else look.site for n, look in looks.items()}
    return {node: site for node, site in known.items() if site is not None}


def _server_state(
    models: list[str] | SparkError | None, hang: Hang | None, death: EngineDeath | None
) -> dict[str, Any]:
    """`answers` says only that; that tokens come was proved by nobody just now: serve status does."""
    if isinstance(models, SparkError):
        return {"state": State.UNKNOWN, "suspect": "", "detail": models.cause, "look_at": models.hint}
    if death is not None:
        return {"state": State.FAILED, "suspect": death.node, "detail": death.why, "look_at": REMEDY}
    if hang is not None:
        data = {"state": State.WEDGED, "suspect": hang.node, "detail": hang.cause}
        return {**data, "look_at": hang.look_at, "signs": list(hang.signs)}
    state = State.NONE if models is None else State.ANSWERS
    return {"state": state, "suspect": "", "detail": "", "look_at": ""}


async def _ray(fleet: Fleet, head: Look | SparkError | None) -> Ray:
    """Asked only where the head's container runs and Ray is in it, as far as its labels tell."""
    site = _site(head)
    if site is None:
        return Ray(expected=None)
    spec = recalled(site.found.labels) if site.found else None
    if not site.running or (spec and spec.backend is not Backend.RAY):
        return Ray(expected=False)
    from sparkconsole.remote.ray import members

    try:
        port = spec.dashboard_port if spec else 8265
        return Ray(True, await members(await fleet.shell(fleet.head), port))
    except Unreachable:
        return Ray(expected=None)
    except SparkError:
        return Ray(expected=True)


async def _models(fleet: Fleet, head: Look | SparkError | None, port: int) -> list[str] | SparkError | None:
    """The models that answer on the head; None when no server does, an error when it could not be seen."""
    if not isinstance(head, Look):
        return head
    from sparkconsole.remote.serve.vllm import models

    try:
        return list(await models(await fleet.shell(fleet.head), port))
    except (Unreachable, TimedOut) as error:
        return error
    except SparkError:
        return None


def _node(name: str, container: str, look: Look | SparkError, ray: Ray) -> dict[str, Any]:
    if isinstance(look, SparkError):
        return {"node": name, "state": State.UNKNOWN, "error": look.as_data() | {"node": name}}
    facts, gpu = look.facts, next(iter(look.facts.gpus), None)
    return {
        "node": name,
        "state": State.REACHABLE,
        "hostname": facts.hostname,
        "memory": {"used": facts.memory.used, "total": facts.memory.total} if facts.memory else None,
        "gpu": {key: getattr(gpu, key) for key in ("name", *_READINGS)} if gpu else None,
        "gpu_error": facts.gpu_error,
        "gpu_used": facts.gpu_used,
        "fabric": {"up": len(facts.fabric.up), "ports": len(facts.fabric.hcas)},
        "container": _container(container, look),
        "ray_alive": _ray_alive(look, ray),
    }


def _container(container: str, look: Look) -> dict[str, Any]:
    """`state` is running, ended, absent, or unknown when docker could not be asked."""
    if look.site is None:
        host = look.facts.docker.host
        text = look.docker_error.cause if look.docker_error else host.refused if host else ""
        why = text or "docker may not be used"
        data = {"name": container, "state": State.UNKNOWN, "error": why}
        error = look.docker_error
        return {**data, "engine": error.in_a_row} if isinstance(error, SilentEngine) else data
    found = look.site.found
    if found is None:
        return {"name": container, "state": State.ABSENT}
    data = {"name": container, "image": found.image, "image_id": found.image_id}
    if found.running:
        return {**data, "state": State.RUNNING}
    return {**data, "state": State.ENDED, "exit_code": found.exit_code, "oom_killed": found.oom_killed}


def _ray_alive(look: Look, ray: Ray) -> bool | None:
    """None: Ray was not asked, did not answer, or the container does not say which address is its own."""
    if ray.members is None or look.site is None or look.site.found is None:
        return None
    address = look.site.found.labels.get(LABEL_ADDRESS)
    return address in living(ray.members) if address else None


def _ray_data(ray: Ray, nodes: int) -> dict[str, Any]:
    if ray.members is None:
        states = {None: State.UNKNOWN, True: State.SILENT, False: State.NOT_RUNNING}
        return {"state": states[ray.expected], "expected": nodes}
    alive, gpus = len(living(ray.members)), gpu_count(ray.members)
    return {"state": State.ANSWERS, "alive": alive, "expected": nodes, "gpus": gpus}


async def _job(session: Session, run: Run, job: Job) -> dict[str, Any]:
    """Asked on its node; a node that cannot be asked, or is no longer ours, leaves it unknown."""
    data = {"run": run.id, "job": job.id, "kind": job.kind.value, "node": job.node}
    try:
        seen = await job_state(session.fleet, job)
    except SparkError as error:
        return {**data, "state": State.UNKNOWN, "error": error.cause}
    if not seen.known:
        return {**data, "state": State.GONE}
    state = State.RUNNING if seen.running else State.ENDED
    return {**data, "state": state, "status": seen.status}


def _parts(data: dict[str, Any]) -> tuple[Sheet | str, ...]:
    columns = ("node", "state", "memory", "GPU", "fabric", "container", "image", "Ray")
    parts: list[Sheet | str] = [Sheet.of(columns, [_row(n) for n in data["nodes"]])]
    parts += [line for node in data["nodes"] for line in _unknown(node)]
    ray, server = data["ray"], data["server"]
    if ray["state"] is State.ANSWERS:
        unseen = [n["node"] for n in data["nodes"] if n["state"] is State.UNKNOWN]
        beside = f", as its head says; {', '.join(unseen)} unknown" if unseen else ""
        parts.append(f"Ray: {ray['alive']}/{ray['expected']} members, {ray['gpus']} GPUs{beside}")
    else:
        parts.append(f"Ray: {ray['state']}")
    names = server["models"]
    silent = f"unknown: {server['detail']}" if server["state"] is State.UNKNOWN else "no server answers"
    answers = silent if names is None else ", ".join(names) or "no model"
    parts.append(f"server on port {server['port']}: {answers}")
    if server["state"] in (State.WEDGED, State.FAILED):
        sign = f" ({server['signs'][0]})" if server.get("signs") else ""
        parts.append(f"✖ {server['state']}: {server['detail']}{sign}")
        parts.append(f"→ {server['look_at']}")
    if data["jobs"]:
        rows = [(j["run"], j["kind"], j["node"], j["state"]) for j in data["jobs"]]
        parts.append(Sheet.of(("run", "kind", "node", "state"), rows, title="jobs"))
    return (*parts, *data["under_way"])


def _unknown(node: dict[str, Any]) -> list[str]:
    """Why something of a node is unknown."""
    if node["state"] is State.UNKNOWN:
        return [f"{node['node']}: {node['error']['cause']}"]
    docker = node["container"].get("error")
    why = {"containers": docker, "GPU": node["gpu_error"]}
    return [f"{node['node']}: {what} unknown: {error}" for what, error in why.items() if error]


def _row(node: dict[str, Any]) -> tuple[object, ...]:
    if node["state"] is State.UNKNOWN:
        return (node["node"], *["unknown"] * 7)
    memory, container = node["memory"], node["container"]
    return (
        node["node"],
        "reachable",
        f"{size(memory['used'])} / {size(memory['total'])}" if memory else None,
        _gpu(node["gpu"]) or ("unknown" if node["gpu_error"] else None),
        f"{node['fabric']['up']}/{node['fabric']['ports']} up",
        container.get("engine") or f"{container['name']} {container['state']}",
        container.get("image", "unknown" if container["state"] is State.UNKNOWN else None),
        {True: "alive", False: "not a member", None: _unasked(container)}[node["ray_alive"]],
    )


def _unasked(container: dict[str, Any]) -> str | None:
    """Ray in a container of which nothing is known may well run; without a container there is none."""
    return None if container["state"] in (State.ABSENT, State.ENDED) else "unknown"


def _gpu(gpu: dict[str, Any] | None) -> str | None:
    if gpu is None:
        return None
    parts = [f"{gpu[key]:.0f} {unit}" for key, unit in _READINGS.items() if gpu[key] is not None]
    return " ".join((gpu["name"], *parts))
