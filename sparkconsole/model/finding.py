"""A judgement as a person reads it: how bad it is, of which node, what to do; and many of them said once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sparkconsole.model.text.alike import form, groups, together

CONSOLE = "sparkconsole"


class Severity(StrEnum):
    """How bad it is: `fail` stops a launch, `warn` hurts later."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Fix:
    """A remedy that is safe to carry out: one command on the node of its finding, or words of the console."""

    sentence: str
    argv: tuple[str, ...]
    proof: tuple[str, ...] = ()
    """The command that succeeds when it is mended."""

    @property
    def words(self) -> tuple[str, ...]:
        """The console's words, the last of which is the finding's node; none for a command."""
        return self.argv[1:] if self.argv[0] == CONSOLE else ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement. `node` is empty for what concerns all of them."""

    check: str
    severity: Severity
    node: str
    sentence: str
    remedy: str = ""
    fix: Fix | None = None

    def as_data(self) -> dict[str, str]:
        """As `--json` gives it."""
        return {
            "check": self.check, "severity": self.severity.value, "node": self.node,
            "sentence": self.sentence, "remedy": self.remedy,
        }  # fmt: skip


def ok(check: str, node: str, sentence: str, remedy: str = "") -> Finding:
    """Nothing is wrong; the remedy is for what may be done all the same."""
    return Finding(check, Severity.OK, node, sentence, remedy)


def warn(check: str, node: str, sentence: str, remedy: str = "", fix: Fix | None = None) -> Finding:
    """It hurts later."""
    return Finding(check, Severity.WARN, node, sentence, remedy, fix)


def fail(check: str, node: str, sentence: str, remedy: str = "", fix: Fix | None = None) -> Finding:
    """It stops a launch."""
    return Finding(check, Severity.FAIL, node, sentence, remedy, fix)


@dataclass(frozen=True, slots=True)
class JoinedFinding:
    """One thing that was found, and the nodes of which it is said; none: of all of them together."""

    finding: Finding
    nodes: tuple[str, ...]


def joined_findings(findings: Iterable[Finding]) -> list[JoinedFinding]:
    """Each thing said once, in the order in which it was said first."""
    alike = groups(findings, lambda f: (f.severity, f.check, form(f.sentence), form(f.remedy), not f.node))
    joined = []
    for found in alike:
        sentence, remedy = together([f.sentence for f in found]), together([f.remedy for f in found])
        one = replace(found[0], sentence=sentence, remedy=remedy)
        joined.append(JoinedFinding(one, tuple(f.node for f in found if f.node)))
    return joined
