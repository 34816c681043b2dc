"""What a person may say about a launch, and the exact `docker run` that comes of it on each node.

The arguments are those of the scripts this replaces, with two deliberate differences: no `--rm` (a container
is removed by us, after its log was kept), and Ray's dashboard listens on the node's loopback only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from sparkconsole.errors import WrongUsage
from sparkconsole.model.checkpoint.hf_cache import HfCache, usual_cache
from sparkconsole.model.cluster import Name
from sparkconsole.model.fabric.links import NodeNetwork, environment
from sparkconsole.model.image.reference import image_name
from sparkconsole.model.text.redact import secret_name

LABEL_CLUSTER = "org.sparkconsole.cluster"
LABEL_ROLE = "org.sparkconsole.role"
LABEL_ADDRESS = "org.sparkconsole.address"
LABEL_LAUNCH = "org.sparkconsole.launch"
"""The launch as JSON, without what is at its default: a restart starts the very same thing."""
NCCL_LEVELS = ("VERSION", "WARN", "INFO", "TRACE")
_HOME = re.compile(r"\$\{HOME\}|\$HOME(?![A-Za-z0-9_])|(?<![^=,])~(?=/|$|:)")
_ENV_FLAGS = ("-e", "--env")
_VOLUME_FLAGS = ("-v", "--volume")


class Backend(StrEnum):
    """What joins the nodes: Ray, vLLM's own multi-node start (`none`), or nothing, on one node (`solo`)."""

    RAY = "ray"
    NONE = "none"
    SOLO = "solo"


class Role(StrEnum):
    """A node's part in the cluster."""

    HEAD = "head"
    WORKER = "worker"


