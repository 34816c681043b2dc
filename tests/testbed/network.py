"""The cables: a switch namespace with three bridges, a namespace per node, and one for the operator."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from tests.testbed.places import NETWORKS, Places

OPERATOR_LEGS = {"mgmt": "enp0s1", "fab": "enp0s2"}


def ip(*words: str, namespace: str = "", check: bool = True) -> str:
    """`ip`, in a namespace when one is named."""
    inside = ("-n", namespace) if namespace else ()
    done = subprocess.run(("ip", *inside, *words), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def namespaces() -> set[str]:
    """Every named network namespace of the machine."""
    return {line.split()[0] for line in ip("netns", "list").splitlines() if line.strip()}


def lay_switch(places: Places) -> None:
    """The switches and the operator's two legs, unless they are there."""
    if places.switch in namespaces():
        return
    for name in (places.switch, places.operator):
        ip("netns", "add", name)
        ip("link", "set", "lo", "up", namespace=name)
    for network in NETWORKS:
        bridge = f"br-{network}"
        ip("link", "add", bridge, "type", "bridge", "forward_delay", "0", namespace=places.switch)
        ip("link", "set", bridge, "up", namespace=places.switch)
    for network, interface in OPERATOR_LEGS.items():
        _cable(places, f"op-{network}", network, interface, places.operator)
        ip("addr", "add", f"{NETWORKS[network][1]}.254/24", "dev", interface, namespace=places.operator)


def lay_node(places: Places, index: int) -> None:
    """A node's namespace with its three cables and addresses, unless it is there."""
    name = places.node(index)
    if name in namespaces():
        return
    ip("netns", "add", name)
    ip("link", "set", "lo", "up", namespace=name)
    for network, (interface, _) in NETWORKS.items():
        _cable(places, port(index, network), network, interface, name)
        address = f"{places.address(index, network)}/24"
        ip("addr", "add", address, "dev", interface, namespace=name)
        if network != "mgmt":
            ip("link", "set", interface, "mtu", "9000", namespace=name)
            ip("link", "set", port(index, network), "mtu", "9000", namespace=places.switch)


def _cable(places: Places, end: str, network: str, interface: str, namespace: str) -> None:
    ip(
        "link",
        "add",
        end,
        "type",
        "veth",
        "peer",
        "name",
        interface,
        "netns",
        namespace,
        namespace=places.switch,
    )
    ip("link", "set", end, "master", f"br-{network}", "up", namespace=places.switch)
    ip("link", "set", interface, "up", namespace=namespace)


def port(index: int, network: str) -> str:
    """The switch's end of a node's cable."""
    return f"n{index}-{network}"


def plug(places: Places, index: int, networks: Iterable[str], *, up: bool) -> None:
    """Pulls cables, or puts them back; the node sees its carrier go and come."""
    for network in networks:
        ip("link", "set", port(index, network), "up" if up else "down", namespace=places.switch)


def limit(places: Places, index: int, megabits: int | None) -> None:
    """Bounds what flows towards a node on the fabric; None lifts the bound."""
    device = ("dev", port(index, "fab"))
    base = ("tc", "-n", places.switch, "qdisc")
    subprocess.run((*base, "del", *device, "root"), capture_output=True, check=False)
    if megabits is not None:
        shape = ("tbf", "rate", f"{megabits}mbit", "burst", "256k", "latency", "50ms")
        subprocess.run((*base, "add", *device, "root", *shape), check=True)


def remove(places: Places) -> None:
    """Takes every namespace of this testbed away, and its cables with them."""
    ours = {n for n in namespaces() if n.removeprefix(places.prefix).removeprefix("-") in {"sw", "op"}}
    ours |= {n for n in namespaces() if n.startswith(places.prefix) and n[len(places.prefix) :].isdigit()}
    for name in ours:
        ip("netns", "del", name, check=False)
