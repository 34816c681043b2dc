"""`demo`: what goes wrong with the pretend cluster, on request. Real clusters need no help with that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkconsole.demo.faults import KINDS, clear, inject, known
from sparkconsole.errors import Refused
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, Session

if TYPE_CHECKING:
    from sparkconsole.demo.cluster import Pretend


@verb("demo fault", ahead=True, refuses=lambda node, kind: known(kind))
async def fault(session: Here, node: str, kind: str) -> Answer:
    """Breaks something on a pretend machine; `demo faults` lists what.

    Parameters
    ----------
    node
        Which machine.
    kind
        What breaks: lost, cut, link-down, flap, mtu, oom, ray-dead, hot, disk-full, gpu-gone, gpu-silent,
        docker-silent, garbage, slow, key, image-differs, hang, engine-dead, freeze, memory.
    """
    pretend = _pretend(session)
    machines, node = pretend.machines, pretend.cluster.member(node).name
    if session.options.dry_run:
        return Answer({"node": node, "fault": kind}, (f"would break {node}: {KINDS.get(kind, kind)}",))
    inject(machines[node], kind)
    return Answer({"node": node, "fault": kind}, (f"{node}: {KINDS[kind]}", f"to fix it: demo clear {node}"))


@verb("demo clear", ahead=True)
async def mend(session: Here, node: str) -> Answer:
    """Fixes a pretend machine, and switches it on.

    Parameters
    ----------
    node
        Which machine.
    """
    pretend = _pretend(session)
    machines, node = pretend.machines, pretend.cluster.member(node).name
    if session.options.dry_run:
        wrong = ", ".join(machines[node].faults) or "nothing"
        return Answer({"node": node}, (f"would fix {node}: {wrong}",))
    mended = clear(machines[node])
    if {"lost", "key"}.intersection(mended) and node in session.fleet.names:
        session.fleet.lost(node)  # so that it is asked again
    text = f"{node}: fixed {', '.join(mended) or 'nothing'}"
    return Answer({"node": node, "mended": list(mended)}, (text,))


@verb("demo faults")
async def faults(session: Here) -> Answer:
    """What can be broken, and what is."""
    machines = _pretend(session).machines
    broken = {name: list(m.faults) for name, m in machines.items() if m.faults}
    kinds = Sheet.of(("kind", "what it is"), list(KINDS.items()))
    now = [f"{name}: {', '.join(kinds)}" for name, kinds in broken.items()]
    return Answer({"kinds": dict(KINDS), "broken": broken}, (kinds, *now))


def _pretend(session: Session) -> Pretend:
    if session.pretend is None:
        raise Refused("only the pretend cluster can be broken on request", hint="sparkconsole --demo")
    return session.pretend
