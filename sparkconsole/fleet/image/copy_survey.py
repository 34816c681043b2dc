"""Copying an image from one node to others: what is there already, what is in the way, and the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sparkconsole.errors import Refused, SparkError, WrongUsage
from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.fleet.fresh import Fresh
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.fabric.links import Fabric
from sparkconsole.model.image.build import full_name, slug
from sparkconsole.model.image.copy import CopySite, Receiver, loading_needs, saving_needs, way_to
from sparkconsole.model.image.history import builds
from sparkconsole.model.image.reference import how_to_get
from sparkconsole.model.image.route import Transport, choose_way, missing_bytes
from sparkconsole.model.probes import Probe
from sparkconsole.model.text.units import size
from sparkconsole.model.work.job import Job
from sparkconsole.remote.image.layers import Layers, UnbuiltLayers, layer_sizes
from sparkconsole.remote.image.transfer import FULL_STREAM, Transfer, site
from sparkconsole.remote.shell import Shell


@dataclass(frozen=True, slots=True)
class CopyTask:
    """One receiver, as it was found before anything was done."""

    node: Node
    receiver: Receiver
    same: bool = False
    """It has the image's content already."""
    problem: SparkError | None = None
    """Why nothing can be sent to it."""
    warning: str = ""
    job: Job | None = None
    bytes_total: int | None = None
    """None: the image is not built yet."""
    transfer: Transfer = FULL_STREAM
    """How the image travels to it."""
    why: str = ""
    """Why the whole image is sent; empty when it is not, or nobody asked for less."""
    free_bytes: int | None = None
    """Free where its engine keeps images; None: it could not say."""

    @property
    def to_send(self) -> bool:
        """Something has to be done for it."""
        return not self.same and self.problem is None

    @property
    def sends_whole(self) -> bool:
        """All of the image is sent from the start."""
        return self.to_send and self.transfer is FULL_STREAM


Named = Mapping[str, ImageIdentity | SparkError | None]
"""Per node what a name means there; None: nothing."""


async def resolve(cluster: Cluster, fleet: Fleet, hosts: Sequence[str], sender: str) -> tuple[Node, ...]:
    """The machines that `hosts` mean: nodes by name or any address of theirs, `all` others, or
    `[user@]address` of machines outside the cluster.

    WrongUsage for none, for the sender itself, and for a machine that is meant twice.
    """
    if tuple(hosts) == ("all",):
        nodes = tuple(cluster.effective(n) for n in cluster.nodes if n.name != sender)
    else:
        strange = any(cluster.node(host.rpartition("@")[2]) is None for host in hosts)
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
    links = await fleet.ask(lambda shell: _fabric_of(fleet, shell.node))
    pairs = [
        (address.split("/")[0], name)
        for name, fabric in answered(links).items()
        for netdev in fabric.netdevs
        for address in netdev.addresses
    ]
    seen = [address for address, _ in pairs]
    return {address: name for address, name in pairs if seen.count(address) == 1}


def _meant(cluster: Cluster, fleet: Fleet, host: str, owners: Mapping[str, str]) -> Node:
    login, _, address = host.rpartition("@")
    known = cluster.node(owners.get(address, address))
    if known is not None:
        node = cluster.effective(known)
        direct = {"fabric_address": address} if address not in (node.name, node.address) else {}
        return node.model_copy(update={**direct, **({"user": login} if login else {})})
    guest = Node(
        name=slug(address.replace(":", "-")), address=address, fabric_address=address, user=login or None
    )
    return _included(fleet, guest)


def _included(fleet: Fleet, guest: Node) -> Node:
    fleet.include(guest)
    return fleet.cluster.effective(guest)


async def named(fleet: Fleet, tag: str, nodes: Sequence[str]) -> Named:
    """What each of these nodes has of that name, all asked at the same time."""
    from sparkconsole.remote.docker.engine import image

    return await fleet.ask(lambda shell: image(shell, tag), nodes)


async def find_image(fleet: Fleet, node: str, tag: str) -> ImageIdentity:
    """The sender's image; SparkError when it has none of that name."""
    return the_image(await named(fleet, tag, (node,)), node, tag)


