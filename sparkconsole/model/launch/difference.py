"""What a person asks of a launch that the running cluster was not given: it takes a stop and a launch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from types import MappingProxyType

from sparkconsole.model.launch.spec import LaunchSpec

_CALLED = MappingProxyType(
    {
        "backend": "backend", "nccl_debug": "NCCL debug level", "eth_if": "Ethernet interface",
        "ib_if": "RDMA devices", "gpus": "GPUs", "ray_port": "Ray's port",
        "dashboard_port": "dashboard's port", "master_port": "master port",
        "ray_num_cpus": "Ray's CPUs a node", "ray_num_gpus": "Ray's GPUs a node",
    }
)  # fmt: skip
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
