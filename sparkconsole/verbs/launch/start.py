"""`launch`: containers and Ray on every node, verified; what was not looked at is not said."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.fleet.launch.await_memory import await_memory
from sparkconsole.fleet.launch.drive import drive_launch
from sparkconsole.fleet.launch.stop import stop_nodes
from sparkconsole.fleet.launch.survey import LaunchSurvey, check_images, check_ports, check_ray, survey_launch
from sparkconsole.model.foresight.launch_effects import start_effects
from sparkconsole.model.launch.spec import Backend, LaunchSpec, differences, recalled, without_secret_values
from sparkconsole.model.launch.state import LaunchState
from sparkconsole.model.launch.steps import Condition, start_plan, stop_plan
from sparkconsole.model.ray import living
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Output, Remark, Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.diagnose.check import check
from sparkconsole.verbs.diagnose.preflight import launch_findings, require
from sparkconsole.verbs.fabric.test import require_gate
from sparkconsole.verbs.grammar.bounds import checked_spec
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

EXTRA_ARGS = "VLLM_SPARK_EXTRA_DOCKER_ARGS"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerFlags:
    """What the containers get; the same on every node but for `$HOME` and `~`."""

    env: Annotated[tuple[str, ...], Parameter(name=["--env", "-e"], negative="")] = ()
    """NAME=VALUE, or NAME: its value comes from this environment, unseen. Repeatable."""
    volume: Annotated[tuple[str, ...], Parameter(name=["--volume", "-v"], negative="")] = ()
    """SOURCE:TARGET to mount. Repeatable."""
    gpus: Annotated[bool, Parameter(name="--gpus")] = True
    """--no-gpus leaves out `--gpus all`, for machines without an NVIDIA runtime."""
    ray_num_gpus: Annotated[int | None, Parameter(name="--ray-num-gpus")] = None
    """GPUs a node that Ray is told of, where it sees none by itself."""
    ray_num_cpus: Annotated[int | None, Parameter(name="--ray-num-cpus")] = None
    """CPUs a node that Ray is told of; fewer means fewer idle processes."""
    ray_port: Annotated[int | None, Parameter(name="--ray-port")] = None
    """Ray's port on the head."""
    dashboard_port: Annotated[int | None, Parameter(name="--dashboard-port")] = None
    """Port of Ray's dashboard on the head's loopback."""
    master_port: Annotated[int | None, Parameter(name="--master-port")] = None
    """Port of vLLM's own start, for --backend none."""

    def fields(self) -> dict[str, Any]:
        """The fields of the spec that these flags fill in."""
        given = asdict(self)
        given["env"] = without_secret_values(self.env, os.environ)
        given["volumes"] = given.pop("volume")
        given["docker_args"] = without_secret_values(_extra_args(), os.environ)
        return given


def _refuse_words(*, tag: str | None = None, name: str | None = None, **given: Any) -> None:
    """What no cluster could make right: names that Docker does not take, words that exclude each other."""
    if given.get("solo") and given.get("backend") not in (None, Backend.SOLO):
        raise WrongUsage(f"--solo and --backend {given['backend']} exclude each other")
    if given.get("follow") and given.get("detach"):
        raise WrongUsage("--follow and -d exclude each other")
    flags = given.get("flags") or ContainerFlags()
    named = {"nccl_debug": given.get("nccl_debug"), "eth_if": given.get("eth_if")}
    launch_spec(flags.fields() | {"image": tag or None, "container": name or None} | named)


@verb("launch", tier=Tier.RECOVERABLE, refuses=_refuse_words)
async def launch(
    session: Here,
    *,
    tag: Annotated[str | None, Parameter(name=["--tag", "-t"])] = None,
    name: str | None = None,
    eth_if: str | None = None,
    ib_if: str | None = None,
    nccl_debug: str | None = None,
    detach: Annotated[bool, Parameter(name=["--detach", "-d"], negative="")] = False,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    backend: Backend | None = None,
    solo: Annotated[bool, FLAG] = False,
    repair: Annotated[bool, FLAG] = False,
    check_config: Annotated[bool, FLAG] = False,
    gate: Annotated[bool, FLAG] = False,
    force: Annotated[bool, FLAG] = False,
    timeout: float = 180.0,
    flags: Annotated[ContainerFlags | None, Parameter(name="*")] = None,
) -> Answer | PlannedAction:
    """Start the containers and Ray on every node, and return when all of it is ready.

    More words for `docker run` come from VLLM_SPARK_EXTRA_DOCKER_ARGS; `$HOME` in them is the node's.

    Parameters
    ----------
    tag
        Image to run; without it the cluster's.
    name
        Name of the containers; without it the cluster's.
    eth_if
        Interface for Ethernet, the same on every node; without it detected on each.
    ib_if
        RDMA devices, with commas; without it detected on each.
    nccl_debug
        NCCL's log level: VERSION, WARN, INFO or TRACE; INFO without a value.
    detach
        Accepted: it is what happens anyway, the cluster outlives the console.
    follow
        Show the logs once it is ready; ctrl-c then stops what this launch started.
    backend
        ray, none (vLLM's own start over several nodes), or solo. One node: solo.
    solo
        The same as --backend solo: the head alone, no fast link needed.
    repair
        Start again what is missing of a half-running cluster.
    check_config
        Look and check only, as `check` does.
    gate
        Try the fast link first, as `fabric test` does; nothing is started when it would not carry a cluster.
    force
        Start although a check failed; what failed stands in the plan.
    timeout
        Seconds that getting ready may take after the containers started.
    """
    if check_config:
        return await check(session, tag=tag, name=name, eth_if=eth_if, ib_if=ib_if)
    usual = Backend.RAY if len(session.fleet.names) > 1 else Backend.SOLO
    spec = launch_spec(
        (flags or ContainerFlags()).fields()
        | {
            "image": tag or session.cluster.image,
            "container": name or session.cluster.container,
            "cluster": session.cluster.name,
            "backend": Backend.SOLO if solo else backend or usual,
            "nccl_debug": nccl_debug,
            "eth_if": eth_if,
            "ib_if": tuple((ib_if or "").replace(",", " ").split()),
        }
    )
    survey = await survey_launch(session.fleet, session.cluster, spec)
    _refuse_other(session, survey, _chosen_flags(spec, tag=tag, backend=solo or backend is not None))
    decided = _decide(session, survey, repair=repair, force=force, follow=follow, timeout_s=timeout)
    return _gated(session, survey, decided) if gate and isinstance(decided, PlannedAction) else decided


