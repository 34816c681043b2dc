"""A launch before it runs: what stands now, who takes part, over which network, the plan and the checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.launch.spec import Backend, LaunchSpec, recalled
from sparkconsole.model.text.units import UNKNOWN, gib
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.tui.draw.bars import named
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import error_lines, filled, folded, plain, styled
from sparkconsole.tui.draw.node_state import own_container
from sparkconsole.tui.draw.plan import short_command
from sparkconsole.tui.views.launch.show_checks import few

PAGES = ("nodes", "network", "container", "review")


# --- what stands now


class ClusterCondition(StrEnum):
    """What runs of the cluster, as the nodes were last seen."""

    NOTHING = "nothing runs"
    COMPLETE = "runs"
    HALF = "half-running"
    UNSURE = "runs where it was seen"
    """All is well on the nodes that answer; of the others nothing is known."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What runs under the container's name, and what is wrong with it."""

    state: ClusterCondition
    container: str
    running: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    """A sentence for each node that is not healthy; where nothing is known: the lost ones."""
    spec: LaunchSpec | None = None
    """The launch that the containers tell of."""


def cluster_status(nodes: Iterable[NodeState], container: str) -> ClusterStatus:
    """Judged by the containers that were seen; a node that is lost is unknown, never stopped."""
    every = tuple(nodes)
    own = {n.name: own_container(n, container) for n in every}
    known = [n for n in every if n.reach is Reachability.UP and n.containers is not None]
    seen = {n.name for n in known}
    running = tuple(name for name, c in own.items() if name in seen and c is not None and c.running)
    labels = (recalled(c.labels) for c in own.values() if c is not None)
    spec = next((s for s in labels if s is not None), None)
    solo = spec is not None and spec.backend is Backend.SOLO
    expected = every[:1] if solo else every
    ray = spec is None or spec.backend is Backend.RAY
    values = {n.name: _wrong(n, own[n.name] is not None, n.name in running, ray=ray) for n in expected}
    wrong = tuple(filter(None, values.values()))
    if any(own[name] is not None for name in seen):
        unsure = ClusterCondition.UNSURE if wrong else ClusterCondition.COMPLETE
        half = any(values.get(name) for name in seen)
        return ClusterStatus(ClusterCondition.HALF if half else unsure, container, running, wrong, spec)
    if len(known) == len(every) and every:
        return ClusterStatus(ClusterCondition.NOTHING, container)
    lost = tuple(n.name for n in every if n.reach is Reachability.LOST)
    return ClusterStatus(ClusterCondition.UNKNOWN, container, wrong=lost)


def _wrong(node: NodeState, there: bool, runs: bool, *, ray: bool) -> str:
    if node.reach is not Reachability.UP:
        return f"{node.name} is unknown: {node.reason or 'not reached'}"
    if node.containers is None:
        why = node.docker_error
        return f"{node.name} is unknown: {why}" if why else f"{node.name}: not queried yet"
    if not runs:
        return f"{node.name}: {'container exited' if there else 'no container'}"
    return f"{node.name}: not in the Ray cluster" if ray and node.ray_alive is False else ""


def status_lines(now: ClusterStatus, count: int, width: int) -> list[Text]:
    """What stands now in one or two lines, with the keys that help."""
    match now.state:
        case ClusterCondition.NOTHING:
            return [_fitting("○ nothing runs", "] next page  ^j launch now", width, "$muted")]
        case ClusterCondition.UNKNOWN if not count:
            return [styled("No nodes yet. Add one with :node add NAME ADDRESS", "$node-warn")]
        case ClusterCondition.UNKNOWN if now.wrong:
            names = named(now.wrong)
            return [styled(f"· nothing runs on the nodes that answer; unknown: {names}", "$node-warn")]
        case ClusterCondition.UNKNOWN:
            return [styled("… asking the nodes what runs", "$muted")]
        case ClusterCondition.COMPLETE:
            text = f"● {now.container} runs on {_of(now, count)}{_how(now)}"
            return [_fitting(text, "R restart…  D down…  5: serve a model", width, "$node-up")]
    text, keys = f"! {now.container} is half-running, on {_of(now, count)}", "F repair…  R restart…  D down…"
    if now.state is ClusterCondition.UNSURE:
        text, keys = f"? {now.container} runs on the {_of(now, count)} that answer", "R restart…  D down…"
    first = _fitting(text + _how(now), keys, width, "$node-warn")
    return [first, styled(f"  {'; '.join(now.wrong)}", "$node-warn")]


