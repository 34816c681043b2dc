"""Before a model is served: what other servers leave it, and whether it fits; refused before any start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.checkpoint.fit import Fitting, fitting_of
from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.fleet.launch.await_memory import await_memory
from sparkconsole.fleet.serve import start as serving
from sparkconsole.fleet.serve.start import Stage
from sparkconsole.model.checkpoint.fit import judge
from sparkconsole.model.checkpoint.weights import Checkpoint, Split
from sparkconsole.model.checks import Look
from sparkconsole.model.facts import Memory
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve import memory_left as serve_room
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.memory_guard import GROWTH_S
from sparkconsole.model.serve.ranks import Meeting, Rank, free_meeting, split_of
from sparkconsole.model.serve.spec import ServeSpec
from sparkconsole.model.text.units import vllm_gib
from sparkconsole.model.work.news import nobody
from sparkconsole.remote.foreseen_shell import NotBefore
from sparkconsole.remote.node.facts import memory_state

LEAST_SHARE = 0.05
"""Less than that holds no model worth a server."""


@dataclass(frozen=True, slots=True)
class Room:
    """The place of one server: the spec with its share of the memory, its ranks' ports, what to know."""

    spec: ServeSpec
    meeting: Meeting
    notes: tuple[str, ...] = ()
    rest: bool = False
    """Its share of the memory is what other servers leave of it."""


async def require_model(fleet: Fleet, spec: ServeSpec, stage: Stage) -> tuple[str, ...]:
    """A path has to be in the container of every node that loads it; a note where that one is yet to come."""
    for node in stage.nodes if spec.model.startswith("/") else ():
        look = ("docker", "exec", stage.launch.container, "test", "-e", f"{spec.model}/config.json")
        try:
            seen = await (await fleet.shell(node)).run(look)
        except NotBefore:
            return (f"whether {spec.model} is in the container is known once that runs",)
        if not seen.ok:
            hint = "put it there on every node; the model cache is /root/.cache/huggingface inside"
            raise Refused(f"{spec.model} has no config.json in the container", hint=hint, node=node)
    return ()


def yet_to_be_known(fleet: Fleet, room: Room, ranks: Sequence[Rank]) -> tuple[Rank, ...]:
    """Planned ahead, the share of the memory that others leave is a blank: how much it is shows then."""
    if not room.rest or not fleet.forecast.effects:
        return tuple(ranks)
    share = fleet.fresh.unknown(f"share of the memory that is left for {room.spec.name}")
    part = str(room.spec.gpu_memory_utilization)
    return tuple(replace(r, argv=tuple(share if w == part else w for w in r.argv)) for r in ranks)


async def find_room(
    fleet: Fleet, spec: ServeSpec, stage: Stage, looks: Mapping[str, Look | SparkError], *, force: bool
) -> Room:
    """Refused when another server leaves no room, or the model does not fit; with `force` that is a note."""
    running = await serving.servers_on(fleet, stage.launch.container, stage.nodes)
    others = tuple(r for r in running if r.port != spec.port)
    nodes = taking_part(spec, stage)
    split, read = split_of(spec, len(stage.nodes)), _checkpoints(looks)
    notes, asked = list[str](), spec.utilization
    try:
        await _require_settled(fleet, stage, others)
        spec, shared = await _beside(fleet, spec, stage, others, read)
        notes += shared
        notes += await _require_fit(fleet, spec, split, nodes, read, others)
    except Refused as no:
        if not force:
            raise
        notes.append(f"forced past: {no.cause}")
    listening = stage.sites[stage.head].listening
    meeting = free_meeting(stage.launch.master_port, others, listening)
    return Room(spec, meeting, tuple(notes), rest=spec.utilization != asked)


def taking_part(spec: ServeSpec, stage: Stage) -> tuple[str, ...]:
    """The nodes that load the model: with Ray any may, else the first ones, a rank each."""
    if stage.launch.backend is Backend.RAY:
        return stage.nodes
    return stage.nodes[: split_of(spec, len(stage.nodes)).ranks]


def _checkpoints(looks: Mapping[str, Look | SparkError]) -> dict[str, Checkpoint]:
    """What each node said of the model's files; nothing of those that could not say."""
    return {n: look.checkpoint for n, look in looks.items() if isinstance(look, Look) and look.checkpoint}


async def _require_settled(fleet: Fleet, stage: Stage, others: tuple[LiveRank, ...]) -> None:
    """What a server that still starts will take cannot be read off the memory yet."""
    from sparkconsole.remote.serve.vllm import models

    if serve_room.crowded(stage.launch, stage.head, others):
        where = f"on {stage.head}, where rank 0 of every server runs"
        end = f"end that server first: sparkconsole serve stop --port {others[0].port}"
        raise Refused(
            f"Ray has no free GPU {where}: {serve_room.listed(others)} has it",
            hint=f"{end}; or launch --backend none, where servers share the memory",
            node=stage.head,
        )
    for rank in others:
        try:
            await models(await fleet.shell(stage.head), rank.port)
        except SparkError:
            cause = f"{serve_room.listed((rank,))} is still starting"
            hint = f"wait until it is ready: sparkconsole serve status --port {rank.port}"
            raise Refused(
                f"{cause}: how much memory it takes is not known yet", hint=hint, node=rank.node
            ) from None


