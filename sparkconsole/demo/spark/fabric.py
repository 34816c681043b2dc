"""What a pretend Spark's ping, ip route and rate meters say: as its cables and those of its peers are."""

from __future__ import annotations

import json
import math

from sparkconsole.demo.spark.machine import Machine

HALVES = ("enp1s0f1np1", "enP2p1s0f1np1")
LARGE, USUAL = 9000, 1500
RDMA_GBIT = (97.28, 92.57)
"""Per half, as an NVIDIA guide's ib_write_bw said for its two."""


def look(machine: Machine, argv: tuple[str, ...]) -> str:
    """What each command of remote.fabric.paths says, as its program prints it."""
    return json.dumps([_answer(machine, line) for line in json.loads(argv[-1])])


def mtu(machine: Machine) -> int:
    """Of the fast link."""
    return USUAL if "mtu" in machine.faults else LARGE


def _answer(machine: Machine, argv: list[str]) -> tuple[int, str]:
    if argv[0] == "ip":
        half = machine.addresses.index(argv[-1])
        return 0, f"{argv[4]} from {argv[-1]} dev {HALVES[half]} uid 1000 \\    cache \n"
    return _ping(machine, int(argv[argv.index("-s") + 1]) + 28, argv[-2], argv[-1])


def _ping(machine: Machine, size: int, source: str, target: str) -> tuple[int, str]:
    peer = machine.at_address(target)
    whole = f"PING {target} ({target}) from {source} : {size - 28}({size}) bytes of data.\n\n"
    counts = f"--- {target} ping statistics ---\n2 packets transmitted, %s\n"
    if peer is None or not joined(machine, peer, machine.addresses.index(source)) or size > mtu(peer):
        return 1, whole + counts % "0 received, 100% packet loss, time 1001ms"
    rtt = f"rtt min/avg/max/mdev = 0.041/{0.05 + machine.number / 1000:.3f}/0.061/0.010 ms\n"
    return 0, whole + counts % "2 received, 0% packet loss, time 201ms" + rtt


def joined(machine: Machine, peer: Machine, half: int) -> bool:
    """That half of the cable carries between the two."""
    return machine.on and peer.on and machine.links()[half] and peer.links()[half]


def gbit(machine: Machine, peer: Machine, half: int) -> float:
    """What one half carries in a moment: a little else each time, less with small frames."""
    ripple = 0.6 * math.sin(machine.clock.monotonic() + machine.number * 3 + peer.number)
    small = min(mtu(machine), mtu(peer)) < LARGE
    return round((RDMA_GBIT[half] + ripple) * (0.75 if small else 1.0), 2)


def metered(machine: Machine, argv: tuple[str, ...]) -> tuple[str, float]:
    """What one end of a measurement says (remote.fabric.rate), and after how many seconds."""
    asked = json.loads(argv[-1])
    words = asked.get("argv") or []
    if "port" not in asked:
        return f"{json.dumps({'port': 18515})}\n", 0.0
    peer = machine.at_address(words[-1]) if words else None
    half = next((i for i, address in enumerate(machine.addresses) if address == asked["address"]), 0)
    if peer is None or not joined(machine, peer, half):
        text = f" Couldn't connect to {words[-1]}:18515\n" if words else "no route"
        return f"{json.dumps({'status': 1, 'output': text})}\n", 1.0
    text = f"{_HEAD}\n 65536      371093           0.00               {gbit(machine, peer, half)}  0.18\n"
    return f"{json.dumps({'status': 0, 'output': text})}\n", 2.0


_HEAD = " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]    MsgRate[Mpps]"
