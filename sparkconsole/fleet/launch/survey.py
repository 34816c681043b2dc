"""What is looked at before a launch, on every node: place, network, image, Ray's members. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.model.checkpoint.hf_cache import HfCache
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.docker import ImageIdentity, same_content
from sparkconsole.model.fabric.links import NodeNetwork, choose_network, interface_at
from sparkconsole.model.facts import NodeFacts
from sparkconsole.model.image_reference import how_to_get
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from sparkconsole.model.launch.steps import Condition, broken, condition
from sparkconsole.model.ray import RayMember
from sparkconsole.remote.checkpoint.hf_cache import hf_cache
from sparkconsole.remote.node.site import look

T = TypeVar("T")
RAY_LABEL = "org.sparkconsole.ray"
ACCELERATOR_LABEL = "org.sparkconsole.accelerator"


@dataclass(frozen=True, slots=True)
class LaunchSurvey:
    """Every node answered; `members` None: Ray did not, or is not asked."""

    spec: LaunchSpec
    seats: tuple[Seat, ...]
    sites: Mapping[str, Site]
    images: Mapping[str, ImageIdentity | None]
    members: tuple[RayMember, ...] | None = None
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, NodeFacts] = field(default_factory=dict)

    @property
    def condition(self) -> Condition:
        """What stands now."""
        return condition(self.spec, self.seats, self.sites, self.members)

    @property
    def broken(self) -> dict[str, str]:
        """What a repair would start again, and why."""
        return broken(self.spec, self.seats, self.sites, self.members)

    def other_image(self, *, unless_there: bool = False) -> str:
        """The first node whose container runs another image than the tag names there; empty: none does.

        `unless_there`: an image that is not on the node is another one too.
        """
        for node, place in self.sites.items():
            image = self.images[node]
            other = unless_there if image is None else place.found and place.found.image_id != image.id
            if place.running and other:
                return node
        return ""


async def survey_launch(fleet: Fleet, cluster: Cluster, spec: LaunchSpec) -> LaunchSurvey:
    """Looks at every node at once; the first node that cannot be asked is an error, nothing was started."""
    from sparkconsole.remote.docker.engine import image
    from sparkconsole.remote.node.facts import node_facts

    names = (fleet.head,) if spec.backend is Backend.SOLO else (fleet.head, *fleet.names[1:])
    sites = all_of(await fleet.ask(lambda shell: look(shell, spec.container), names))
    facts = all_of(await fleet.ask(node_facts, names))
    needing = () if spec.backend is Backend.SOLO else names
    networks = {n: _network(cluster, spec, n, facts) for n in needing}
    warnings = tuple(f"{n}: {w}" for n, network in networks.items() for w in network.warnings)
    images = all_of(await fleet.ask(lambda shell: image(shell, spec.image), names))
    caches = all_of(await fleet.ask(hf_cache, names))
    seats = seats_of(names, sites, networks, caches)
    members = await _members(fleet, spec, seats, sites)
    return LaunchSurvey(adapted(spec, images), seats, sites, images, members, warnings, facts)


def all_of(answers: dict[str, T | SparkError]) -> dict[str, T]:
    """Every node's answer; raises the first node's error, naming the others that failed too."""
    wrong = failed(answers)
    if not wrong:
        return answered(answers)
    first, *others = wrong.values()
    also = f"the same or worse on {', '.join(e.node for e in others)}" if others else ""
    first.hint = "; ".join(filter(None, (first.hint, also)))
    raise first


def seats_of(
    names: tuple[str, ...],
    sites: Mapping[str, Site],
    networks: Mapping[str, NodeNetwork],
    caches: Mapping[str, HfCache],
) -> tuple[Seat, ...]:
    """Each node's place, head first."""
    head = networks.get(names[0])
    address = head.address if head else "127.0.0.1"
    roles = {n: Role.WORKER if i else Role.HEAD for i, n in enumerate(names)}
    return tuple(Seat(n, roles[n], sites[n].home, networks.get(n), address, caches.get(n)) for n in names)


