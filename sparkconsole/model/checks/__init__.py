"""What is wrong with a cluster: pure judgements over one look at each node, each of them data (`CHECKS`)."""

from sparkconsole.model.checks.evidence import Examined, Finding, Fix, Look, Pace, Severity, networks
from sparkconsole.model.checks.said import Saying, sayings
from sparkconsole.model.checks.table import BY_ID, CHECKS, Check, evidence, judge

__all__ = [
    "BY_ID",
    "CHECKS",
    "Check",
    "Examined",
    "Finding",
    "Fix",
    "Look",
    "Pace",
    "Saying",
    "Severity",
    "evidence",
    "judge",
    "networks",
    "sayings",
]
