"""The receivers of a copy: who is meant, and how the sender reaches each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkconsole.clock import together
from sparkconsole.config.inventory import ad_hoc_node
from sparkconsole.errors import Refused, SparkError, WrongUsage
from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.model.cluster import Cluster, Node, login_words, with_port
from sparkconsole.model.fabric.links import Fabric
from sparkconsole.model.probes import Probe
from sparkconsole.model.text.units import size
from sparkconsole.model.transfer.ends import CopySite, Receiver, way_to
from sparkconsole.remote.node.site import copy_site


async def resolve(cluster: Cluster, fleet: Fleet, hosts: Sequence[str], sender: str) -> tuple[Node, ...]:
    """The machines that `hosts` mean: nodes by name or any address of theirs, `all` others, or
    `[user@]address[:port]` of machines outside the cluster.

    WrongUsage for none, for the sender itself, and for a machine that is meant twice.
    """
    if tuple(hosts) == ("all",):
        nodes = tuple(cluster.effective(n) for n in cluster.nodes if n.name != sender)
    else:
        strange = any(_own(cluster, host, {}) is None for host in hosts)
        owners = await _owners(fleet) if strange else {}
        nodes = tuple(_meant(cluster, fleet, host, owners) for host in hosts)
    if not nodes:
        raise WrongUsage("no host to copy to", hint="name some, or `all` for every other node of the cluster")
    for node in nodes:
        if node.name == sender:
            raise WrongUsage(f"{sender} is the sender; it cannot be a receiver", hint="choose another --from")
        if [n.name for n in nodes].count(node.name) > 1:
            raise WrongUsage(f"host {node.name} is named twice", hint="name each host once")
    return nodes


async def _owners(fleet: Fleet) -> dict[str, str]:
    """Whose address is whose, as the nodes say; one that several nodes have (docker0) is nobody's."""
    links = await fleet.ask(lambda shell: fabric_of(fleet, shell.node))
    pairs = [
        (address.split("/")[0], name)
        for name, fabric in answered(links).items()
        for netdev in fabric.netdevs
        for address in netdev.addresses
    ]
    seen = [address for address, _ in pairs]
    return {address: name for address, name in pairs if seen.count(address) == 1}


def _own(cluster: Cluster, host: str, owners: Mapping[str, str]) -> Node | None:
    """The cluster's node that is meant; a port tells apart those behind one address."""
    _, address, port = login_words(host)
    words = (address,) if port is None else (with_port(address, port), address)
    return next((node for word in words if (node := cluster.node(owners.get(word, word)))), None)


def _meant(cluster: Cluster, fleet: Fleet, host: str, owners: Mapping[str, str]) -> Node:
    user, address, port = login_words(host)
    if (known := _own(cluster, host, owners)) is not None:
        node = cluster.effective(known)
        direct = {"fabric_address": address} if address not in (node.name, node.address) else {}
        login = {"user": user} if user else {}
        return node.model_copy(update={**direct, **login, **({} if port is None else {"port": port})})
    guest = ad_hoc_node(host).model_copy(update={"fabric_address": address})
    fleet.include(guest)
    return fleet.cluster.effective(guest)


def require_room(node: str, free: int | None, folder: str, needed: int, how: str, why: str = "") -> None:
    """Refused, with numbers and how room is made, when so many bytes are known not to fit there."""
    if free is not None and free < needed:
        cause = f"{size(free)} are free in {folder}, {size(needed)} are needed{why}"
        raise Refused(cause, hint=f"make room there: {how}", node=node)


def as_configured(node: Node) -> Receiver:
    """A receiver that was asked nothing yet."""
    return Receiver(node.name, node.fabric_address or node.address, node.user or "", node.port or 22)


async def way(fleet: Fleet, node: Node, sender: str) -> tuple[Receiver, str]:
    """How the sender reaches the node, and a warning (or "") when that is not the fast link."""
    links, theirs, seen = await together(
        fabric_of(fleet, sender), fabric_of(fleet, node.name), copy_site(await fleet.shell(node.name))
    )
    return await receiver_at(node, theirs, links, seen)


async def receiver_at(node: Node, theirs: Fabric, links: Fabric, seen: CopySite) -> tuple[Receiver, str]:
    """How the sender reaches the node, and a warning when the way is slow."""
    address, warning = way_to(node, theirs, (links,), seen)
    keys = await _host_keys(node, seen)
    fast, engine = not warning, seen.docker_host
    return Receiver(node.name, address, seen.login, seen.port, keys, engine, fast), warning


async def _host_keys(node: Node, seen: CopySite) -> tuple[str, ...]:
    """What the sender may believe: the keys that the receiver told over our verified connection, else those
    that we trust already."""
    if seen.host_keys:
        return seen.host_keys
    from sparkconsole.remote.host_keys.known_hosts import KeyTrust, key_trust
    from sparkconsole.remote.ssh.login import shown_keys

    keys = [key for key in await shown_keys(node) if key_trust(node, key) is KeyTrust.TRUSTED]
    if not keys:
        cause = "its host key is not known, so the sender could not verify it"
        hint = f"trust it first: sparkconsole node trust {node.name}"
        raise SparkError(cause, hint=hint, node=node.name)
    return tuple(" ".join(key.line.split()[-2:]) for key in keys)


async def fabric_of(fleet: Fleet, name: str) -> Fabric:
    """The fast links of a node."""
    from sparkconsole.remote.node.facts import node_facts

    return (await node_facts(await fleet.shell(name), asked=(Probe.FABRIC,))).fabric
