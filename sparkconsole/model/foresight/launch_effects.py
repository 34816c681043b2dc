"""What stands once a launch, a repair or a restart came to its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise

from sparkconsole.model.docker import Container, ImageIdentity, settings
from sparkconsole.model.foresight.effect import ContainerGone, ContainerStarted, Effect, RayFormed
from sparkconsole.model.launch.docker_run import container_argv
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from sparkconsole.model.launch.steps import Seats, Sites
from sparkconsole.model.ray import RayMember

Images = Mapping[str, ImageIdentity | None]


def start_effects(
    spec: LaunchSpec, seats: Seats, images: Images, nodes: Collection[str], sites: Sites
) -> tuple[Effect, ...]:
    """The containers of `nodes` are new, and Ray has every seat, with a GPU each."""
    ports = frozenset(spec.ports())
    gone = [ContainerGone(n, spec.container, ports) for n in nodes if sites[n].found is not None]
    started = [_started(spec, s, images.get(s.node)) for s in seats if s.node in nodes]
    if spec.backend is not Backend.RAY:
        return (*gone, *started)
    gpus = float(1 if spec.ray_num_gpus is None else spec.ray_num_gpus)
    members = tuple(RayMember(s.node, s.address, s.role is Role.HEAD, alive=True, gpus=gpus) for s in seats)
    return (*gone, *started, RayFormed(seats[0].node, spec.container, spec.dashboard_port, members))


def _started(spec: LaunchSpec, seat: Seat, image: ImageIdentity | None) -> ContainerStarted:
    words = container_argv(spec, seat)
    values = settings(after for word, after in pairwise(words) if word in ("-e", "--env"))
    container = Container(
        spec.container,
        id="",
        image=spec.image,
        image_id=image.id if image else "",
        state="running",
        exit_code=0,
        labels=seat.labels(spec),
        environment={**(image.settings if image else {}), **values},
    )
    ports = frozenset(spec.ports()) if seat.role is Role.HEAD and spec.backend is Backend.RAY else frozenset()
    return ContainerStarted(seat.node, container, ports)