def _of(now: ClusterStatus, count: int) -> str:
    solo = now.spec is not None and now.spec.backend is Backend.SOLO
    return now.running[0] if solo and now.running else f"{len(now.running)} of {count}"


def _how(now: ClusterStatus) -> str:
    return f" ({now.spec.backend.value})" if now.spec else ""


def _fitting(left: str, right: str, width: int, style: str) -> Text:
    """Both ends of a line; the right one goes when there is no room."""
    room = width - cell_len(left)
    line = styled(left, style)
    if room > cell_len(right) + 1:
        line.append(" " * (room - cell_len(right))).append(right, "$key")
    return line


def without_keys(line: Text) -> Text:
    """The line as a console says it that may change nothing."""
    keys = [span.start for span in line.spans if span.style == "$key"]
    return line[: keys[0]] if keys else line


def pages_line(page: str) -> Text:
    """`Nodes › Network › [Review]`, each a click away."""
    from rich.style import Style

    text = Text(" ", no_wrap=True, end="")
    for number, name in enumerate(PAGES):
        here = name == page
        style = Style(bold=here, meta={"@click": f"screen.page({name!r})"})
        text.append(" › " if number else "")
        text.append(f"[{name.title()}]" if here else f" {name.title()} ", style=style)
    return text


# --- who takes part

NODE_COLUMNS = (
    Column("number", "#", width=2, align="right"),
    Column("node", "NODE", min=8, max=24),
    Column("part", "ROLE", min=6),
    Column("status", "STATUS", min=8, grow=True),
    Column("address", "ADDRESS", min=7, drop=2),
    Column("fabric", "FABRIC", min=7, drop=1),
    Column("memory", "FREE GiB", width=8, align="right", drop=3),
)


def node_rows(
    nodes: Sequence[NodeState], found: Mapping[str, Mapping[str, Any]], *, solo: bool
) -> list[TableRow]:
    """Every node in its order, the head first; `found`: what `check` says of each."""
    return [_node_row(i, node, found.get(node.name, {}), solo=solo) for i, node in enumerate(nodes)]


def _node_row(index: int, node: NodeState, found: Mapping[str, Any], *, solo: bool) -> TableRow:
    part = "head" if index == 0 else "unused" if solo else "worker"
    memory = node.look.facts.memory.available if node.look and node.look.facts.memory else None
    cells = (
        str(index + 1),
        Text(plain(node.name), "bold" if index == 0 else ""),
        Text(part, "$head-mark" if index == 0 else "$muted" if solo else ""),
        reach_text(node),
        node.address,
        str(found.get("address") or UNKNOWN),
        gib(memory),
    )
    return TableRow(node.name, cells)


def reach_text(node: NodeState) -> Text:
    """`● up`, `✖ lost: why`, or `· connecting`."""
    if node.reach is Reachability.UP:
        return Text("● up", "$node-up")
    if node.reach is Reachability.LOST:
        return Text(f"✖ lost: {plain(node.reason or 'no answer')}", "$node-lost")
    return Text("· connecting", "$muted")


def lost_lines(nodes: Iterable[NodeState], width: int) -> list[Text]:
    """Each lost node with its reason and what to do: a launch needs all of them."""
    lost = [n for n in nodes if n.reach is Reachability.LOST]
    lines = [f"✖ {n.name}: {n.reason or 'lost'}{f' → {n.hint}' if n.hint else ''}" for n in lost]
    return few([Text(line, "$node-lost") for t in lines for line in folded(t, width)], 4, width)


def subset_lines(names: Sequence[str], width: int) -> list[Text]:
    """How other nodes or another order are said: a launch has the nodes of the session."""
    if len(names) < 2:
        return []
    swapped = ",".join((names[1], names[0]))
    text = (
        "A launch uses all nodes of this session, in this order. For fewer nodes or another head, "
        f"quit and run  sparkconsole --nodes {swapped}"
    )
    return [Text(line, "$muted") for line in folded(text, width)]


# --- over which network

NETWORK_COLUMNS = (
    Column("node", "NODE", min=8, max=24),
    Column("eth", "ETH", min=6),
    Column("address", "ADDRESS", min=9),
    Column("hcas", "RDMA", min=10, grow=True),
    Column("gid", "GID", width=3, align="right", drop=1),
    Column("mtu", "MTU", width=5, align="right", drop=2),
)


