"""What can go wrong with a pretend Spark, on request; what is above meets it as it would the real thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sparkconsole.demo.machine import Machine
from sparkconsole.errors import WrongUsage

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "lost": "a power cut: the connection breaks and nobody answers",
        "link-down": "the cable of the fast link is out of its first half",
        "flap": "that link comes and goes every five seconds",
        "mtu": "its fast interface has an MTU of 1500",
        "oom": "the kernel kills the container for its memory",
        "ray-dead": "the Ray node in the container ends",
        "hot": "it gets hot, and the GPU is held back",
        "disk-full": "hardly any space is left",
        "gpu-gone": "the GPU has fallen off the bus",
        "garbage": "its tools print rubbish",
        "slow": "every answer takes seconds",
        "key": "its host key is another, unknown one",
        "image-differs": "its image has the same name and other layers",
    }
)


def inject(machine: Machine, kind: str) -> None:
    """Makes it so, from now on; WrongUsage for a kind that there is not."""
    if kind not in KINDS:
        raise WrongUsage(f"there is no fault {kind!r}", hint=f"there are {', '.join(KINDS)}")
    machine.faults[kind] = machine.clock.monotonic()
    if kind in _AT_ONCE:
        _AT_ONCE[kind](machine)


def clear(machine: Machine) -> tuple[str, ...]:
    """Mends everything; a machine without power is switched on. What was wrong."""
    kinds = tuple(machine.faults)
    for spell in machine.spells:
        if spell.kind == "hot":
            spell.stop(machine.clock.monotonic())
    if not machine.on:
        machine.switch_on()
    elif "key" in kinds:
        machine.boots += 1
    machine.faults.clear()
    return kinds


def _power_cut(machine: Machine) -> None:
    machine.fall_silent()


def _container_ends(machine: Machine) -> None:
    for name in list(machine.containers):
        machine.remove(name)


def _heat(machine: Machine) -> None:
    machine.busy("hot")


def _reconnect(machine: Machine) -> None:
    machine.boots += 1


def _differ(machine: Machine) -> None:
    for tag, image in machine.images.items():
        layers = [*image["RootFS"]["Layers"][:-1], f"sha256:{'d' * 64}"]
        machine.images[tag] = {**image, "Id": f"sha256:{'e' * 64}", "RootFS": {"Layers": layers}}


_AT_ONCE: Mapping[str, Callable[[Machine], None]] = MappingProxyType(
    {
        "lost": _power_cut,
        "oom": _container_ends,
        "ray-dead": _container_ends,
        "hot": _heat,
        "key": _reconnect,
        "image-differs": _differ,
    }
)
