"""The cables: a switch namespace with three bridges, a namespace per node, and one for the operator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable

from tests.testbed.places import EMPTY_CAGE, NETWORKS, Places

OPERATOR_LEGS = {"mgmt": "enp0s1", "fab": "enp0s2"}


def ip(*words: str, namespace: str = "", check: bool = True) -> str:
    """`ip`, in a namespace when one is named."""
    inside = ("-n", namespace) if namespace else ()
    done = subprocess.run(("ip", *inside, *words), capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join((*inside, *words))}: {done.stderr.strip()}")
    return done.stdout


def namespaces() -> set[str]:
    """Every named network namespace of the machine."""
    return {line.split()[0] for line in ip("netns", "list").splitlines() if line.strip()}


def interfaces(namespace: str) -> set[str]:
    """What a namespace has; nothing when it is not there."""
    shown = ip("-j", "link", namespace=namespace, check=False) if namespace in namespaces() else ""
    return {link["ifname"] for link in json.loads(shown or "[]")}


def lay_switch(places: Places) -> None:
    """The switches and the operator's two legs; a half-laid switch of a crashed run is laid anew."""
    bridges = {f"br-{network}" for network in NETWORKS}
    whole = bridges <= interfaces(places.switch)
    if whole and set(OPERATOR_LEGS.values()) <= interfaces(places.operator):
        return
    remove(places)
    for name in (places.switch, places.operator):
        _add_namespace(name)
    for bridge in sorted(bridges):
        ip("link", "add", bridge, "type", "bridge", "forward_delay", "0", namespace=places.switch)
        ip("link", "set", bridge, "up", namespace=places.switch)
    for network, interface in OPERATOR_LEGS.items():
        _cable(places, f"op-{network}", interface, places.operator)
        _connect(places, f"op-{network}", network)
        _address(places.operator, interface, f"{NETWORKS[network][1]}.254/24")


def lay_node(places: Places, index: int) -> None:
    """A node's namespace with its cables and addresses; a half-laid one of a crashed run is laid anew."""
    name = places.node(index)
    wanted = {interface for interface, _ in NETWORKS.values()} | set(EMPTY_CAGE.values())
    if wanted <= interfaces(name):
        return
    _drop_node(places, index)
    _add_namespace(name)
    for network, interface in EMPTY_CAGE.items():
        _node_cable(places, index, network, interface)
    for network, (interface, _) in NETWORKS.items():
        _node_cable(places, index, network, interface)
        _connect(places, port(index, network), network)
        _address(name, interface, f"{places.address(index, network)}/24")


def _add_namespace(name: str) -> None:
    ip("netns", "add", name)
    ip("link", "set", "lo", "up", namespace=name)


def _drop_node(places: Places, index: int) -> None:
    """The kernel takes its time with a namespace's cables, so the switch's ends are taken away by name."""
    for network in (*NETWORKS, *EMPTY_CAGE):
        ip("link", "del", port(index, network), namespace=places.switch, check=False)
    ip("netns", "del", places.node(index), check=False)


def _cable(places: Places, end: str, interface: str, namespace: str, *hardware: str) -> None:
    peer = ("peer", "name", interface, *hardware, "netns", namespace)
    ip("link", "add", end, "type", "veth", *peer, namespace=places.switch)
    ip("link", "set", interface, "up", namespace=namespace)


def _node_cable(places: Places, index: int, network: str, interface: str) -> None:
    """With the machine's own hardware addresses, and large frames on the fabric."""
    name, end = places.node(index), port(index, network)
    _cable(places, end, interface, name, "address", places.hardware_address(index, interface))
    if network != "mgmt":
        ip("link", "set", interface, "mtu", "9000", namespace=name)
        ip("link", "set", end, "mtu", "9000", namespace=places.switch)


def _connect(places: Places, end: str, network: str) -> None:
    ip("link", "set", end, "master", f"br-{network}", "up", namespace=places.switch)


def _address(namespace: str, interface: str, address: str) -> None:
    ip("addr", "add", address, "dev", interface, namespace=namespace)


def port(index: int, network: str) -> str:
    """The switch's end of a node's cable."""
    return f"n{index}-{network}"


def plug(places: Places, index: int, networks: Iterable[str], *, up: bool) -> None:
    """Pulls cables, or puts them back; the node sees its carrier go and come."""
    for network in networks:
        ip("link", "set", port(index, network), "up" if up else "down", namespace=places.switch)


def plug_operator(places: Places, *, up: bool) -> None:
    """The same with the operator's."""
    for network in OPERATOR_LEGS:
        ip("link", "set", f"op-{network}", "up" if up else "down", namespace=places.switch)


def limit(places: Places, index: int, megabits: int | None) -> None:
    """Bounds what flows towards a node on the fabric; None lifts the bound."""
    device = ("dev", port(index, "fab"))
    base = ("tc", "-n", places.switch, "qdisc")
    subprocess.run((*base, "del", *device, "root"), capture_output=True, check=False, timeout=60)
    if megabits is not None:
        shape = ("tbf", "rate", f"{megabits}mbit", "burst", "256k", "latency", "50ms")
        subprocess.run((*base, "add", *device, "root", *shape), check=True, timeout=60)


def ours(places: Places) -> set[str]:
    """The namespaces of this testbed that are there."""
    own = {places.switch, places.operator}
    return {name for name in namespaces() if name in own or places.index(name)}


def remove(places: Places) -> None:
    """Takes every namespace of this testbed away, and its cables with them."""
    for name in ours(places):
        ip("netns", "del", name, check=False)