async def _beside(
    fleet: Fleet, spec: ServeSpec, stage: Stage, others: tuple[LiveRank, ...], read: Mapping[str, Checkpoint]
) -> tuple[ServeSpec, tuple[str, ...]]:
    """The spec with the share of the memory that is left, where another server holds some of it."""
    gpu = all(c.gpu for c in read.values()) if read else stage.launch.gpus
    if not others or not gpu:
        return spec, ()
    states = answered(await fleet.ask(memory_state, taking_part(spec, stage)))
    memory = [Memory(s.total, s.available) for s in states.values()]
    left = serve_room.share_left(memory)
    beside = f"part of the memory is taken by {serve_room.listed(others)}"
    hint = f"end it first: sparkconsole serve stop --port {others[0].port}"
    if left < LEAST_SHARE:
        raise Refused(f"{beside}, and no room is left for a second server", hint=hint)
    if spec.utilization is None:
        share = {"gpu_memory_utilization": left}
        return spec.model_copy(update=share), (f"{beside}: this server gets {left:.2f} of it, what is left",)
    if any(spec.utilization * m.total > m.available for m in memory):
        cause = f"{beside}: vLLM would not start with --gpu-memory-utilization {spec.utilization:g}"
        raise Refused(cause, hint=f"at most {left:.2f} is left; or {hint}")
    return spec, (f"{beside}: this server gets {spec.utilization:g} of it",)


async def _require_fit(
    fleet: Fleet,
    spec: ServeSpec,
    split: Split,
    nodes: Sequence[str],
    read: Mapping[str, Checkpoint],
    others: tuple[LiveRank, ...],
) -> tuple[str, ...]:
    """A note where it cannot be judged; Refused with the arithmetic's first problem when it does not fit.

    `nodes`: those that take part; what the others have is asked for the ways that would fit.
    """
    own = {node: read[node] for node in nodes if node in read}
    unknown = "whether it fits in the memory is not known: {}".format
    if flag := serve_room.unjudged(spec):
        return (unknown(f"{flag} changes how much it takes"),)
    if any(fleet.forecast.on(node).has_model(spec.model) for node in fleet.names):
        return (unknown("its files come before it is started, and can be read then"),)
    if not any(c.there for c in own.values()):
        return (unknown("no node has its files yet; vLLM loads them from the hub, on every node"),)
    try:
        found = fitting_of(spec.model, split, serve_room.ask_of(spec), own, {})
    except SparkError as error:
        return (unknown(error.cause),)
    problem = _problem(found)
    if not problem or await _comes_back(fleet, found, own):
        return found.chosen.warnings if found.checkpoint.gpu else ()
    holds = f"; part of the memory is taken by {serve_room.listed(others)}" if others else ""
    cause = f"{spec.model} on {split.words} does not fit: {problem}{holds}; nothing was started"
    raise Refused(cause, hint=f"{_way_out(found, read)}; or serve --force to continue anyway")


def _problem(found: Fitting) -> str:
    """The first thing that keeps it from starting; without a GPU vLLM takes no share: the weights decide."""
    chosen = found.chosen
    if found.checkpoint.gpu:
        return chosen.problems[0] if chosen.problems else ""
    weights = chosen.tightest.weights
    if weights <= chosen.available:
        return ""
    return f"its weights take {vllm_gib(weights)} of a node, and {vllm_gib(chosen.available)} are free"


async def _comes_back(fleet: Fleet, found: Fitting, read: Mapping[str, Checkpoint]) -> bool:
    """It would fit in an idle node, and an earlier server's memory is coming back: that is waited for."""
    split, ask = found.chosen.split, found.ask
    memory = {n: c.memory for n, c in read.items() if c.memory is not None}
    idle = {n: replace(m, available=m.total) for n, m in memory.items()}
    if not judge(found.checkpoint, found.shape, split, ask, idle).fits:
        return False
    share = ask.utilization or 1.0
    tight = [n for n, m in memory.items() if share * m.total > m.available]
    seen = await await_memory(fleet, tight, share, nobody, most_s=GROWTH_S)
    return bool(tight) and all(n in seen and seen[n].outcome.is_near for n in tight)


def _way_out(found: Fitting, read: Mapping[str, Checkpoint]) -> str:
    """What would fit: fewer tokens, else another way of sharing it over the nodes that are there."""
    chosen, model = found.chosen, found.model
    if 1024 <= chosen.longest < chosen.length:
        return f"--max-model-len {chosen.longest // 16 * 16} fits"
    other = fitting_of(model, None, found.ask, read, {}).chosen
    if other.fits and other.split != chosen.split:
        return f"{other.split.words} fits: sparkconsole model fit {model}"
    return f"sparkconsole model fit {model} shows the arithmetic and the other ways"
