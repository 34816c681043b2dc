"""Looks at the receivers of an image: what is there already, what is in the way, how the rest travels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sparkconsole.clock import together
from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.transfer import receivers
from sparkconsole.fleet.transfer.plan import CopyTask
from sparkconsole.model.cluster import Node
from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.fabric.links import Fabric
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.history import builds
from sparkconsole.model.image.layers_to_send import (
    Transport,
    choose_way,
    loading_needs,
    missing_bytes,
    saving_needs,
)
from sparkconsole.model.image_reference import how_to_get
from sparkconsole.model.text.units import size
from sparkconsole.model.transfer.ends import CopySite
from sparkconsole.remote.image.layers import Layers, layer_sizes
from sparkconsole.remote.image.transfer import FULL_STREAM, FullStream
from sparkconsole.remote.node.site import copy_site

ImageTransfer = FullStream | Layers
ROOM = "docker image prune, docker builder prune"
"""How room is made for an image."""


@dataclass(frozen=True, slots=True)
class ImageTask(CopyTask):
    """One receiver of an image."""

    transfer: ImageTransfer = FULL_STREAM
    why: str = ""
    """Why the whole image is sent; empty when it is not, or nobody asked for less."""
    free_bytes: int | None = None
    """Free where its engine keeps images; None: it could not say."""

    @property
    def sends_whole(self) -> bool:
        """All of the image is sent from the start."""
        return self.to_send and self.transfer is FULL_STREAM

    @property
    def way(self) -> str:
        """How it travels, for the plan."""
        known = None if self.bytes_total is None else f"about {size(self.bytes_total)}"
        return f"{self.transfer.sentence}, {known or 'size known after the build'}"


Named = Mapping[str, ImageIdentity | SparkError | None]
"""Per node what a name means there; None: nothing."""


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
        get = how_to_get(tag, (node,), others_have_it=False)
        hint = f"see where it is: sparkconsole image list; or get it: {get}"
        raise SparkError(f"there is no image {tag} to copy", hint=hint, node=node)
    return found


async def require_room_to_save(fleet: Fleet, node: str, image: ImageIdentity) -> None:
    """Refused, with numbers, when the sender's engine has no room for its own temporary files."""
    seen = await copy_site(await fleet.shell(node))
    needed = saving_needs(image.size_bytes, seen)
    receivers.require_room(node, seen.free_bytes, seen.folder, needed, ROOM, " to send the image")


async def survey(
    fleet: Fleet,
    tag: str,
    image: ImageIdentity | None,
    nodes: Sequence[Node],
    sender: str,
    *,
    whole: bool = False,
    held: Named | None = None,
) -> tuple[ImageTask, ...]:
    """Looks at every receiver side by side; one that cannot be used carries its problem and stops no other.

    `image` None: it is yet to be built, so that sizes and sameness are looked at later. `whole`: all of it
    is sent, whatever a receiver has. `held`: what the receivers have of that name, where that was asked.
    """
    held = held or await named(fleet, tag, [node.name for node in nodes])
    looks = {node.name: _first_look(image, node, held[node.name]) for node in nodes}
    found = {name: task for name, task in looks.items() if task}
    if asked := [node for node in nodes if node.name not in found]:
        # Nothing to send is answered without asking either side for more.
        source, ends = await together(
            _source(fleet, sender, image, whole=whole), together(*(_end(fleet, n) for n in asked))
        )
        judged = (_judged(tag, image, n, source, e, fleet.fresh) for n, e in zip(asked, ends, strict=True))
        found |= {task.node.name: task for task in await together(*judged)}
    return tuple(found[node.name] for node in nodes)


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
        return _Source(await receivers.fabric_of(fleet, sender))
    shell = await fleet.shell(sender)
    links, seen, present = await together(receivers.fabric_of(fleet, sender), copy_site(shell), images(shell))
    history = () if image.foreseen else await layer_sizes(shell, image.id)
    dated = (full_name(i.tag) for i in builds(image.tag, present) if same_content(i, image))
    return _Source(links, seen, history, tuple(dated))


def _first_look(
    image: ImageIdentity | None, node: Node, has: ImageIdentity | SparkError | None
) -> ImageTask | None:
    """What is settled already: it has the image, or cannot be asked; None: there is more to ask."""
    receiver = receivers.as_configured(node)
    if isinstance(has, SparkError):
        has.node = has.node or node.name
        return ImageTask(node, receiver, problem=has)
    same = image is not None and has is not None and same_content(has, image)
    return ImageTask(node, receiver, same=True) if same else None


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
        links = receivers.fabric_of(fleet, node.name)
        return _ReceiverSite(*await together(copy_site(shell), links, every_image(shell)))
    except SparkError as error:
        return error


async def _judged(
    tag: str,
    image: ImageIdentity | None,
    node: Node,
    source: _Source,
    end: _ReceiverSite | SparkError,
    fresh: Fresh,
) -> ImageTask:
    receiver = receivers.as_configured(node)
    try:
        if isinstance(end, SparkError):
            raise end
        seen, present = end.seen, end.present
        receiver, warning = await receivers.receiver_at(node, end.links, source.links, seen)
        found = ImageTask(node, receiver, warning=warning, free_bytes=seen.free_bytes)
        if image is None:
            return found
        if seen.architecture and image.platform and seen.architecture not in image.platform.split("/"):
            # An engine loads an image of another architecture, and no container of it ever starts.
            cause = f"its machine is {seen.architecture}, the image is for {image.platform}"
            raise Refused(cause, hint="build the image on a machine of that kind")
        transfer, why = _way(image, node.name, present, source, seen, fresh)
        if image.foreseen:
            return replace(found, transfer=transfer, why=why)
        amount = transfer.total_bytes if isinstance(transfer, Layers) else image.size_bytes
        needed, to_load = loading_needs(amount), f" to load {tag}"
        receivers.require_room(node.name, seen.free_bytes, seen.folder, needed, ROOM, to_load)
        return replace(found, bytes_total=amount, transfer=transfer, why=why)
    except SparkError as error:
        error.node = error.node or node.name
        return ImageTask(node, receiver, problem=error)


def _way(
    image: ImageIdentity,
    node: str,
    present: Sequence[ImageIdentity],
    source: _Source,
    seen: CopySite,
    fresh: Fresh,
) -> tuple[ImageTransfer, str]:
    """The transfer to a receiver, and why it is the whole image when that was not asked for.

    Before an image is built the ends decide the way; what the receiver has of it is known later.
    """
    if source.seen is None:
        return FULL_STREAM, ""
    chosen = choose_way(image, () if image.foreseen else present, source.seen, seen)
    if chosen.carrier is Transport.WHOLE:
        return FULL_STREAM, chosen.why
    if image.foreseen:
        way = replace(chosen, why="which these are is known after the build")
        shared = fresh.unknown(f"number of layers of {image.tag} that {node} has")
        return Layers(image, way, 0, source.seen.folder, source.names, shared=shared), ""
    amount = missing_bytes(chosen, source.history)
    return Layers(image, chosen, amount, source.seen.folder, source.names), ""
