"""The exact `docker run` of a launch on each node, and the `ray start` in it.

The arguments are those of the scripts this replaces, with two deliberate differences: no `--rm` (a container
is removed by us, after its log was kept), and Ray's dashboard listens on the node's loopback only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sparkconsole.model.fabric.links import environment
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat, flag_values

_HOME = re.compile(r"\$\{HOME\}|\$HOME(?![A-Za-z0-9_])|(?<![^=,])~(?=/|$|:)")
_VOLUME_FLAGS = ("-v", "--volume")


def container_argv(spec: LaunchSpec, seat: Seat) -> tuple[str, ...]:
    """The `docker run` of one node."""
    return (
        *("docker", "run", "-d", "--privileged", *(("--gpus", "all") if spec.gpus else ())),
        *("--ipc=host", "--network", "host", "--name", spec.container),
        *_each("--label", (f"{key}={value}" for key, value in seat.labels(spec).items())),
        *(() if spec.backend is Backend.RAY else ("--init",)),
        *("-e", "NCCL_IGNORE_CPU_AFFINITY=1"),
        *_each("-v", (f"{source}:{inside}" for source, inside in seat.models.mounts())),
        *_each("-v", (at_home(v, seat.home) for v in spec.volumes)),
        *(at_home(word, seat.home) for word in spec.docker_args),
        *_each("-e", (f"{name}={value}" for name, value in container_environment(spec, seat).items())),
        *_each("-e", spec.env),
        spec.image,
        *(ray_argv(spec, seat) if spec.backend is Backend.RAY else ("sleep", "infinity")),
    )


def container_environment(spec: LaunchSpec, seat: Seat) -> dict[str, str]:
    """What every shell in the container sees, interactive or not."""
    if seat.network is not None:
        return environment(seat.network, nccl_debug=spec.nccl_debug)
    own = {"VLLM_HOST_IP": seat.address, "GLOO_SOCKET_IFNAME": "lo"}
    return own | ({"NCCL_DEBUG": spec.nccl_debug} if spec.nccl_debug else {})


def ray_argv(spec: LaunchSpec, seat: Seat) -> tuple[str, ...]:
    """The `ray start` of one node; it is the container's first process, so the two end together."""
    if seat.role is Role.HEAD:
        place: tuple[str, ...] = ("--head", "--port", str(spec.ray_port), "--node-ip-address", seat.address)
        place += ("--include-dashboard=True", "--dashboard-host", "127.0.0.1")
        place += ("--dashboard-port", str(spec.dashboard_port))
    else:
        place = (f"--address={seat.head_address}:{spec.ray_port}", "--node-ip-address", seat.address)
    limits = {
        "--num-cpus": spec.ray_num_cpus,
        "--num-gpus": spec.ray_num_gpus,
        "--object-store-memory": spec.ray_object_store,
    }
    given = (word for flag, n in limits.items() if n is not None for word in (flag, str(n)))
    return ("ray", "start", "--block", *place, "--disable-usage-stats", *given)


def bind_sources(spec: LaunchSpec, seat: Seat) -> tuple[str, ...]:
    """Folders of the node that the container mounts; docker would make missing ones as root."""
    mounts = (*spec.volumes, *flag_values(spec.docker_args, _VOLUME_FLAGS))
    sources = (at_home(mount, seat.home).split(":", 1)[0] for mount in mounts)
    return (*(source for source, _ in seat.models.mounts()), *(s for s in sources if s.startswith("/")))


def at_home(word: str, home: str) -> str:
    """`word` with `$HOME`, `${HOME}` and a leading `~` as the node's home directory."""
    return _HOME.sub(lambda _: home, word)


def _each(flag: str, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (flag, value))
