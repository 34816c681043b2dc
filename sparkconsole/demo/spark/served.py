"""The `vllm serve` processes of a pretend Spark's containers: which there are, and what ends them."""

from __future__ import annotations

from zlib import crc32

from sparkconsole.demo.spark.machine import Machine, PretendJob


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
