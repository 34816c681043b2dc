"""What the faces ask of a node's state: sign, age, rails, address, container, image. Unknown stays so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.text import Text

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.fabric.links import Fabric, NodeNetwork
from sparkconsole.model.facts import Gpu
from sparkconsole.model.image.build import full_name
from sparkconsole.model.telemetry import HISTORY, History, LinkTraffic, Reading, is_stuck
from sparkconsole.model.text.units import UNKNOWN, age, gib, known, moment
from sparkconsole.tui.draw.frame import joined, plain, styled

Series = tuple[float | None, ...]
FRESH_S = 3.0
"""Three sampling periods: a value older than that shows its age."""
HOT_C = 90.0
PRESSED = 10.0
"""Percent of the time in which something waits for memory."""
FULL_BYTES = 20_000_000_000
"""Less free disk than that is a warning."""
LOSSY = 100
"""Packets a second that were lost or late."""
LEFT_BYTES = 4 * 2**30
"""Less available memory than that: the machine may freeze."""


@dataclass(frozen=True, slots=True)
class DrawContext:
    """What is needed beside the store: the time, and what the looks of all nodes together mean."""

    now_s: float
    wall: datetime
    container: str = "vllm_node"
    image: str = "vllm-node"
    alone: bool = False
    """One node: no link is no trouble."""
    networks: Mapping[str, NodeNetwork | SparkError] = field(default_factory=dict)
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By node: what the checks found."""
    histories: Mapping[str, History] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    """By node: what the last fabric test measured."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A state as glyph, word and colour, never by colour alone."""

    glyph: str
    word: str
    style: str


UNREAD = Reading(0.0, gpu_error="not read yet")
"""What is known of a node that was never read: nothing."""

UP = Sign("●", "up", "$node-up")
WARN = Sign("!", "warn", "$node-warn")
LOST = Sign("✖", "lost", "$node-lost")
CONNECTING = Sign("○", "connecting", "$node-none")


def sign(state: NodeState, context: DrawContext) -> Sign:
    """How the node stands."""
    if state.reach is Reachability.LOST:
        return LOST
    if state.reach is Reachability.CONNECTING:
        return CONNECTING
    return WARN if troubles(state, context) or age_s(state, context) is None else UP


def troubles(state: NodeState, context: DrawContext) -> tuple[str, ...]:
    """What is wrong with it, worst first: what it does now, then what the checks found."""
    return (*live_troubles(state, context), *context.warnings.get(state.name, ()))


def live_troubles(state: NodeState, context: DrawContext) -> tuple[str, ...]:
    """What the newest reading says is wrong."""
    last = state.reading
    if state.reach is not Reachability.UP or last is None:
        return ()
    found = [f"the server's log: {state.log_error}"] if state.log_error else []
    if state.memory_alarm:
        found.append(state.memory_alarm)
    elif last.memory and last.memory.available < LEFT_BYTES:
        found.append(f"only {gib(max(last.memory.available, 0))} GiB memory left: it may freeze")
    elif (known(last.pressure) or 0.0) > PRESSED:
        found.append(f"processes wait for memory {last.pressure:.0f} % of the time")
    found += [*_rail_troubles(state, last, context), *_gpu_troubles(state, last)]
    if last.disk_free is not None and last.disk_free < FULL_BYTES:
        found.append(f"only {gib(max(last.disk_free, 0), 0)} GiB disk left")
    if state.reason:
        found.append(f"no readings every second: {plain(state.reason)}")
    if is_stale(state, context):
        found.append(f"no readings for {age(age_s(state, context))}")
    return tuple(found)


def _rail_troubles(state: NodeState, last: Reading, context: DrawContext) -> Iterator[str]:
    flows = rails(state, context)
    yield from (f"{name} has no link" for name, flow in flows if flow.up is False)
    yield from (f"{name}: {flow.errors} new errors" for name, flow in flows if flow.errors)
    yield from (f"{name} loses packets" for name, flow in flows if flow.losses >= LOSSY)
    yield from (f"{name} has PCIe {last.buses[name]} only" for name in narrow(state, context))


def _gpu_troubles(state: NodeState, last: Reading) -> Iterator[str]:
    first, heat = gpu(state), temperature(state)
    if heat is not None and heat >= HOT_C:
        yield f"{heat:.0f} °C{', GPU throttled' if held(state) else ''}"
    if first is not None and is_stuck(first):
        yield "GPU stuck at low power: pull its power cord for a minute"
    if last.gpu_error and not last.gpus:
        yield f"GPU: {plain(last.gpu_error)}"


def age_s(state: NodeState, context: DrawContext) -> float | None:
    """Seconds since its newest reading; None before the first."""
    return None if state.read_at_s is None else max(0.0, context.now_s - state.read_at_s)