def _gated(session: Session, survey: LaunchSurvey, action: PlannedAction) -> PlannedAction:
    """The same deed behind the fabric gate; one node has no fabric."""
    if len(survey.seats) < 2:
        return action
    note = "the fabric gate comes first, up to 10 s a pair: pings, routes, rates; red stops the launch"

    async def execute(report: Report) -> Answer:
        await require_gate(session, report, eth_if=survey.spec.eth_if, ib_if=survey.spec.ib_if)
        return await action.execute(report)

    title = f"fabric gate, then {action.plan.title}"
    plan = replace(action.plan, title=title, notes=(note, *action.plan.notes))
    return replace(action, plan=plan, execute=execute)


def launch_spec(data: dict[str, Any]) -> LaunchSpec:
    """The spec of what was said; WrongUsage with the first thing that cannot be."""
    return checked_spec(LaunchSpec, ("launch",), {k: v for k, v in data.items() if v is not None})


def _extra_args() -> list[str]:
    try:
        return shlex.split(os.environ.get(EXTRA_ARGS, ""))
    except ValueError as error:
        raise WrongUsage(f"{EXTRA_ARGS}: {error}", hint="its quotes do not match") from error


def _chosen_flags(spec: LaunchSpec, *, tag: str | None, backend: bool) -> frozenset[str]:
    """The fields that a person asked for, by option or environment; the rest is as it comes."""
    apart = {"image": tag is not None, "backend": backend, "container": False, "cluster": False}
    usual = LaunchSpec.model_fields
    given = {name: getattr(spec, name) != usual[name].default for name in usual} | apart
    return frozenset(name for name in given if given[name])


def _refuse_other(session: Session, survey: LaunchSurvey, given: frozenset[str]) -> None:
    """Refused where containers run that were not given what is asked for now: nothing is dropped unsaid."""
    running = next((p.found for p in survey.sites.values() if p.running and p.found), None)
    if running is None:
        return
    launched = recalled(running.labels)
    other = [*differences(survey.spec, given, launched), *_other_nodes(session, survey, launched)]
    node = survey.other_image(unless_there=True) if "image" in given else ""
    if node:
        other.insert(0, f"from {launched.image if launched else 'another image'}, not {survey.spec.image}")
    if other:
        cause = f"{survey.spec.container} runs already, and differs from what is asked: {'; '.join(other)}"
        hint = "end it first, which ends its servers too: sparkconsole stop, then launch again"
        raise Refused(f"{cause}; nothing was changed", hint=hint, node=node or survey.seats[0].node)


def _other_nodes(session: Session, survey: LaunchSurvey, launched: LaunchSpec | None) -> tuple[str, ...]:
    """It runs on more nodes than were named, or as one node where several were."""
    if not session.options.nodes or launched is None:
        return ()
    alone, seats = launched.backend is Backend.SOLO, len(survey.seats)
    if alone != (survey.spec.backend is Backend.SOLO):
        return ("on one node alone, not on several",) if alone else ("on several nodes, not on one alone",)
    count = len(living(survey.members or ()))
    return (f"on {count} nodes, not on {seats}",) if count > seats else ()


