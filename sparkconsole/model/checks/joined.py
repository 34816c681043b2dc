"""Findings as a person reads them: what is said of many nodes is one line, whatever numbers differ in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sparkconsole.model.checks.evidence import Finding
from sparkconsole.model.text.alike import form, groups, together


@dataclass(frozen=True, slots=True)
class JoinedFinding:
    """One thing that was found, and the nodes of which it is said; none: of all of them together."""

    finding: Finding
    nodes: tuple[str, ...]


def joined_findings(findings: Iterable[Finding]) -> list[JoinedFinding]:
    """Each thing said once, in the order in which it was said first."""
    alike = groups(findings, lambda f: (f.severity, f.check, form(f.sentence), form(f.remedy), not f.node))
    return [_joined(found) for found in alike]


def _joined(found: list[Finding]) -> JoinedFinding:
    joined = replace(
        found[0],
        sentence=together([f.sentence for f in found]),
        remedy=together([f.remedy for f in found]),
    )
    return JoinedFinding(joined, tuple(f.node for f in found if f.node))
