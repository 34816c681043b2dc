"""What is wrong in a cluster, as the Cluster view says it: each thing once, with the nodes that have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.text import Text

from sparkconsole.fleet.store import NodeState, Reachability, ServerPhase, Store
from sparkconsole.model.text.alike import form, groups, together, whose
from sparkconsole.model.text.units import age
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.frame import joined_cells, plain, styled
from sparkconsole.tui.draw.node_state import DrawContext


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, of one node or of many. No node: it concerns the served model."""

    glyph: str
    sentence: str
    nodes: tuple[str, ...] = ()
    every: int = 0
    """How many nodes the cluster has."""

    @property
    def text(self) -> str:
        """`✖ spark-03 lost …`, `! 3 of 64 nodes: image missing (vllm-node)`."""
        where = whose(self.nodes, self.every)
        return " ".join(x for x in (self.glyph, f"{where}{':' * (len(self.nodes) > 1)}", self.sentence) if x)


def problems(store: Store, context: DrawContext) -> tuple[Problem, ...]:
    """Everything that is wrong: lost nodes, then the served model, then the others in the cluster's order."""
    nodes = tuple(store.nodes.values())
    gone = [n for n in nodes if n.reach is Reachability.LOST]
    lost = groups([n for n in gone if not n.own_action], _cause)
    meant = groups([n for n in gone if n.own_action], lambda n: n.own_action)
    wrong = [(n.name, of.troubles(n, context)) for n in nodes if n.reach is not Reachability.LOST]
    most = max((len(found) for _, found in wrong), default=0)
    rest = [(name, found[at]) for at in range(most) for name, found in wrong if at < len(found)]
    alike = groups(rest, lambda each: form(each[1]))
    some = partial(Problem, every=len(nodes))
    return (
        *(some("✖", _lost(same, context), tuple(n.name for n in same)) for same in lost),
        *_served(store),
        *(some("!", f"down on purpose: {plain(s[0].own_action)}", tuple(n.name for n in s)) for s in meant),
        *(some("!", together([t for _, t in same]), tuple(dict(same))) for same in alike),
    )


def _cause(state: NodeState) -> str:
    """The same for all nodes that are lost for the same reason, whatever is theirs in it."""
    if state.fingerprint:
        return "host key"
    return form(state.reason.replace(state.name, "#").replace(state.address, "#"))


def _lost(same: Sequence[NodeState], context: DrawContext) -> str:
    """Of one when it was lost and when it is tried again; of many what is the same."""
    state = same[0]
    if state.fingerprint:
        keys = f"host key {plain(state.fingerprint)} is" if len(same) == 1 else "their host keys are"
        return f"{keys} not trusted yet: T"
    reason = plain(state.reason) or "it does not answer"
    if len(same) > 1:
        own = len({n.reason for n in same}) > 1
        return f"lost: {reason} ({plain(state.name)})" if own else f"lost: {reason}"
    again = f", {retry}" if (retry := of.again_word(state, context)) else ""
    gone = of.since_s(state, context)
    return f"lost{'' if gone is None else f' {age(gone)} ago'}: {reason}{again}"


def _served(store: Store) -> Iterable[Problem]:
    server = store.server
    if server.phase in (ServerPhase.FAILED, ServerPhase.WEDGED):
        yield Problem("✖", f"{plain(server.model)} {server.phase.value}: {plain(server.detail)}".lstrip())
    elif server.phase is ServerPhase.UNKNOWN and server.suspect:
        yield Problem("!", f"{plain(server.model)} may be down: {plain(server.detail)}".lstrip())


def problem_line(found: Sequence[Problem], width: int, connecting: int = 0) -> Text:
    """The first of them, and how many there are."""
    if not found:
        waiting = f"connecting to {connecting} node{'s' * (connecting != 1)} …"
        return Text(f" {waiting}" if connecting else " ✔ no problem", "$muted")
    first = found[0]
    style = "$node-lost" if first.glyph == "✖" else "$node-warn"
    many = f"{len(found)} problems" if len(found) > 1 else f"{len(first.nodes)} nodes"
    several = len(found) > 1 or len(first.nodes) > 1
    count = Text(f"n: next of {many}" if several else "n: show", "$muted")
    line = styled(first.text, style)
    line.truncate(max(width - count.cell_len - 4, 1), overflow="ellipsis")
    gap = max(2, width - 2 - line.cell_len - count.cell_len)
    return joined_cells((Text(" "), line, Text(" " * gap), count), 0)
