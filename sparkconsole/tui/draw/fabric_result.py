"""The last fabric test in a line: what it carried, when, and whether that was enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.text import Text

from sparkconsole.model.checks import Severity
from sparkconsole.model.fabric.rates import Rate, earlier, judge_rate
from sparkconsole.model.text.units import age, moment

NONE = "the fabric was never tested"
SEVERITY_SIGNS = {
    Severity.FAIL: ("✖", "$node-lost"),
    Severity.WARN: ("!", "$node-warn"),
    Severity.OK: ("✔", "$node-up"),
}
"""The worst first."""


def last_gate(kept: Sequence[Rate]) -> tuple[Rate, ...]:
    """The rates of the newest gate."""
    return tuple(r for r in kept if r.at == kept[-1].at) if kept else ()


def gate_line(kept: Sequence[Rate], now: datetime) -> Text:
    """`✔ fabric test 3m ago: 96.8 + 93.1 Gb/s · t again`; of several pairs the slowest."""
    rates = last_gate(kept)
    if not rates:
        return Text(f"○ {NONE} · t tests it", "$muted")
    pairs = {frozenset((r.node, r.peer)): pair_rates(rates, r.node, r.peer) for r in rates}
    least = min(pairs.values(), key=sum)
    found = {judge_rate(r, earlier(r, kept)).severity for r in rates}
    glyph, style = SEVERITY_SIGNS[next((s for s in SEVERITY_SIGNS if s in found), Severity.OK)]
    carried = " + ".join(f"{gbit:.1f}" for gbit in least)
    by = "" if rates[0].device else " of TCP"
    on = f", slowest of {len(pairs)} pairs" if len(pairs) > 1 else ""
    text = Text(f"{glyph} fabric test {_ago(rates[0].at, now)}: {carried} Gb/s{by}{on}", style)
    return text.append(" · t again", "$muted")


def network_note(doubts: Sequence[Text], kept: Sequence[Rate], now: datetime) -> list[Text]:
    """What is wrong, and the last test; one line where nothing is."""
    if doubts or kept:
        return [*doubts, gate_line(kept, now)]
    return [Text("✔ no problem found", "$node-up").append(f" · {NONE}: t", "$muted")]


def node_gate(kept: Sequence[Rate], node: str) -> str:
    """What all rails together carried to its slowest neighbour in the newest gate; empty: not known."""
    rates = [r for r in last_gate(kept) if node in (r.node, r.peer)]
    pairs = [pair_rates(rates, r.node, r.peer) for r in rates]
    return f"tested {sum(min(pairs, key=sum)):.0f} Gb/s" if pairs else ""


def pair_rates(rates: Sequence[Rate], node: str, peer: str) -> tuple[float, ...]:
    """The rails of one pair."""
    return tuple(r.gbit for r in rates if {r.node, r.peer} == {node, peer})


def _ago(at: str, now: datetime) -> str:
    then = moment(at)
    return f"{age(max(now - then, timedelta(0)).total_seconds())} ago" if then else at