def network_rows(found: Iterable[Mapping[str, Any]]) -> list[TableRow]:
    """What was detected on each node, as `check` tells it."""
    return [TableRow(str(n["node"]), _network_cells(n)) for n in found]


def _network_cells(n: Mapping[str, Any]) -> tuple[Text | str, ...]:
    if not n["reachable"]:
        return (str(n["node"]), Text("✖ lost", "$node-lost"), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    hcas = ", ".join(map(str, n["hcas"] or ()))
    return (
        str(n["node"]),
        Text(str(n["eth_if"])) if n["eth_if"] else Text("○ none", "$node-warn"),
        str(n["address"] or UNKNOWN),
        Text(hcas) if hcas else Text("○ none", "$node-warn"),
        str(n["gid_index"] if n["gid_index"] is not None else UNKNOWN),
        str(n["mtu"] or UNKNOWN),
    )


def interfaces(nodes: Iterable[NodeState]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of interfaces with an address that every node has, and of RDMA devices with a link."""
    looks = [n.look.facts.fabric for n in nodes if n.look is not None]
    eths = [{d.name for d in fabric.netdevs if d.addresses} for fabric in looks]
    hcas = [{h.device for h in fabric.hcas if h.up} for fabric in looks]
    both = (set.intersection(*sets) if sets else set() for sets in (eths, hcas))
    first, second = (tuple(sorted(s)) for s in both)
    return first, (",".join(second), *second) if len(second) > 1 else second


# --- the plan


def plan_title(plan: Plan | None) -> str:
    """`plan · 4 steps on 2 nodes`."""
    if plan is None:
        return "plan"
    steps, nodes = len(plan.steps), len(plan.nodes())
    return f"plan · {steps} step{'s' * (steps != 1)} on {nodes} node{'s' * (nodes != 1)}"


def plan_lines(plan: Plan, width: int) -> list[Text]:
    """Each step with its node, sentence and command, beside or below each other; then the notes."""
    named = min(max((cell_len(plain(s.node)) for s in plan.steps), default=0), 20)
    notes = [Text(f"  {line}", "$muted") for note in plan.notes for line in folded(note, width - 2)]
    steps = [line for i, s in enumerate(plan.steps, 1) for line in _step_lines(i, s, named, width)]
    return [*steps, *notes]


def _step_lines(number: int, step: Step, named: int, width: int) -> list[Text]:
    line = filled(styled(step.node), named).append(f"{number:>4} ", "$muted")
    room = width - line.cell_len
    if width < 100:
        line.append_text(filled(styled(step.sentence), room))
        below = f"{'':{named + 5}}$ {plain(short_command(step.argv))}"
        return [line, filled(Text(below, "$muted"), width)]
    line.append_text(filled(styled(step.sentence), 48)).append("  ")
    line.append_text(filled(Text(plain(short_command(step.argv)), "$muted"), room - 50))
    return [line]


def refused_lines(error: SparkError, width: int) -> list[Text]:
    """Why there is no plan, and what to do."""
    lines = error_lines(error, width)
    if key := _key_for(error):
        lines.append(Text(key, "$key"))
    return lines


def _key_for(error: SparkError) -> str:
    if "--repair" in error.hint:
        return "F repairs it, D takes it down"
    if "image copy" in error.hint or "image build" in error.hint:
        return "3 goes to the images"
    return ""


# --- small things of the pages

BACKENDS = {
    "ray": "ray: every node joins the Ray cluster; vLLM places its workers through Ray.",
    "none": "none: no Ray; vLLM runs on every node, workers start first.",
    "solo": "solo: the head only; no fabric needed.",
}


def tags(nodes: Iterable[NodeState]) -> tuple[str, ...]:
    """Names of images that some node has."""
    found = {i.tag.removesuffix(":latest") for n in nodes for i in n.images or () if i.tag}
    return tuple(sorted(found))


def explained(error: SparkError, now: ClusterStatus) -> SparkError:
    """A launch that has nothing to do: it runs already."""
    if now.state is ClusterCondition.COMPLETE and "nothing to do" in error.cause:
        hint = "R restarts the containers, D takes them down, 5 serves a model"
        return SparkError(f"{now.container} is already running; nothing to launch", hint=hint)
    return error
