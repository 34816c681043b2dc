"""What `launch` and `serve` look at first: the doctor's checks that matter to them; a failure refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.diagnose.probe import checkpoint_of
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.launch.await_memory import MemoryAwaited, await_memory
from sparkconsole.fleet.launch.survey import LaunchSurvey
from sparkconsole.fleet.serve.start import Stage
from sparkconsole.model.checks import BY_ID, ClusterEvidence, Finding, Look, Severity, judge
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.model.facts import NodeFacts
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.ray import RayMember
from sparkconsole.model.serve.memory_guard import FREEZE_LINE, GROWTH_S, USUAL_SHARE
from sparkconsole.model.text.units import size
from sparkconsole.model.work.news import nobody
from sparkconsole.remote.shell import Shell

CACHE = "/root/.cache/"
_TIGHT = "{} of memory is available: a start would freeze it"
_HOLDERS = "see who holds it: ps aux --sort=-rss"


def node_model(model: str) -> str:
    """The model, where its files are the node's; empty for a path that only the image has."""
    return "" if model.startswith("/") and not model.startswith(CACHE) else model


def require(verb: str, findings: Sequence[Finding], *, force: bool) -> tuple[str, ...]:
    """Refused with the first failure and its remedy; with `force` the failures as sentences for the plan."""
    failures = [f for f in findings if f.severity is Severity.FAIL and verb in BY_ID[f.check].matters_to]
    if not failures:
        return ()
    if force:
        where = {f: f"{f.node}: " if f.node else "" for f in failures}
        return tuple(f"forced past {f.check}: {where[f]}{f.sentence}" for f in failures)
    first, *others = failures
    more = f"; {len(others)} more: sparkconsole doctor" if others else ""
    hint = f"{first.remedy or 'sparkconsole doctor says more'}; or {verb} --force to continue anyway"
    raise Refused(f"{first.sentence}{more}; nothing was started", hint=hint, node=first.node)


def launch_findings(cluster: Cluster, survey: LaunchSurvey) -> tuple[Finding, ...]:
    """Of what a launch looked at anyway. Its own ports are told exactly elsewhere."""
    looks: dict[str, Look | SparkError] = {
        s.node: Look(survey.facts[s.node], survey.sites[s.node], survey.images[s.node])
        for s in survey.seats
        if s.node in survey.facts
    }
    chosen: dict[str, NodeNetwork | SparkError] = {s.node: s.network for s in survey.seats if s.network}
    evidence = ClusterEvidence(cluster, survey.spec.image, survey.spec.container, looks, chosen)
    unneeded = {"ports", *(() if survey.spec.gpus else ("gpu",))}
    only = (c.id for c in BY_ID.values() if "launch" in c.matters_to and c.id not in unneeded)
    return judge(evidence, only)


async def serve_looks(fleet: Fleet, stage: Stage, model: str) -> dict[str, Look | SparkError]:
    """What every node has of the model (where its files are the node's), and its memory."""

    async def question(shell: Shell) -> Look:
        found = await checkpoint_of(shell, model)
        return Look(NodeFacts(shell.node), stage.sites[shell.node], checkpoint=found)

    return await fleet.ask(question, stage.nodes)


async def serve_findings(
    cluster: Cluster, fleet: Fleet, stage: Stage, model: str, looks: Mapping[str, Look | SparkError]
) -> tuple[Finding, ...]:
    """Ray has every node, the model is whole on each, memory is left."""
    chosen: dict[str, NodeNetwork | SparkError] = {
        n: NodeNetwork("", a) for n, a in stage.addresses.items() if a
    }
    evidence = ClusterEvidence(
        cluster, stage.launch.image, stage.launch.container, looks, chosen,
        members=await _members(fleet, stage), ray_asked=True, model=model,
    )  # fmt: skip
    return (*judge(evidence, ("ray", "model")), *await _tight(fleet, stage))


async def _tight(fleet: Fleet, stage: Stage) -> tuple[Finding, ...]:
    """With so little left a start freezes the machine before anything is killed.

    Memory of a server that has just ended still comes back: it is waited for before the start instead.
    """
    tight = [n for n in stage.nodes if stage.sites[n].available_bytes < FREEZE_LINE]
    seen = await await_memory(fleet, tight, USUAL_SHARE, nobody, most_s=GROWTH_S)
    stays = [n for n in tight if n not in seen or not seen[n].outcome.is_near]
    why = {node: _TIGHT.format(size(stage.sites[node].available_bytes)) for node in stays}
    return tuple(Finding("memory", Severity.FAIL, node, why[node], _HOLDERS) for node in stays)


def require_room(settled: Iterable[MemoryAwaited], *, force: bool) -> None:
    """Refused when memory that was waited for did not come: below the line a start freezes the machine."""
    for end in settled:
        if end.available < FREEZE_LINE and not force:
            hint = f"{_HOLDERS}; or serve --force to continue anyway"
            raise Refused(_TIGHT.format(size(end.available)), hint=hint, node=end.node)


async def _members(fleet: Fleet, stage: Stage) -> tuple[RayMember, ...] | None:
    if stage.launch.backend is not Backend.RAY:
        return None
    from sparkconsole.remote import ray

    try:
        return await ray.members(await fleet.shell(stage.head), stage.launch.dashboard_port)
    except SparkError:
        return None