def the_image(held: Named, node: str, tag: str) -> ImageIdentity:
    """As `find_image`, from what was asked already."""
    found = held[node]
    if isinstance(found, SparkError):
        raise found
    if found is None:
        raise SparkError(
            f"there is no image {tag} to copy",
            hint="see where it is: sparkconsole image list; or get it: "
            f"{how_to_get(tag, (node,), others_have_it=False)}",
            node=node,
        )
    return found


async def require_room_to_save(fleet: Fleet, node: str, image: ImageIdentity) -> None:
    """Refused, with numbers, when the sender's engine has no room for its own temporary files."""
    seen = await site(await fleet.shell(node))
    _require_room(node, seen, saving_needs(image.size_bytes, seen), "to send the image")


def _require_room(node: str, seen: CopySite, needed: int, why: str) -> None:
    if seen.free_bytes is not None and seen.free_bytes < needed:
        raise Refused(
            f"{size(seen.free_bytes)} are free in {seen.folder}, {size(needed)} are needed {why}",
            hint="make room there: docker image prune, docker builder prune",
            node=node,
        )


async def survey(
    fleet: Fleet,
    tag: str,
    image: ImageIdentity | None,
    nodes: Sequence[Node],
    sender: str,
    *,
    whole: bool = False,
    held: Named | None = None,
) -> tuple[CopyTask, ...]:
    """Looks at every receiver side by side; one that cannot be used carries its problem and stops no other.

    `image` None: it is yet to be built, so that sizes and sameness are looked at later. `whole`: all of it
    is sent, whatever a receiver has. `held`: what the receivers have of that name, where that was asked.
    """
    held = held or await named(fleet, tag, [node.name for node in nodes])
    found = [_first_look(image, node, held[node.name]) for node in nodes]
    if all(found):
        # Nothing to send is answered without asking either side for more.
        return tuple(done for done in found if done)
    asked = [node for node, done in zip(nodes, found, strict=True) if done is None]
    source, ends = await asyncio.gather(
        _source(fleet, sender, image, whole=whole), asyncio.gather(*(_end(fleet, node) for node in asked))
    )
    judged = await asyncio.gather(
        *(_judged(tag, image, node, source, end, fleet.fresh) for node, end in zip(asked, ends, strict=True))
    )
    looked = dict(zip((node.name for node in asked), judged, strict=True))
    return tuple(done or looked[node.name] for node, done in zip(nodes, found, strict=True))


@dataclass(frozen=True, slots=True)
class _Source:
    """The sender's side of a survey."""

    links: Fabric
    seen: CopySite | None = None
    """None: all of the image is sent whatever the ends are, or there is no image yet."""
    history: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    """Dated names of the image beside its tag."""


async def _source(fleet: Fleet, sender: str, image: ImageIdentity | None, *, whole: bool) -> _Source:
    from sparkconsole.remote.docker.engine import images

    if image is None or whole:
        return _Source(await _fabric_of(fleet, sender))
    shell = await fleet.shell(sender)
    links, seen, history, present = await asyncio.gather(
        _fabric_of(fleet, sender), site(shell), _sizes(shell, image), images(shell)
    )
    dated = (full_name(i.tag) for i in builds(image.tag, present) if same_content(i, image))
    return _Source(links, seen, history, tuple(dated))


async def _sizes(shell: Shell, image: ImageIdentity) -> tuple[int, ...]:
    """Of its steps; none while it is yet to be built."""
    return () if image.foreseen else await layer_sizes(shell, image.id)


def _first_look(
    image: ImageIdentity | None, node: Node, has: ImageIdentity | SparkError | None
) -> CopyTask | None:
    """What is settled already: it has the image, or cannot be asked; None: there is more to ask."""
    receiver = Receiver(node.name, node.fabric_address or node.address, node.user or "", node.port or 22)
    if isinstance(has, SparkError):
        has.node = has.node or node.name
        return CopyTask(node, receiver, problem=has)
    same = image is not None and has is not None and same_content(has, image)
    return CopyTask(node, receiver, same=True) if same else None


@dataclass(frozen=True, slots=True)
class _ReceiverSite:
    """The receiver's side of a survey."""

    seen: CopySite
    links: Fabric
    present: tuple[ImageIdentity, ...]


async def _end(fleet: Fleet, node: Node) -> _ReceiverSite | SparkError:
    """What a receiver says of itself, all of it asked at the same time."""
    from sparkconsole.remote.docker.engine import every_image

    try:
        shell = await fleet.shell(node.name)
        return _ReceiverSite(
            *await asyncio.gather(site(shell), _fabric_of(fleet, node.name), every_image(shell))
        )
    except SparkError as error:
        return error


