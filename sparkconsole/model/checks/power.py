"""Judgements of what nvidia-smi calls no error: clocks stuck or let loose, a pace that fell, lost power."""

from __future__ import annotations

from collections.abc import Iterator

from sparkconsole.model.checks.evidence import ClusterEvidence, Look, as_root
from sparkconsole.model.finding import Finding, Fix, ok, warn
from sparkconsole.model.telemetry import is_stuck
from sparkconsole.model.text.units import hms

COOL_C = 70.0
"""In a hotter one a low clock has a reason."""
CLOCK_SLACK_MHZ = 60.0
RECENT_S = 86_400.0
KILLED_WITH_THE_MACHINE = "Exited (255)"
"""What Docker says of a container that ran when the machine went."""
TWICE = 1.8
"""Times as slow as it was: other runs of the same thing differ by a few percent."""
_UNDER_LOAD = (
    "if nobody pulled the cord: watch its power and heat under load; sudo nvidia-smi -lgc 200,2150 helped"
)
CORD = "pull the power cords for a minute, then boot: a reboot does not help"


def stuck(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Full use at a third of the clock and hardly any power, while it is cool."""
    for gpu in look.facts.gpus:
        if is_stuck(gpu) and (gpu.temperature_c or 0.0) < COOL_C:
            pace = f"{gpu.utilisation:.0f} % used at {gpu.clock_mhz:.0f} MHz and {gpu.power_w:.0f} W"
            yield warn("gpu", node, f"{gpu.name} is stuck slow: {pace}", CORD)


def clamped(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """A clock above what a unit sets at boot: the clamp does not survive a reset of the driver."""
    clocks = [g.clock_mhz for g in look.facts.gpus if g.clock_mhz is not None]
    for unit, most in look.facts.found.clamps.items():
        if unit and any(clock > most + CLOCK_SLACK_MHZ for clock in clocks):
            fix = Fix(f"start {unit} again", as_root(look, "systemctl", "restart", unit))
            text = f"the GPU runs at {max(clocks):.0f} MHz, and {unit} should hold it at {most}"
            yield warn("gpu", node, text, f"sudo systemctl restart {unit}", fix)


def went(_: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Off without a shutdown. Somebody may have pulled the cord: only while a container ran is it told."""
    deep_probe = look.facts.found
    if deep_probe.ended is None:
        return
    if deep_probe.ended:
        yield ok("power", node, "it was shut down before it booted")
        return
    lost = [c.name for c in deep_probe.containers or () if c.status.startswith(KILLED_WITH_THE_MACHINE)]
    recent = deep_probe.uptime_s is not None and deep_probe.uptime_s < RECENT_S
    since = f", {hms(deep_probe.uptime_s)} ago" if deep_probe.uptime_s is not None else ""
    text = f"it went off without a shutdown before it booted{since}"
    if lost and recent:
        yield warn("power", node, f"{text}, while {', '.join(lost)} ran", _UNDER_LOAD)
    else:
        yield ok("power", node, text)


def pace(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The newest benchmark against the best of the same kind before it."""
    newest, *earlier = evidence.paces or (None,)
    same = [p for p in earlier if p is not None and newest is not None and p.asked == newest.asked]
    if newest is None or not same:
        return
    best = min(same, key=lambda p: p.token_ms)
    text = f"{newest.token_ms:.1f} ms a token in {newest.run}, {best.token_ms:.1f} ms in {best.run}"
    if newest.token_ms < TWICE * best.token_ms:
        yield ok("pace", "", f"as fast as it was: {text}")
        return
    remedy = f"nvidia-smi may show nothing of it; on each node {CORD}; then sparkconsole bench run again"
    yield warn("pace", "", f"the same benchmark is slower than it was: {text}", remedy)
