"""Stops a cluster node by node and reads back what came of it; a lost node never holds up the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.execute_plan import verify
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.waiting import under_way
from sparkconsole.model.launch.site import Site
from sparkconsole.model.work.news import Output, Report, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.remote.node import site
from sparkconsole.remote.shell import Shell

_LOOKS = 20
"""How often, half a second apart, the processes of a removed container are looked for."""


class StopResult(StrEnum):
    """What is known of one node afterwards."""

    STOPPED = "stopped"
    NOT_RUNNING = "was not running"
    UNREACHABLE = "unreachable: unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Stop:
    """How stopping ended on one node, as read back from it."""

    node: str
    result: StopResult
    why: str = ""
    before_bytes: int = 0
    """MemAvailable before and after."""
    after_bytes: int = 0
    processes_left: int = 0
    ports_taken: tuple[int, ...] = ()


async def stop_nodes(
    fleet: Fleet, plan: Plan, container: str, report: Report, *, nodes: Iterable[str], ports: Iterable[int]
) -> tuple[Stop, ...]:
    """Carries out each node's steps of the plan, side by side; every node gets its line."""
    wanted = tuple(ports)
    works = [_stop_node(fleet, plan, container, report, node=n, ports=wanted) for n in nodes]
    return tuple(await together(*works))


async def _stop_node(
    fleet: Fleet, plan: Plan, container: str, report: Report, *, node: str, ports: tuple[int, ...]
) -> Stop:
    steps = [s for s in plan.steps if s.node == node]
    before: Site | None = None
    try:
        shell = await fleet.shell(node)
        before = await site.look(shell, container)
        if not steps and before.found is None:
            return Stop(node, StopResult.NOT_RUNNING, "", before.available_bytes, before.available_bytes)
        for step in steps:
            await _execute(fleet, shell, step, report)
        return await _read_back(fleet, shell, container, before, ports)
    except Unreachable as error:
        return Stop(node, StopResult.UNREACHABLE, error.cause)
    except SparkError as error:
        return Stop(node, StopResult.FAILED, error.cause, before.available_bytes if before else 0)


async def _execute(fleet: Fleet, shell: Shell, step: Step, report: Report) -> None:
    report(StepBegan(step.node, step.sentence))
    began = fleet.clock.monotonic()
    async with under_way(step, report):
        done = await shell.run(step.argv, timeout=step.timeout_s)
    if step.reads:
        for line in done.text.splitlines():
            report(Output(step.node, line, quiet=True))
    if done.status is None:
        raise Unreachable("the connection was lost", node=step.node)
    detail = "" if done.ok else done.error_text.strip() or done.text.strip()
    wrong: SparkError | None = None
    try:
        done.checked()
        await verify(shell, step)
    except Unreachable:
        raise
    except SparkError as error:
        wrong, detail = error, detail or error.cause
    report(StepEnded(StepOutcome(step, wrong is None, detail, fleet.clock.monotonic() - began)))
    if wrong is not None and not step.reads:  # a log that cannot be read is no reason to leave the container
        raise wrong


async def _read_back(
    fleet: Fleet, shell: Shell, container: str, before: Site, ports: tuple[int, ...]
) -> Stop:
    left = await site.still_alive(shell, before.found.pids if before.found else frozenset())
    for _ in range(_LOOKS if left else 0):
        await fleet.clock.sleep(0.5)
        if not (left := await site.still_alive(shell, left)):
            break
    after = await site.look(shell, container)
    taken = tuple(p for p in after.taken(ports) if before.found is not None)
    why = _not_gone(after, len(left), taken)
    result = StopResult.FAILED if why else StopResult.STOPPED
    return Stop(shell.node, result, why, before.available_bytes, after.available_bytes, len(left), taken)


def _not_gone(after: Site, processes: int, ports: tuple[int, ...]) -> str:
    if after.found is not None:
        return "the container is still there"
    if processes:
        return f"{processes} of its processes still run"
    return f"port {', '.join(map(str, ports))} is still in use" if ports else ""
