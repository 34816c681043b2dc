"""What the checks found, as the views that show it share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sparkconsole.model.checks import Finding, Fix, Severity


def findings_of(data: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings of an answer of `check` or `doctor`."""
    found = []
    for f in data.get("findings", ()):
        fix = Fix("", tuple(f["fix"])) if f.get("fix") else None
        found.append(Finding(f["check"], Severity(f["severity"]), f["node"], f["sentence"], f["remedy"], fix))
    return tuple(found)


def tally(severities: Iterable[Severity]) -> str:
    """`1 failed · 2 warnings · 12 ok`."""
    count = Counter(severities)
    failed, warned = count[Severity.FAIL], count[Severity.WARN]
    words = [f"{failed} failed"] * bool(failed) + [f"{warned} warning{'s' * (warned != 1)}"] * bool(warned)
    return " · ".join((*words, f"{count[Severity.OK]} ok"))