class LaunchSpec(BaseModel):
    """One launch. The defaults are the seed's, except that Ray's object store is held to 1 GiB: its own

    default is a third of a memory that the GPU shares.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    cluster: Name = "default"
    image: Annotated[str, AfterValidator(image_name)] = "vllm-node"
    container: Name = "vllm_node"
    backend: Backend = Backend.RAY
    nccl_debug: str | None = None
    eth_if: str | None = None
    ib_if: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    """NAME=VALUE, or NAME alone: then the value comes from the console's own environment, unseen."""
    volumes: tuple[str, ...] = ()
    docker_args: tuple[str, ...] = ()
    """More words for `docker run`; `$HOME` and `~` are the node's."""
    gpus: bool = True
    ray_port: int = Field(default=6379, ge=1, le=65535)
    dashboard_port: int = Field(default=8265, ge=1, le=65535)
    master_port: int = Field(default=29501, ge=1, le=65535)
    ray_num_cpus: int | None = Field(default=None, ge=0)
    ray_num_gpus: int | None = Field(default=None, ge=0)
    """What Ray is told where it sees no GPU by itself (an image without CUDA)."""
    ray_object_store: int | None = Field(default=1 << 30, ge=80 << 20)
    """Bytes; None: Ray's own choice."""

    @field_validator("nccl_debug")
    @classmethod
    def _level(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.upper() not in NCCL_LEVELS:
            raise ValueError(f"{value!r} is no NCCL debug level; there are {', '.join(NCCL_LEVELS)}")
        return value.upper()

    @field_validator("ray_port")
    @classmethod
    def _outside_ray_workers(cls, value: int) -> int:
        if 10002 <= value <= 19999:
            raise ValueError("Ray gives its workers the ports 10002 to 19999; choose another --ray-port")
        return value

    def recorded(self) -> str:
        """Itself as JSON, without defaults; `recalled` reads it back."""
        return self.model_dump_json(exclude_defaults=True)

    def ports(self) -> tuple[int, ...]:
        """What must be free on the head."""
        if self.backend is Backend.RAY:
            return (self.ray_port, self.dashboard_port)
        return (self.master_port,) if self.backend is Backend.NONE else ()

    def secrets(self) -> tuple[str, ...]:
        """Names of variables whose values come from the console's environment and never enter argv."""
        return tuple(w for w in (*self.env, *_values(self.docker_args, _ENV_FLAGS)) if "=" not in w)


def recalled(labels: Mapping[str, str]) -> LaunchSpec | None:
    """The launch that a container's labels tell of; None when it was not ours or is not understood."""
    try:
        return LaunchSpec.model_validate_json(labels.get(LABEL_LAUNCH, ""))
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class Seat:
    """A node's place in one launch."""

    node: str
    role: Role
    home: str
    """The login's home directory on that node."""
    network: NodeNetwork | None
    """None: solo, nothing leaves the machine."""
    head_address: str
    cache: HfCache | None = None
    """What the containers share with the node; None: the usual one in the home."""

    @property
    def models(self) -> HfCache:
        """Where its models are."""
        return self.cache or usual_cache(self.home)

    @property
    def address(self) -> str:
        """Where the other nodes reach this one."""
        return self.network.address if self.network else "127.0.0.1"


def container_argv(spec: LaunchSpec, seat: Seat) -> tuple[str, ...]:
    """The `docker run` of one node."""
    return (
        *("docker", "run", "-d", "--privileged", *(("--gpus", "all") if spec.gpus else ())),
        *("--ipc=host", "--network", "host", "--name", spec.container),
        *_each("--label", (f"{key}={value}" for key, value in labels_of(spec, seat).items())),
        *(() if spec.backend is Backend.RAY else ("--init",)),
        *("-e", "NCCL_IGNORE_CPU_AFFINITY=1"),
        *_each("-v", (f"{source}:{inside}" for source, inside in seat.models.mounts())),
        *_each("-v", (at_home(v, seat.home) for v in spec.volumes)),
        *(at_home(word, seat.home) for word in spec.docker_args),
        *_each("-e", (f"{name}={value}" for name, value in container_environment(spec, seat).items())),
        *_each("-e", spec.env),
        spec.image,
        *_command(spec, seat),
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
    return ("ray", "start", "--block", *place, "--disable-usage-stats", *_limits(spec))


def bind_sources(spec: LaunchSpec, seat: Seat) -> tuple[str, ...]:
    """Folders of the node that the container mounts; docker would make missing ones as root."""
    mounts = (*spec.volumes, *_values(spec.docker_args, _VOLUME_FLAGS))
    sources = (at_home(mount, seat.home).split(":", 1)[0] for mount in mounts)
    return (*(source for source, _ in seat.models.mounts()), *(s for s in sources if s.startswith("/")))


def at_home(word: str, home: str) -> str:
    """`word` with `$HOME`, `${HOME}` and a leading `~` as the node's home directory."""
    return _HOME.sub(lambda _: home, word)


def without_secret_values(words: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """`HF_TOKEN=…` becomes `HF_TOKEN` where the environment holds that very value; WrongUsage elsewhere."""
    return tuple(_without_secret_value(word, environ) for word in words)


def _without_secret_value(word: str, environ: Mapping[str, str]) -> str:
    name, equals, value = word.removeprefix("--env=").removeprefix("-e=").partition("=")
    if not equals or not secret_name(name):
        return word
    if environ.get(name) != value:
        raise WrongUsage(
            f"the value of {name} would stand in a process list on every node",
            hint=f"put it into this console's environment and write `-e {name}` without a value",
        )
    return word.removesuffix(f"={value}")


def labels_of(spec: LaunchSpec, seat: Seat) -> dict[str, str]:
    """What a container tells of its launch."""
    return {
        LABEL_CLUSTER: spec.cluster,
        LABEL_ROLE: seat.role.value,
        LABEL_ADDRESS: seat.address,
        LABEL_LAUNCH: spec.recorded(),
    }


def _command(spec: LaunchSpec, seat: Seat) -> tuple[str, ...]:
    return ray_argv(spec, seat) if spec.backend is Backend.RAY else ("sleep", "infinity")


def _limits(spec: LaunchSpec) -> tuple[str, ...]:
    limits = {
        "--num-cpus": spec.ray_num_cpus,
        "--num-gpus": spec.ray_num_gpus,
        "--object-store-memory": spec.ray_object_store,
    }
    return tuple(word for flag, n in limits.items() if n is not None for word in (flag, str(n)))


def _each(flag: str, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (flag, value))


def _values(words: tuple[str, ...], flags: tuple[str, ...]) -> tuple[str, ...]:
    """What follows any of `flags` in `words`, written apart or with an equals sign."""
    apart = (after for word, after in pairwise(words) if word in flags)
    joined = (w.partition("=")[2] for w in words if w.partition("=")[0] in flags and "=" in w)
    return (*apart, *joined)
