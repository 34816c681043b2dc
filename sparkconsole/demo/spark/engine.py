"""The Docker of a pretend Spark: its containers and images, as the API and their logs tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sparkconsole.demo.stories import IMAGE_BYTES

RAY_START = ("ray", "start")


@dataclass
class PretendContainer:
    """A container that was started here; it stays, ended, until it is removed."""

    name: str
    id: str
    image: str
    image_id: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    command: tuple[str, ...]
    pid: int
    started: datetime
    life: int = 0
    """How many were started on this machine before it: Ray knows each as another member."""
    exit_code: int | None = None
    """None: it runs."""
    oom_killed: bool = False
    printed: list[tuple[datetime, str]] = field(default_factory=list)
    """Its own log."""
    ray: list[tuple[datetime, str, str]] = field(default_factory=list)
    """What Ray wrote into its files: when, which file, what."""

    dead: list[tuple[str, str]] = field(default_factory=list)
    """The head's: members that died, as id and address."""

    @property
    def running(self) -> bool:
        """It has not ended."""
        return self.exit_code is None

    @property
    def in_ray(self) -> bool:
        """A Ray node is what it was started as."""
        return self.command[:2] == RAY_START

    @property
    def ray_head(self) -> bool:
        """Ray's head is what it was started as."""
        return self.in_ray and "--head" in self.command

    def as_json(self) -> dict[str, Any]:
        """As `GET /containers/{id}/json`."""
        return {
            "Name": f"/{self.name}",
            "Id": self.id,
            "Image": self.image_id,
            "State": {
                "Status": "running" if self.running else "exited",
                "Running": self.running,
                "OOMKilled": self.oom_killed,
                "ExitCode": self.exit_code or 0,
                "Pid": self.pid if self.running else 0,
                "StartedAt": self.started.isoformat(),
            },
            "Config": {
                "Image": self.image,
                "Labels": dict(self.labels),
                "Env": [f"{k}={v}" for k, v in self.environment.items()],
                "Tty": True,
            },
        }


def image_json(tag: str, seed: str, created: str) -> dict[str, Any]:
    """As the engine's API tells of an image that this recipe built."""
    return {
        "Id": f"sha256:{seed:0>64}",
        "RepoTags": [tag],
        "Os": "linux",
        "Architecture": "arm64",
        "Size": IMAGE_BYTES,
        "Created": created,
        "RootFS": {"Layers": [f"sha256:{n:064}" for n in range(4)] + [f"sha256:{seed:0>64}"]},
        "Config": {
            "Cmd": ["bash"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Labels": {"org.sparkconsole.recipe": "vllm-node", "org.sparkconsole.ray": "2.60.0"},
        },
    }


def with_other_layers(image: Mapping[str, Any]) -> dict[str, Any]:
    """An image of the same name whose last layer is another one."""
    layers = [*image["RootFS"]["Layers"][:-1], f"sha256:{'d' * 64}"]
    return {**image, "Id": f"sha256:{'e' * 64}", "RootFS": {"Layers": layers}}


def ray_log(container: PretendContainer) -> str:
    """As `tail -v -F` prints several of Ray's files. It only ever grows."""
    lines: list[str] = []
    for file, written in groupby(container.ray, key=lambda entry: entry[1]):
        lines.append(f"==> {file} <==")
        pid = 71 if file == "raylet.out" else 58
        for at, _, text in written:
            lines.append(f"[{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} I {pid} {pid}] {text}")
    return "".join(f"{line}\n" for line in lines)


def container_log(container: PretendContainer, *, since: float = 0.0, tail: int | None = None) -> str:
    """Its own process's output, stamped as docker does it; only what is as new as `since`, and its end."""
    lines = [f"{at.isoformat()} {text}\n" for at, text in container.printed if at.timestamp() >= since]
    return "".join(lines[len(lines) - min(tail, len(lines)) :] if tail is not None else lines)
