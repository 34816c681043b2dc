"""What a person may say about a launch, a node's place in it, and what a running one was not given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from sparkconsole.errors import WrongUsage
from sparkconsole.model.checkpoint.hf_cache import HfCache, usual_cache
from sparkconsole.model.cluster import Name
from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.model.image_reference import image_name
from sparkconsole.model.text.redact import secret_name

LABEL_CLUSTER = "org.sparkconsole.cluster"
LABEL_ROLE = "org.sparkconsole.role"
LABEL_ADDRESS = "org.sparkconsole.address"
LABEL_LAUNCH = "org.sparkconsole.launch"
"""The launch as JSON, without what is at its default: a restart starts the very same thing."""
NCCL_LEVELS = ("VERSION", "WARN", "INFO", "TRACE")
_ENV_FLAGS = ("-e", "--env")


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
        return tuple(w for w in (*self.env, *flag_values(self.docker_args, _ENV_FLAGS)) if "=" not in w)


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

    def labels(self, spec: LaunchSpec) -> dict[str, str]:
        """What its container tells of its launch."""
        return {
            LABEL_CLUSTER: spec.cluster,
            LABEL_ROLE: self.role.value,
            LABEL_ADDRESS: self.address,
            LABEL_LAUNCH: spec.recorded(),
        }


def without_secret_values(words: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """`HF_TOKEN=…` becomes `HF_TOKEN` where the environment holds that very value; WrongUsage elsewhere."""
    return tuple(_without_secret_value(word, environ) for word in words)


def _without_secret_value(word: str, environ: Mapping[str, str]) -> str:
    pair = word.removeprefix("--env=").removeprefix("-e=").removeprefix("-e")
    name, equals, value = pair.partition("=")
    if not equals or not secret_name(name):
        return word
    if environ.get(name) != value:
        hint = f"put it into this console's environment and write `-e {name}` without a value"
        raise WrongUsage(f"the value of {name} would stand in a process list on every node", hint=hint)
    return name if pair == word else f"--env={name}"


def flag_values(words: tuple[str, ...], flags: tuple[str, ...]) -> tuple[str, ...]:
    """What follows any of `flags` in `words`, written apart or with an equals sign."""
    apart = (after for word, after in pairwise(words) if word in flags)
    joined = (w.partition("=")[2] for w in words if w.partition("=")[0] in flags and "=" in w)
    return (*apart, *joined)


_CALLED: Mapping[str, str] = {
    "backend": "backend", "nccl_debug": "NCCL debug level", "eth_if": "Ethernet interface",
    "ib_if": "RDMA devices", "gpus": "GPUs", "ray_port": "Ray's port",
    "dashboard_port": "dashboard's port", "master_port": "master port",
    "ray_num_cpus": "Ray's CPUs a node", "ray_num_gpus": "Ray's GPUs a node",
}  # fmt: skip
"""Fields that are as they were asked, or not, by what they are called; lists and the image are apart."""


def differences(asked: LaunchSpec, given: Collection[str], running: LaunchSpec | None) -> tuple[str, ...]:
    """A phrase for each field in `given` that the running launch does not have as `asked` has it.

    What nobody said differs in nothing. `running` None: who started it did not write down how.
    """
    wanted = [name for name in (*_CALLED, "env", "volumes", "docker_args") if name in given]
    if running is None:
        return ("what it was started with is unknown",) if wanted else ()
    return tuple(_differences(asked, wanted, running))


def _differences(asked: LaunchSpec, wanted: Collection[str], running: LaunchSpec) -> Iterator[str]:
    for name in _CALLED:
        mine, there = getattr(asked, name), getattr(running, name)
        if name in wanted and mine != there:
            yield f"{_CALLED[name]} {_shown(there)}, not {_shown(mine)}"
    if "env" in wanted:
        yield from _environment(asked.env, running.env)
    if "volumes" in wanted:
        yield from (f"without the mount {v}" for v in asked.volumes if v not in running.volumes)
    if "docker_args" in wanted and asked.docker_args != running.docker_args:
        yield "with other words for docker run"


def _environment(asked: Sequence[str], running: Sequence[str]) -> Iterator[str]:
    """The last of a name counts; of a name without a value only the name is known."""
    there = {word.partition("=")[0]: word for word in running}
    for name, word in {word.partition("=")[0]: word for word in asked}.items():
        if name not in there:
            yield f"without {word}"
        elif there[name] != word:
            yield f"with {there[name]}, not {word}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "as detected"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "by default" if value is None else str(value)