def is_stale(state: NodeState, context: DrawContext) -> bool:
    """Its newest reading is older than three sampling periods."""
    seconds = age_s(state, context)
    return seconds is not None and seconds > FRESH_S


def since_s(state: NodeState, context: DrawContext) -> float | None:
    """Seconds since it is reached as it is."""
    return None if state.since_s is None else max(0.0, context.now_s - state.since_s)


def role(state: NodeState, context: DrawContext) -> str:
    """HEAD, worker, or alone."""
    return "alone" if context.alone else "HEAD" if state.head else "worker"


def now(state: NodeState) -> Reading:
    """Its newest reading; one in which nothing is known before the first."""
    return state.reading or UNREAD


def series(state: NodeState, context: DrawContext, measure: str, last: int = HISTORY) -> Series:
    """Its newest `last` values of that measure, oldest first."""
    history = context.histories.get(state.name)
    return history.series(measure, last) if history else ()


def gpu(state: NodeState) -> Gpu | None:
    """Its first GPU, as the newest reading or else the look has it."""
    if state.reading and state.reading.gpu_error and not state.reading.gpus:
        return None  # what an earlier look saw is not how it is now
    gpus = now(state).gpus or (state.look.facts.gpus if state.look else ())
    return gpus[0] if gpus else None


def held(state: NodeState) -> tuple[str, ...]:
    """Why its GPU's clock is held back."""
    first = gpu(state)
    return (first.held or ()) if first else ()


def narrow(state: NodeState, context: DrawContext) -> tuple[str, ...]:
    """Rails in use whose PCIe link has fewer lanes or less speed than card and slot can do."""
    buses = now(state).buses
    return tuple(name for name in rail_names(state, context) if name in buses and buses[name].narrow)


def temperature(state: NodeState) -> float | None:
    """The GPU's, else the hottest zone's."""
    first = gpu(state)
    own = known(first.temperature_c) if first else None
    return own if own is not None else known(now(state).temperature_c)


def number(form: str, value: float | None) -> str:
    """The value in that form; empty for what is not known, or is no number."""
    value = known(value)
    return "" if value is None else form.format(value)


def share(state: NodeState) -> float | None:
    """How busy its GPU is, 0 to 1."""
    first = gpu(state)
    percent = known(first.utilisation) if first else None
    return percent / 100 if percent is not None else None


def fabric(state: NodeState) -> Fabric:
    """Its links as the look has them."""
    return state.look.facts.fabric if state.look else Fabric()


def network(state: NodeState, context: DrawContext) -> NodeNetwork | None:
    """What it uses, when that could be chosen."""
    found = context.networks.get(state.name)
    return found if isinstance(found, NodeNetwork) else None


def rails(state: NodeState, context: DrawContext) -> tuple[tuple[str, LinkTraffic], ...]:
    """The RDMA devices that should be up: those it uses, and their twins."""
    flows = now(state).rails
    return tuple((name, flows.get(name, LinkTraffic())) for name in rail_names(state, context))


def rail_names(state: NodeState, context: DrawContext) -> tuple[str, ...]:
    """See above; before its first look every device with a link."""
    chosen, known = network(state, context), fabric(state).hcas
    if chosen is None:
        return () if known else tuple(name for name, flow in now(state).rails.items() if flow.up)
    cages = {h.cage for h in known if h.device in chosen.hcas}
    twins = [h.device for h in known if h.cage in cages and h.device not in chosen.hcas]
    return (*chosen.hcas, *twins)


def rates(state: NodeState, context: DrawContext) -> tuple[float | None, float | None]:
    """Bytes a second in and out over its rails together."""
    flows = [flow for _, flow in rails(state, context)]
    received = [f.rx_per_s for f in flows if f.rx_per_s is not None]
    sent = [f.tx_per_s for f in flows if f.tx_per_s is not None]
    return sum(received) if received else None, sum(sent) if sent else None


def link_word(up: bool | None) -> Text:
    """`up`, `down`, `–`, always four cells."""
    if up is None:
        return Text(f"{UNKNOWN}   ", "$muted")
    return Text("up  ", "$node-up") if up else Text("down", "$node-lost")


def flow_marks(flow: LinkTraffic) -> tuple[Text, Text]:
    """`lost 7/s` where packets do not come as they should, `cnp 120/s` where the network asks for less."""
    lost = Text(f"lost {flow.losses}/s" if flow.losses else "", "$node-warn")
    return lost, Text(f"cnp {flow.marks}/s" if flow.marks else "", "$muted")


def waiting_lines(state: NodeState, context: DrawContext) -> list[Text]:
    """Of a node that was never read: what is waited for, and since when."""
    up, waited = state.reach is Reachability.UP, since_s(state, context)
    name = plain(state.name)
    first = f"connected to {name}; waiting for its first reading …" if up else f"connecting to {name} …"
    since = Text(f"since {age(waited)}" if waited else "", "$muted")
    return [Text(first, "$muted"), joined((styled(state.address, "$muted"), since))]