async def _judged(
    tag: str,
    image: ImageIdentity | None,
    node: Node,
    source: _Source,
    end: _ReceiverSite | SparkError,
    fresh: Fresh,
) -> CopyTask:
    receiver = Receiver(node.name, node.fabric_address or node.address, node.user or "", node.port or 22)
    try:
        if isinstance(end, SparkError):
            raise end
        seen, present = end.seen, end.present
        receiver, warning = await _receiver(node, end.links, source.links, seen)
        if image is None:
            return CopyTask(node, receiver, warning=warning, free_bytes=seen.free_bytes)
        _require_platform(image, seen)
        if image.foreseen:
            transfer, why = _way_of_unbuilt(image, node.name, source, seen, fresh)
            found = CopyTask(node, receiver, warning=warning, transfer=transfer, why=why)
            return replace(found, free_bytes=seen.free_bytes)
        transfer, why = _way(image, present, source, seen)
        amount = transfer.bytes_to_send(image, present)
        _require_room(node.name, seen, loading_needs(amount), f"to load {tag}")
        found = CopyTask(node, receiver, warning=warning, bytes_total=amount)
        return replace(found, transfer=transfer, why=why, free_bytes=seen.free_bytes)
    except SparkError as error:
        error.node = error.node or node.name
        return CopyTask(node, receiver, problem=error)


def _require_platform(image: ImageIdentity, seen: CopySite) -> None:
    """An engine loads an image of another architecture, and no container of it ever starts."""
    if seen.architecture and image.platform and seen.architecture not in image.platform.split("/"):
        raise Refused(
            f"its machine is {seen.architecture}, the image is for {image.platform}",
            hint="build the image on a machine of that kind",
        )


async def way(fleet: Fleet, node: Node, sender: str) -> tuple[Receiver, str]:
    """How the sender reaches the node, and a warning (or "") when that is not the fast link."""
    links, theirs, seen = await asyncio.gather(
        _fabric_of(fleet, sender), _fabric_of(fleet, node.name), site(await fleet.shell(node.name))
    )
    return await _receiver(node, theirs, links, seen)


def _way(
    image: ImageIdentity, present: Sequence[ImageIdentity], source: _Source, seen: CopySite
) -> tuple[Transfer, str]:
    """The transfer to a receiver, and why it is the whole image when that was not asked for."""
    if source.seen is None:
        return FULL_STREAM, ""
    chosen = choose_way(image, present, source.seen, seen)
    if chosen.carrier is Transport.WHOLE:
        return FULL_STREAM, chosen.why
    amount = missing_bytes(chosen, source.history)
    return Layers(image, chosen, amount, source.seen.folder, source.names), ""


def _way_of_unbuilt(
    image: ImageIdentity, node: str, source: _Source, seen: CopySite, fresh: Fresh
) -> tuple[Transfer, str]:
    """The ends decide the way; how many layers the receiver has of it is known once it is built."""
    if source.seen is None:
        return FULL_STREAM, ""
    chosen = choose_way(image, (), source.seen, seen)
    if chosen.carrier is Transport.WHOLE:
        return FULL_STREAM, chosen.why
    way = replace(chosen, why="which these are is known after the build")
    shared = fresh.unknown(f"number of layers of {image.tag} that {node} has")
    return UnbuiltLayers(image, way, 0, source.seen.folder, source.names, shared=shared), ""


async def _receiver(node: Node, theirs: Fabric, links: Fabric, seen: CopySite) -> tuple[Receiver, str]:
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
    from sparkconsole.remote.host_keys.trust import KeyTrust, key_trust, shown_keys

    keys = [key for key in await shown_keys(node) if key_trust(node, key) is KeyTrust.TRUSTED]
    if not keys:
        raise SparkError(
            "its host key is not known, so the sender could not verify it",
            hint=f"trust it first: sparkconsole node trust {node.name}",
            node=node.name,
        )
    return tuple(" ".join(key.line.split()[-2:]) for key in keys)


async def _fabric_of(fleet: Fleet, name: str) -> Fabric:
    """The fast links of a node."""
    from sparkconsole.remote.node.facts import node_facts

    return (await node_facts(await fleet.shell(name), asked=(Probe.FABRIC,))).fabric
