"""Ending a served model on every node that can be asked, and reading back what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sparkconsole.errors import Refused, SparkError, Unreachable
from sparkconsole.fleet.execute_plan import verify
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.fleet.jobs import job_state
from sparkconsole.model.launch.site import Site
from sparkconsole.model.serve.engine import LiveRank, jobs_of
from sparkconsole.model.text.units import size
from sparkconsole.model.work.job import Job
from sparkconsole.model.work.plan import Plan, PlanOutcome, Step, Verification
from sparkconsole.remote.node.site import look

END_S = 70.0
"""A server has 30 s to end by itself, then 20 s by force."""


class NoServer(Refused):
    """There is no server on the port that was named, and there is one on another."""


@dataclass(frozen=True, slots=True)
class RunningServers:
    """Every container in which a server may run, and the servers that do."""

    container: str
    port: int
    head: str
    sites: Mapping[str, Site]
    """The nodes whose container runs."""
    ranks: Mapping[str, tuple[LiveRank, ...]]
    """On each of them, whatever their port."""
    lost: Mapping[str, SparkError]
    """Nodes that could not be asked: what runs there is unknown."""

    def jobs(self) -> tuple[Job, ...]:
        """The servers of that port that a console started."""
        return jobs_of((r for node in self.ranks for r in self.ours(node)), self.container)

    def ours(self, node: str) -> tuple[LiveRank, ...]:
        """A node's servers of that port."""
        return tuple(r for r in self.ranks[node] if r.port == self.port)

    def others(self) -> tuple[LiveRank, ...]:
        """The servers of other ports, one for each port."""
        by_port = {r.port: r for ranks in self.ranks.values() for r in ranks if r.port != self.port}
        return tuple(by_port[port] for port in sorted(by_port))

    @property
    def everything(self) -> bool:
        """No other server runs: whatever vLLM left behind is of this one."""
        return all(r.port == self.port for ranks in self.ranks.values() for r in ranks)


async def look_for_servers(fleet: Fleet, container: str, port: int) -> RunningServers:
    """What runs where; Refused when no container does, Unreachable when the head cannot be asked."""
    from sparkconsole.remote.serve.processes import live_ranks

    answers = await fleet.ask(lambda shell: look(shell, container))
    sites = {node: site for node, site in answered(answers).items() if site.running}
    head = sites.get(fleet.head)
    lost = {} if head is not None and head.solo else failed(answers)
    if fleet.head in lost:
        raise lost[fleet.head]
    if not sites:
        raise Refused(f"no container {container} runs", hint="then no server does", node=fleet.head)
    found = await fleet.ask(lambda shell: live_ranks(shell, container), sites)
    ranks, lost = answered(found), lost | failed(found)
    sites = {node: sites[node] for node in ranks}
    first = (r.group for on_node in ranks.values() for r in on_node if isinstance(r.group, int))
    if any(group <= 1 for group in first):
        hint = "end the container: sparkconsole stop"
        raise Refused(f"the server is what {container} was started for", hint=hint, node=fleet.head)
    return RunningServers(container, port, fleet.head, sites, ranks, lost)


async def require_server(fleet: Fleet, found_servers: RunningServers, known: Iterable[Job]) -> None:
    """NoServer where only other ports have one, and no node has a trace of one that was started here."""
    others = found_servers.others()
    if not others or any(found_servers.ours(node) for node in found_servers.ranks):
        return
    for job in known:
        with suppress(SparkError):
            if (await job_state(fleet, job)).known:
                return
    ports = [str(rank.port) for rank in others]
    there = f"one is on {ports[0]}" if len(ports) == 1 else f"there are some on {', '.join(ports)}"
    hint = f"sparkconsole serve stop --port {ports[0]} ends the server of {others[0].name}"
    raise NoServer(f"no server on port {found_servers.port}; {there}", hint=hint, node=found_servers.head)


def serve_stop_plan(found_servers: RunningServers) -> Plan:
    """One step a node: the servers of that port, and what outlived them when no other server runs."""
    title = f"end the server on port {found_servers.port} in {found_servers.container}"
    notes = tuple(f"{node} cannot be asked: {error.cause}" for node, error in found_servers.lost.items())
    return Plan(title, tuple(_end(found_servers, node) for node in found_servers.sites), notes=notes)


def _end(found_servers: RunningServers, node: str) -> Step:
    from sparkconsole.remote.serve.processes import end_argv, gone_argv

    ours, container, everything = found_servers.ours(node), found_servers.container, found_servers.everything
    groups, names = tuple(r.group for r in ours), ", ".join(r.name for r in ours)
    what = f"the server of {names}" if names else "what a server left or runs here for another node"
    argv = end_argv(container, groups, everything=everything)
    gone = Verification("no process of it is left", gone_argv(container, groups, everything=everything))
    return Step(f"end-{node}", node, f"end {what}", argv, verify=gone, timeout_s=END_S)


@dataclass(frozen=True, slots=True)
class End:
    """How ending went on one node, as read back from it."""

    node: str
    text: str
    ok: bool
    before_bytes: int = 0
    """MemAvailable before and after."""
    after_bytes: int = 0
    unknown: bool = False
    """Nobody could see."""

    def memory(self) -> str | None:
        """As it changed; None where it is not known."""
        return f"{size(self.before_bytes)} → {size(self.after_bytes)}" if self.after_bytes else None


async def read_back(fleet: Fleet, found_servers: RunningServers, outcome: PlanOutcome) -> tuple[End, ...]:
    """Every node's end: its processes, its port, its memory. A node that cannot be asked is unknown."""
    ends = {o.step.node: o for o in outcome.failures()}
    # Its command may have failed, and the server be gone all the same: whoever ended it.
    again = await fleet.ask(lambda shell: verify(shell, ends[shell.node].step), ends) if ends else {}
    answers = await fleet.ask(lambda shell: look(shell, found_servers.container), found_servers.sites)
    unproved = failed(again)
    unseen = {node: error for node, error in unproved.items() if isinstance(error, Unreachable)}
    lost = {**found_servers.lost, **unseen, **failed(answers)}
    wrong = {n: error.cause if ends[n].unseen else ends[n].detail for n, error in unproved.items()}
    seen = {node: site for node, site in answered(answers).items() if node not in lost}
    known = [_read(found_servers, node, site, wrong.get(node, "")) for node, site in seen.items()]
    unknown = [End(n, f"unknown: {error.cause}", ok=False, unknown=True) for n, error in lost.items()]
    return (*known, *unknown)


def _read(found_servers: RunningServers, node: str, after: Site, wrong: str) -> End:
    before = found_servers.sites[node]
    taken = found_servers.port in after.listening and bool(found_servers.ours(node))
    port = f"port {found_servers.port} is still in use" if taken else ""
    # Nothing runs in a container that does not run: there the proof, which runs in it, fails.
    why = (wrong if after.running else "") or port
    how = "ended" if after.running else "ended with its container"
    return End(node, why or how, not why, before.available_bytes, after.available_bytes)