def links(state: NodeState, context: DrawContext) -> str:
    """`2/2`: rails with a link, of those that should have one; `–` when nobody said."""
    flows = rails(state, context)
    if not flows or all(flow.up is None for _, flow in flows):
        return UNKNOWN
    return f"{sum(flow.up is True for _, flow in flows)}/{len(flows)}"


def ethernet(state: NodeState, context: DrawContext) -> tuple[str, bool | None]:
    """The interface that carries Ray's traffic, and whether it has a link."""
    chosen = network(state, context)
    if chosen is None:
        return "", None
    flow = now(state).nets.get(chosen.eth_if)
    netdev = fabric(state).netdev(chosen.eth_if)
    seen = flow.up if flow is not None and flow.up is not None else netdev.up if netdev else None
    return chosen.eth_if, seen


def own_container(state: NodeState, name: str) -> Container | None:
    """The container of the cluster's name."""
    return next((c for c in state.containers or () if c.name == name), None)


def container_word(state: NodeState, context: DrawContext) -> Text:
    """`▶ vllm_node 41m`, `✖ vllm_node exited 137`, `○ no container`, `–` when Docker was not asked yet."""
    found = own_container(state, context.container)
    if found is None:
        unasked = "unknown" if state.docker_error else "–"
        return Text(unasked, "$muted") if state.containers is None else Text("○ no container", "$node-none")
    if found.running:
        # What nobody sees does not grow older.
        unseen = timedelta(seconds=age_s(state, context) or 0.0 if state.reach is Reachability.LOST else 0.0)
        lasted = seconds_since(found.started_at, context.wall - unseen)
        return Text("▶ ", "$node-up") + styled(f"{found.name} {age(lasted)}")
    why = "out of memory" if found.oom_killed else "" if found.exit_code is None else str(found.exit_code)
    return Text("✖ ", "$node-lost") + styled(f"{found.name} {found.state} {why}")


def own_image(state: NodeState, context: DrawContext) -> ImageIdentity | None:
    """The cluster's image, as the newest list has it, else as the look has it."""
    tags = (context.image, full_name(context.image))
    listed = next((i for i in state.images or () if i.tag in tags), None)
    return listed or (state.look.image if state.look and state.images is None else None)


def image_word(state: NodeState, context: DrawContext) -> str:
    """`9f3c1a 6 d`; `none` when it is not there; `–` when nobody looked."""
    found = own_image(state, context)
    if found is None:
        return "none" if state.images is not None or (state.look and state.look.site) else "–"
    return f"{found.short[:6]} {built_age(found, context)}".rstrip()


def built_age(image: ImageIdentity, context: DrawContext) -> str:
    """How long ago it was built; empty when it does not say."""
    seconds = seconds_since(image.created, context.wall)
    return "" if seconds is None else age(seconds)


def ray_word(state: NodeState) -> Text:
    """`alive`, `gone`, `–`: of a node that is not reached Ray says nothing, for its list lags."""
    if state.in_ray is None:
        return Text("–", "$muted")
    return Text("alive", "$node-up") if state.in_ray else Text("gone", "$node-lost")


OLDEST = 2005
"""No container and no image is older."""


def seconds_since(stamp: str, wall: datetime) -> float | None:
    """Seconds from an ISO time to now; None for what is no time, or stands for none.

    Docker's zero time is the year 1; reproducible builders write 1970 or 1980.
    """
    at = moment(stamp.strip())
    return (wall - at).total_seconds() if at and at.year >= OLDEST else None


def lost_lines(state: NodeState, context: DrawContext) -> tuple[Text, ...]:
    """Why it is lost, what to do, and when it is tried again."""
    if state.fingerprint:
        return (
            Text("its host key is not trusted yet:", "$node-lost"),
            styled(state.fingerprint, "$title"),
            Text("T trust…  after comparing it with the machine's own", "$node-warn"),
        )
    gone = since_s(state, context)
    when = f"lost {age(gone)} ago" if gone is not None else "lost"
    lines = (
        styled(f"{when}: {state.reason or 'it does not answer'}", "$node-lost"),
        styled(state.hint, "$node-warn"),
        Text(again_word(state, context), "$muted"),
    )
    return tuple(line for line in lines if line)


def again_word(state: NodeState, context: DrawContext) -> str:
    """`retrying in 5s`; empty when it is not."""
    if state.retry_at_s is None:
        return ""
    seconds = state.retry_at_s - context.now_s
    return f"retrying in {age(seconds)}" if seconds >= 1 else "retrying now …"
