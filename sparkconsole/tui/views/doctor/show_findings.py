"""What `doctor` found, as a grid of check and node in an order that never changes. Nothing is assumed: what
could not be asked is unknown, and what does not concern a node is nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sparkconsole.model.checks import CHECKS, Finding, Severity


class Mark(StrEnum):
    """How a check stands on a node."""

    OK = "✔"
    WARN = "!"
    FAIL = "✖"
    UNKNOWN = "·"
    """It could not be asked."""
    NONE = "–"
    """It does not concern this node."""


MARK_OF = {Severity.OK: Mark.OK, Severity.WARN: Mark.WARN, Severity.FAIL: Mark.FAIL}
ORDER = tuple(check.id for check in CHECKS)
BETWEEN = {check.id for check in CHECKS if check.between}
"""Checks of nodes against each other: one that is not named is right."""
NEEDS = {check.id: check.after for check in CHECKS if check.after}
"""What cannot be known of a node on which another check failed."""
BADNESS = {Severity.OK: 0, Severity.WARN: 1, Severity.FAIL: 2}
Ignored = Collection[tuple[str, str, Severity]]
"""Check, node and severity: what gets worse is told again."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check on every node."""

    check: str
    marks: Mapping[str, Mark]
    findings: tuple[Finding, ...]
    """The worst first."""
    ignored: bool = False
    """Everything wrong with it is ignored."""

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What is wrong, ignored or not."""
        return tuple(f for f in self.findings if f.severity is not Severity.OK)

    @property
    def pressing(self) -> bool:
        """Something is wrong that the person has not put aside."""
        return bool(self.problems) and not self.ignored

    @property
    def worst(self) -> Severity:
        """The worst that was found."""
        return _worst(self.findings) or Severity.OK

    @property
    def unasked(self) -> tuple[str, ...]:
        """Nodes of which nothing is known."""
        return tuple(n for n, mark in self.marks.items() if mark is Mark.UNKNOWN)


def grouped(
    findings: Sequence[Finding], nodes: Mapping[str, bool], ignored: Ignored = ()
) -> tuple[CheckRow, ...]:
    """A row per check, in their order; checks that are not known here stand last."""
    order = tuple(dict.fromkeys(f.check for f in findings))
    checks = (*(c for c in ORDER if c in order), *(c for c in order if c not in ORDER))
    return tuple(_row(check, findings, nodes, ignored) for check in checks)


def keys_of(row: CheckRow) -> set[tuple[str, str, Severity]]:
    """What is ignored when this row is."""
    return {(f.check, f.node, f.severity) for f in row.problems}


def _row(check: str, findings: Sequence[Finding], nodes: Mapping[str, bool], ignored: Ignored) -> CheckRow:
    own = sorted((f for f in findings if f.check == check), key=lambda f: -BADNESS[f.severity])
    marks = {node: _mark(check, node, findings, asked=asked) for node, asked in nodes.items()}
    row = CheckRow(check, marks, tuple(own))
    return replace(row, ignored=bool(row.problems) and keys_of(row) <= set(ignored))


def _mark(check: str, node: str, findings: Sequence[Finding], *, asked: bool) -> Mark:
    own = _worst(f for f in findings if f.check == check and f.node == node)
    shared = _worst(f for f in findings if f.check == check and not f.node)
    if own is not None and (asked or check == "reachable"):
        return MARK_OF[max(own, shared or own, key=BADNESS.__getitem__)]
    if not asked or _failed(NEEDS.get(check, ""), node, findings):
        return Mark.UNKNOWN
    if shared is not None:
        return MARK_OF[shared]
    return Mark.OK if check in BETWEEN else Mark.NONE


def _failed(check: str, node: str, findings: Iterable[Finding]) -> bool:
    return any(f.check == check and f.node == node and f.severity is Severity.FAIL for f in findings)


def _worst(findings: Iterable[Finding]) -> Severity | None:
    return max((f.severity for f in findings), key=BADNESS.__getitem__, default=None)
