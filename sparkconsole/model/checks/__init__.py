"""What is wrong with a cluster: pure judgements over one look at each node, each of them data (`CHECKS`)."""

from sparkconsole.model.checks.evidence import (
    ClusterEvidence,
    Finding,
    Fix,
    JoinedFinding,
    Look,
    Pace,
    Severity,
    joined_findings,
    networks,
)
from sparkconsole.model.checks.table import BY_ID, CHECKS, Check, judge, probes

__all__ = [
    "BY_ID", "CHECKS", "Check", "ClusterEvidence", "Finding", "Fix", "JoinedFinding", "Look", "Pace",
    "Severity", "joined_findings", "judge", "networks", "probes",
]  # fmt: skip
