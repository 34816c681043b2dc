"""What can go wrong with a pretend Spark, on request; what is above meets it as it would the real thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sparkconsole.demo.spark import servers
from sparkconsole.demo.spark.engine import with_other_layers
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.alike import suggestion

KINDS: Mapping[str, str] = {
    "lost": "a power cut: the connection breaks and nobody answers",
    "cut": "the cable it is managed over is out: nobody reaches it, and all that runs on it goes on",
    "link-down": "the cable of the fast link is out of its first half",
    "flap": "that link comes and goes every five seconds",
    "mtu": "its fast interface has an MTU of 1500",
    "oom": "the kernel kills the container for its memory",
    "ray-dead": "the Ray node in the container ends",
    "hot": "it gets hot, and the GPU is held back",
    "disk-full": "hardly any space is left",
    "gpu-gone": "the GPU has fallen off the bus",
    "gpu-silent": "the GPU's driver answers nobody",
    "docker-silent": "its Docker engine answers nobody; the containers run on",
    "garbage": "its tools print rubbish",
    "slow": "every answer takes seconds",
    "key": "its host key is another, unknown one",
    "image-differs": "its image has the same name and other layers",
    "hang": "its rank of the served model stands still: no token comes, /health stays 200",
    "engine-dead": "the served model's rank ends: its log says so, /health stays 200",
    "freeze": "the machine stands still: its connections stand, and nothing comes",
    "memory": "the served model wants ever more memory here, until the machine freezes",
}


def known(kind: str) -> str:
    """The kind; WrongUsage for one that there is not."""
    if kind not in KINDS:
        hint = suggestion(kind, KINDS, f"there are {', '.join(KINDS)}")
        raise WrongUsage(f"there is no fault {kind!r}", hint=hint)
    return kind


def inject(machine: Machine, kind: str) -> None:
    """Makes it so, from now on; WrongUsage for a kind that there is not."""
    known(kind)
    machine.faults[kind] = machine.clock.monotonic()
    if kind in _KERNEL_LINES:
        machine.note(_KERNEL_LINES[kind])
    if kind in _AT_ONCE:
        _AT_ONCE[kind](machine)


def clear(machine: Machine) -> tuple[str, ...]:
    """Mends everything; a machine without power is switched on. What was wrong.

    What a fault ended does not start again by itself.
    """
    kinds = tuple(machine.faults)
    for spell in machine.spells:
        if spell.kind == "hot":
            spell.stop(machine.clock.monotonic())
    if "link-down" in kinds or "flap" in kinds:
        machine.note("mlx5_core 0000:01:00.1 enp1s0f1np1: Link up")
    while machine.true_images:
        tag, had = machine.true_images.popitem()
        machine.images.pop(tag)
        machine.images.update({tag: had} if had else {})
    if "lost" in kinds:
        machine.switch_on()
    machine.faults.clear()
    servers.go_on(machine)
    return kinds


def _out_of_memory(machine: Machine) -> None:
    for container in machine.running():
        machine.end_container(container.name, 137, oom_killed=True)


def _ray_ends(machine: Machine) -> None:
    why = "Some Ray subprocesses exited unexpectedly: raylet [exit code=-9] (DEMO)"
    for container in machine.running():
        machine.end_container(container.name, 1, why=why)


def _drop(machine: Machine) -> None:
    """The connection breaks; what the next one meets is the fault's."""
    machine.drops += 1


def _differ(machine: Machine) -> None:
    """What every machine has of the cluster's images, with other layers here."""
    there = {tag: image for m in machine.cluster.values() for tag, image in m.images.items()}
    for tag, image in {**there, **machine.images}.items():
        machine.true_images.setdefault(tag, machine.images.get(tag))
        machine.images[tag] = {**with_other_layers(image), "RepoTags": [tag]}


_AT_ONCE: Mapping[str, Callable[[Machine], object]] = {
    "lost": Machine.fall_silent,
    "cut": _drop,
    "oom": _out_of_memory,
    "ray-dead": _ray_ends,
    "hot": lambda machine: machine.busy("hot"),
    "key": _drop,
    "image-differs": _differ,
    "hang": servers.stand_still,
    "freeze": servers.stand_still,
    "engine-dead": servers.engine_dies,
}
_KERNEL_LINES: Mapping[str, str] = {
    "link-down": "mlx5_core 0000:01:00.1 enp1s0f1np1: Link down",
    "flap": "mlx5_core 0000:01:00.1 enp1s0f1np1: Link down",
    "gpu-gone": "NVRM: Xid (PCI:000f:01:00): 79, GPU has fallen off the bus.",
    "oom": "Out of memory: Killed process 4242 (VLLM::Worker_TP) total-vm:131072000kB",
    "hot": "thermal thermal_zone0: critical trip point is near (94 C)",
    "disk-full": "EXT4-fs warning (device nvme0n1p2): ext4_dx_add_entry: no space left on device",
}