def adapted(spec: LaunchSpec, images: Mapping[str, ImageIdentity | None]) -> LaunchSpec:
    """An image for CPUs says so: Ray is then told of one GPU a node, as vLLM places its workers by GPU."""
    labels = [i.labels for i in images.values() if i is not None]
    cpu = any(label.get(ACCELERATOR_LABEL) == "cpu" for label in labels)
    if cpu and spec.ray_num_gpus is None and spec.backend is Backend.RAY:
        return spec.model_copy(update={"ray_num_gpus": 1})
    return spec


def check_images(survey: LaunchSurvey) -> None:
    """Refused unless every node has the image, the same one, and one that can do what is asked."""
    tag, images = survey.spec.image, survey.images
    missing = [node for node, image in images.items() if image is None]
    if missing:
        hint = how_to_get(tag, missing, others_have_it=len(missing) < len(images))
        cause = f"the image {tag} is not on {', '.join(missing)}; nothing was started"
        raise Refused(cause, hint=hint, node=missing[0])
    first, *others = ((n, i) for n, i in images.items() if i is not None)
    for node, image in others:
        if not same_content(first[1], image):
            cause = f"the image {tag} differs between {first[0]} and {node}; nothing was started"
            raise Refused(cause, hint=f"sparkconsole image copy {tag}", node=node)


def check_ports(survey: LaunchSurvey) -> None:
    """Refused when somebody else listens where the head has to."""
    head = survey.seats[0].node
    taken = ", ".join(map(str, survey.sites[head].taken(survey.spec.ports())))
    if taken:
        flag = "--ray-port, --dashboard-port" if survey.spec.backend is Backend.RAY else "--master-port"
        hint = f"see who listens there: ss -ltnp, or choose another: {flag}"
        raise Refused(f"port {taken} is in use; nothing was started", hint=hint, node=head)


async def check_ray(fleet: Fleet, survey: LaunchSurvey) -> None:
    """Refused when an image has no Ray and the backend is Ray; a label is believed, else it is looked for."""
    head, image = survey.seats[0].node, survey.images[survey.seats[0].node]
    if survey.spec.backend is not Backend.RAY or image is None or image.labels.get(RAY_LABEL):
        return
    run = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", survey.spec.image)
    shell = await fleet.shell(head)
    seen = await shell.run((*run, "-c", "command -v ray"), timeout=60)
    # 1 and 127 are the shell's "not found"; anything else is docker's trouble, which the start will tell.
    if seen.status in (1, 127):
        cause = f"the image {survey.spec.image} has no `ray`; nothing was started"
        hint = "launch without Ray: --backend none, or build an image with ray[default]"
        raise Refused(cause, hint=hint, node=head)


def _network(cluster: Cluster, spec: LaunchSpec, name: str, facts: Mapping[str, NodeFacts]) -> NodeNetwork:
    node = next(cluster.effective(n) for n in cluster.nodes if n.name == name)
    peers = tuple(f.fabric for n, f in facts.items() if n != name)
    fabric, ib_if = facts[name].fabric, spec.ib_if or node.ib_if
    try:
        eth_if = spec.eth_if or node.eth_if or interface_at(fabric, node.fabric_address)
        return choose_network(fabric, eth_if=eth_if, ib_if=ib_if, peers=peers)
    except SparkError as error:
        error.node = error.node or name
        raise


async def _members(
    fleet: Fleet, spec: LaunchSpec, seats: tuple[Seat, ...], sites: Mapping[str, Site]
) -> tuple[RayMember, ...] | None:
    """Asked only where Ray's head runs; no answer is an answer here."""
    head = seats[0].node
    if spec.backend is not Backend.RAY or not sites[head].running:
        return None
    from sparkconsole.remote.ray import members

    return answered(await fleet.ask(lambda shell: members(shell, spec.dashboard_port), (head,))).get(head)
