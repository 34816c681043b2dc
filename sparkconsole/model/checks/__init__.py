"""What is wrong with a cluster: pure judgements over one look at each node, each of them data (`CHECKS`)."""

from sparkconsole.model.checks.evidence import ClusterEvidence, Look, Pace, networks
from sparkconsole.model.checks.table import BY_ID, CHECKS, Check, judge, probes
from sparkconsole.model.finding import Finding, Fix, JoinedFinding, Severity, joined_findings

__all__ = [
    "BY_ID", "CHECKS", "Check", "ClusterEvidence", "Finding", "Fix", "JoinedFinding", "Look", "Pace",
    "Severity", "joined_findings", "judge", "networks", "probes",
]  # fmt: skip
