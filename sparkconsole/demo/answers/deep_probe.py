"""What only the doctor asks a pretend Spark: the sections of a thorough look, and what is in its image."""

from __future__ import annotations

from sparkconsole.demo.spark import fabric
from sparkconsole.demo.spark.machine import Machine

FIRMWARE = "28.45.4028"
_CONTENTS = {
    "vllm": "0.15.1", "ray": "2.53.0", "torch": "2.9.1+cu130", "nccl": "2.28.9", "python": "3.12.3",
    "cuda": "13.0",
}  # fmt: skip


def deep_probe_sections(machine: Machine) -> dict[str, str]:
    """By name, as remote.node.facts' script prints them."""
    silent = "docker-silent" in machine.faults
    devices = ("rocep1s0f0", "rocep1s0f1", "roceP2p1s0f0", "roceP2p1s0f1")
    lines = [
        *("uid 1000", "ssh yes", "hotplug yes", "reboot no", "updater no", "linger no"),
        *("docker-group spark", "login KillUserProcesses no", "login RemoveIPC yes"),
        *(f"firmware {device} {FIRMWARE}" for device in devices),
        *("default enP7s7", "cache-type ext2/ext3", "uptime 864000"),
    ]
    states = ((c, "running" if c.running else "exited") for c in machine.containers.values())
    containers = (f"{c.name}|{state}||{c.image}|" for c, state in states)
    return {
        "thorough": "".join(f"{line}\n" for line in lines),
        "listeners": "".join(_listener(machine, port) for port in sorted(machine.listening())),
        "containers": "" if silent else "".join(f"{line}\n" for line in (*containers, "asked")),
        "kernel": "",
        "cuda": "" if "gpu-silent" in machine.faults else "cuda 13.0\n",
        "boot": "ended orderly\n",
    }


def _listener(machine: Machine, port: int) -> str:
    """Ray's dashboard on loopback, as it is launched here; Ray itself on the fast link."""
    address = {6379: machine.address, 8265: "127.0.0.1"}.get(port, "0.0.0.0")  # noqa: S104 - pretended
    return f"LISTEN 0 128 {address}:{port} 0.0.0.0:*\n"


def as_root(machine: Machine, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """`sudo -n`: what a pretend login may carry out is the MTU's remedy, and dropping the page cache."""
    if argv[-1] == "drop-caches":
        machine.dropped = machine.clock.monotonic()
        return 0, "", ""
    if argv[2:6] == ("ip", "link", "set", "dev"):
        machine.faults.pop("mtu", None)
        return 0, "", ""
    return 1, "", "sudo: a password is required\n"


def proved(machine: Machine, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """`grep -qx NUMBER …/mtu`: the interface has that MTU."""
    return (0 if argv[-1].endswith("/mtu") and argv[-2] == str(fabric.mtu(machine)) else 1), "", ""


def contents() -> str:
    """As the throw-away container prints it."""
    return "".join(f"{name} {version}\n" for name, version in _CONTENTS.items())
