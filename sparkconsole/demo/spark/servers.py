"""The `vllm serve` processes of a pretend Spark: what ends them, which hang, who guards memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from zlib import crc32

from sparkconsole.demo.spark.life import HUNG
from sparkconsole.demo.spark.machine import KILLED, Machine
from sparkconsole.demo.stories import PretendJob
from sparkconsole.remote.serve.guard import FIRED, SAYS


def stop(machine: Machine, container: str, args: tuple[str, ...]) -> None:
    """As remote.serve.processes ends them: the groups that are named, and with `all` what is left of any."""
    for name in _serving(machine, container):
        if args[0] == "all" or str(_group(name)) in args[1:]:
            machine.cancel(name)


def gone(machine: Machine, container: str, args: tuple[str, ...]) -> tuple[int, str, str]:
    """`all`, or `these` and process groups."""
    lines = (line.split() for line in servers(machine, container).splitlines())
    left = {words[1] for words in lines if words[0] == "process"}
    wrong = left if args[0] == "all" else left.intersection(args[1:])
    return (1, "", "a process of it is left") if wrong else (0, "", "")


def servers(machine: Machine, container: str) -> str:
    """As remote.serve.processes finds them."""
    found = []
    for name, job in _serving(machine, container).items():
        group, words = _group(name), "\x1f".join(job.argv)
        found += [f"process {group} {group} {words}\x1f", f"job {group} {name}.pid"]
    return "".join(f"{line}\n" for line in found)


def _serving(machine: Machine, container: str) -> dict[str, PretendJob]:
    """The servers in that container that go on, by their jobs' names."""
    jobs = {name: machine.look(name) for name in list(machine.jobs)}
    found = {name: job for name, job in jobs.items() if job is not None and job.story.ready_s}
    return {name: job for name, job in found.items() if job.status is None and job.container == container}


def _group(name: str) -> int:
    """A job's process group: its own for as long as it lives, whatever else comes and goes."""
    return 100 + crc32(name.encode()) % 4_000_000


def stand_still(machine: Machine) -> None:
    """Its rank does nothing from now on, and the others wait for it."""
    _turn(machine, ("serve", "bench"), lambda rank: "stall" if rank is machine else "spin")


def go_on(machine: Machine) -> None:
    """The server gives tokens again, unless another machine still holds it up."""
    if not any({"hang", "freeze"} & set(m.faults) for m in machine.cluster.values()):
        _turn(machine, HUNG, lambda _: "serve")


def engine_dies(machine: Machine) -> None:
    """The rank that is here ends; the server's API process answers on, as it does for minutes."""
    stand_still(machine)
    for owner in machine.cluster.values():
        for job in (j for j in owner.jobs.values() if j in _spanning(machine)):
            written = owner.log(job).decode().splitlines()
            last = machine.clock.monotonic() - job.began
            lines = [(0.0, line) for line in written]
            lines += [(last, line) for line in job.dies_with.splitlines()]
            job.story, job.dead = replace(job.story, lines=tuple(lines), goes_on=None), True


def _turn(machine: Machine, kinds: Iterable[str], into: Callable[[Machine], str]) -> None:
    now = machine.clock.monotonic()
    for job in _spanning(machine):
        if job.dead:
            continue
        for rank in (machine.cluster[name] for name in job.needs):
            stopped = [s for s in rank.spells if s.kind in kinds and s.runs(now)]
            for spell in stopped:
                spell.stop(now)
            if stopped:
                weight = max(s.weight for s in stopped if s.kind != "bench")
                job.spells = (*job.spells, rank.busy(into(rank), weight=weight))


def _spanning(machine: Machine) -> list[PretendJob]:
    """Servers with a rank here."""
    jobs = (job for m in machine.cluster.values() for job in m.jobs.values())
    return [j for j in jobs if j.status is None and j.story.ready_s and machine.name in j.needs]


def live(machine: Machine) -> None:
    """What comes of memory that runs out on any of the machines, as time goes by."""
    for other in machine.cluster.values():
        if "memory" in other.faults:
            _guard(other)
            if other.frozen and not other.hangs:
                stand_still(other)


def _guard(machine: Machine) -> None:
    """At its line a guard ends the server, and the memory is free again."""
    free = machine.available() // 1024
    for job in [j for j in machine.jobs.values() if j.status is None and "memory-guard" in j.argv]:
        line, now = int(job.argv[-2]), machine.clock.monotonic()
        if free < line:
            why = f"{SAYS} MemAvailable is {free} kB, the line is {line} kB: "
            why += "the server is ended before the machine freezes (DEMO)\n"
            job.end(FIRED, now, why)
            for server in _spanning(machine):
                server.end(KILLED, now, why if server in machine.jobs.values() else server.dies_with)
            machine.faults.pop("memory", None)