def _decide(
    session: Session, survey: LaunchSurvey, *, repair: bool, force: bool, follow: bool, timeout_s: float
) -> Answer | PlannedAction:
    """Attach, refuse, repair or launch, by what stands there now."""
    match survey.condition:
        case Condition.COMPLETE:
            return _attach(survey, follow=follow)
        case Condition.HALF if not repair:
            text = "; ".join(f"{node}: {why}" for node, why in survey.broken.items())
            cause = f"the cluster is half-running ({text}); nothing was changed"
            hint = "start what is missing: sparkconsole launch --repair, or end all of it: stop"
            raise Refused(cause, hint=hint, node=next(iter(survey.broken)))
        case Condition.HALF:
            survey, nodes, what = _as_started(survey), tuple(survey.broken), "repair"
            check_images(survey)
        case _:
            check_ports(survey)
            check_images(survey)
            forced = require("launch", launch_findings(session.cluster, survey), force=force)
            survey = replace(survey, warnings=(*survey.warnings, *forced))
            nodes, what = tuple(s.node for s in survey.seats), "launch"
    return _start_action(session, survey, nodes, what, timeout_s=timeout_s, follow=follow)


def _attach(survey: LaunchSurvey, *, follow: bool) -> Answer:
    """It runs already: that is said, and nothing done."""
    if other := survey.other_image():
        cause = f"{survey.spec.container} runs already, from another image than {survey.spec.image} is now"
        raise Refused(cause, hint="stop it first: sparkconsole stop", node=other)
    rows = [(s.node, s.role, s.address, survey.spec.container) for s in survey.seats]
    sheet = Sheet.of(("node", "role", "address", "container"), rows)
    data = {"already": True, "nodes": [s.node for s in survey.seats], "backend": survey.spec.backend.value}
    text = f"{survey.spec.container} runs already, complete; nothing was changed"
    logs = ("nothing was started, so nothing is followed; its logs: sparkconsole logs -f",) if follow else ()
    return Answer(data, (text, sheet, *logs))


def _as_started(survey: LaunchSurvey) -> LaunchSurvey:
    """A repair starts what was started: the launch that the running containers tell of."""
    specs = (recalled(p.found.labels) for p in survey.sites.values() if p.running and p.found)
    spec = next((s for s in specs if s is not None), None)
    return replace(survey, spec=spec) if spec is not None else survey


def _start_action(
    session: Session, survey: LaunchSurvey, nodes: Sequence[str], what: str, *, timeout_s: float, follow: bool
) -> PlannedAction:
    spec = survey.spec
    title = f"{what} {spec.container} ({spec.backend}) on {', '.join(nodes)}"
    plan = start_plan(spec, survey.seats, survey.sites, nodes, title=title, notes=_notes(survey))

    async def execute(report: Report) -> Answer:
        await check_ray(session.fleet, survey)
        await start(session, survey, plan, report, timeout_s=timeout_s)
        if follow:
            await _follow(session, survey, plan, report)
        return _started(survey, nodes)

    return PlannedAction(plan, execute, start_effects(spec, survey.seats, survey.images, nodes, survey.sites))


ROOM = 0.5
"""Of the memory: with less of it available an earlier server's may still come back, and is waited for."""


async def start(
    session: Session, survey: LaunchSurvey, plan: Plan, report: Report, *, timeout_s: float
) -> None:
    """Carries a start plan to ready; otherwise all of it is taken back and the cause raised."""
    await await_memory(session.fleet, plan.nodes(), ROOM, report)
    before = frozenset(m.id for m in survey.members or ())
    state = LaunchState(survey.spec, survey.seats, plan, before=before)
    await drive_launch(session.fleet, state, report, timeout_s=timeout_s)


def _notes(survey: LaunchSurvey) -> tuple[str, ...]:
    places = (
        f"{s.node}: {s.role}, {s.network.eth_if} {s.address}, RDMA {','.join(s.network.hcas) or 'none'}"
        for s in survey.seats
        if s.network is not None
    )
    return (*places, *survey.warnings, *unset_secrets(survey.spec))


def unset_secrets(spec: LaunchSpec) -> tuple[str, ...]:
    """A sentence for each variable that the containers want and this console's environment does not have."""
    return tuple(
        f"{n} is not set here, so not in the containers" for n in spec.secrets() if n not in os.environ
    )


def _started(survey: LaunchSurvey, nodes: Sequence[str]) -> Answer:
    seats = [s for s in survey.seats if s.node in nodes]
    sheet = Sheet.of(("node", "role", "address"), [(s.node, s.role, s.address) for s in seats])
    data = {
        "ready": True,
        "backend": survey.spec.backend.value,
        "image": survey.spec.image,
        "nodes": [{"node": s.node, "role": s.role.value, "address": s.address} for s in seats],
    }
    return Answer(data, (sheet, "ready: sparkconsole serve MODEL, or sparkconsole exec -- CMD"))


async def _follow(session: Session, survey: LaunchSurvey, plan: Plan, report: Report) -> None:
    """The logs until the person lets go; then what this launch started is stopped, and only that."""
    from sparkconsole.verbs.logs.logs import container_rows

    nodes, spec = plan.nodes(), survey.spec
    try:
        async for row in container_rows(session, nodes, spec.container):
            report(Output(row.node, row.text))
    except asyncio.CancelledError:
        stopping = stop_plan(spec.container, nodes)
        stops = await stop_nodes(
            session.fleet, stopping, spec.container, report, nodes=nodes, ports=spec.ports()
        )
        for stop in stops:
            report(Remark(stop.result.value + (f": {stop.why}" if stop.why else ""), stop.node))
        raise
