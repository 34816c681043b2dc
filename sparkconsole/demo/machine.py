"""One pretend Spark: its images, containers and jobs, and what its tools would say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sparkconsole.demo import stories
from sparkconsole.demo.clock import Time
from sparkconsole.demo.life import Spell, share_loaded
from sparkconsole.demo.stories import (
    IMAGE_BYTES,
    Story,
    bench_story,
    build_story,
    copy_story,
    serve_story,
    served_of,
)

TOTAL_BYTES = 128_524_877_824
SERVING_BYTES = 97_000_000_000
IDLE_BYTES = 6_100_000_000


@dataclass
class PretendContainer:
    """A container that was started here."""

    name: str
    image: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    command: tuple[str, ...]
    pid: int
    started: str


@dataclass
class PretendJob:
    """A detached job: where its story stands is a matter of time."""

    argv: tuple[str, ...]
    story: Story
    began: float
    container: str = ""
    ended: Callable[[], None] = lambda: None
    status: int | None = None
    stopped: float | None = None
    spells: tuple[Spell, ...] = ()
    """What it keeps machines busy with."""


@dataclass
class Machine:
    """All machines of one pretend cluster know each other, as on a switch."""

    name: str
    number: int
    clock: Time
    cluster: dict[str, Machine]
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    containers: dict[str, PretendContainer] = field(default_factory=dict)
    jobs: dict[str, PretendJob] = field(default_factory=dict)
    spells: list[Spell] = field(default_factory=list)
    faults: dict[str, float] = field(default_factory=dict)
    """What is wrong with it, by kind, and since when."""
    boots: int = 0
    """How often it was switched on again."""
    booted: float = -1_000_000.0
    """When that was last."""

    @property
    def on(self) -> bool:
        """It has power."""
        return "lost" not in self.faults

    def switch_on(self) -> None:
        """As after a power cut or a reboot: containers and what ran in them are gone."""
        self.faults.pop("lost", None)
        self.fall_silent()
        self.boots, self.booted = self.boots + 1, self.clock.monotonic()

    def fall_silent(self) -> None:
        """Everything that runs here ends; a server that spans this machine ends with it."""
        for name in list(self.containers):
            self.remove(name)
        for name in list(self.jobs):
            self.cancel(name)

    @property
    def address(self) -> str:
        """Its address on the fast link."""
        return f"192.168.177.{10 + self.number}"

    @property
    def home(self) -> str:
        """The login's home."""
        return "/home/spark"

    # --- jobs

    def start(self, name: str, argv: tuple[str, ...]) -> bool:
        """Starts a job; False when one of that name is there."""
        if name in self.jobs:
            return False
        self.jobs[name] = self._job(argv)
        return True

    def _job(self, argv: tuple[str, ...]) -> PretendJob:
        if argv[:2] == ("docker", "exec"):
            container = argv[argv.index("sh") - 1]
            inside = argv[argv.index("job") + 2 :]
            serves = "serve" in inside and "bench" not in inside
            return self._serve(inside, container) if serves else self._bench(inside, container)
        now = self.clock.monotonic()
        if "build" in argv:
            tags = [b for a, b in pairwise(argv) if a == "-t"]
            busy = (self.busy("build", stories.BUILD_S),)
            return PretendJob(argv, build_story(), now, ended=lambda: self.built(tags), spells=busy)
        return self._copy(argv)

    def _copy(self, argv: tuple[str, ...]) -> PretendJob:
        target = next(w.split("@")[1] for w in argv if "@" in w and w.split("@")[1].count(".") == 3)
        receiver = next(m for m in self.cluster.values() if m.address == target)
        tag, lasts = argv[4], stories.COPY_S
        if not receiver.on or not self.on:
            story = stories.broken_copy_story(receiver.name)
            return PretendJob(argv, story, self.clock.monotonic())
        busy = (self.busy("send", lasts), receiver.busy("receive", lasts))
        arrives = lambda: receiver.take(tag, self.images[tag])  # noqa: E731
        return PretendJob(argv, copy_story(), self.clock.monotonic(), ended=arrives, spells=busy)

    def _serve(self, argv: tuple[str, ...], container: str) -> PretendJob:
        """Every machine with a container takes part; loading comes first."""
        now, lasts, ranks = (
            self.clock.monotonic(),
            stories.SERVE_S,
            [m for m in self.cluster.values() if m.containers],
        )
        loading = [m.busy("load", lasts) for m in ranks]
        serving = [m.busy("serve", after=lasts) for m in ranks]
        story = serve_story(argv, [m.address for m in ranks], now=self.clock.now())
        return PretendJob(argv, story, now, container=container, spells=(*loading, *serving))

    def _bench(self, argv: tuple[str, ...], container: str) -> PretendJob:
        ranks = [m for m in self.cluster.values() if m.containers]
        busy = tuple(m.busy("bench", stories.BENCH_S) for m in ranks)
        return PretendJob(argv, bench_story(argv), self.clock.monotonic(), container=container, spells=busy)

    def busy(self, kind: str, lasts: float = math.inf, *, after: float = 0.0) -> Spell:
        """Something keeps the machine busy from now on, or from some seconds on."""
        now = self.clock.monotonic() + after
        self.spells.append(Spell(kind, now, now + lasts))
        return self.spells[-1]

    def look(self, name: str) -> PretendJob | None:
        """The job as it stands now; what it brought about has happened."""
        job = self.jobs.get(name)
        if job is None or job.status is not None:
            return job
        ends = job.story.ends_s
        if ends is not None and self.clock.monotonic() - job.began >= ends:
            job.status = job.story.status
            job.ended()
        return job

    def log(self, job: PretendJob) -> bytes:
        """What the job printed so far."""
        until = job.stopped if job.stopped is not None else self.clock.monotonic()
        return job.story.told(until - job.began)

    def cancel(self, name: str) -> None:
        """Ends a job."""
        job = self.look(name)
        if job is None or job.status is not None:
            return
        job.status, job.stopped = 143, self.clock.monotonic()
        for spell in job.spells:
            spell.stop(job.stopped)

    def servers(self) -> list[tuple[PretendJob, str, int, str]]:
        """Servers that answer: their job, model, port and served name."""
        now = self.clock.monotonic()
        found = [j for n in list(self.jobs) if (j := self.look(n)) and j.status is None and j.story.ready_s]
        return [(j, *served_of(j.argv)) for j in found if now - j.began >= (j.story.ready_s or 0)]

    def serving(self) -> bool:
        """A server runs here, or one that spans this machine."""
        return share_loaded(self.spells, self.clock.monotonic()) > 0

    # --- images

    def built(self, tags: Sequence[str]) -> None:
        """A build ended: its tags name a new image."""
        made = image_json(tags[0], f"{self.clock.now():%Y%m%d%H%M%S}", self.clock.now().isoformat())
        for tag in tags:
            self.take(tag, made)

    def take(self, tag: str, image: Mapping[str, Any]) -> None:
        """An image arrived under a name."""
        full = tag if ":" in tag else f"{tag}:latest"
        self.images[full] = {**image, "RepoTags": [full]}

    def image(self, tag: str) -> dict[str, Any] | None:
        """The image of that name."""
        return self.images.get(tag if ":" in tag else f"{tag}:latest")

    # --- containers

    def run(self, argv: Sequence[str]) -> tuple[int, str, str]:
        """`docker run -d …`: status, output, errors."""
        name = argv[argv.index("--name") + 1]
        image = next((w for w in argv[2:] if self.image(w) is not None), None)
        if image is None:
            return 125, "", "Unable to find image locally"
        if name in self.containers:
            return 125, "", f'Conflict. The container name "/{name}" is already in use by container "x".'
        pairs = list(pairwise(argv))
        self.containers[name] = PretendContainer(
            name,
            image,
            dict(b.split("=", 1) for a, b in pairs if a == "--label"),
            dict(b.split("=", 1) for a, b in pairs if a == "-e" and "=" in b),
            tuple(argv[list(argv).index(image) + 1 :]),
            1000 + self.number,
            self.clock.now().isoformat(),
        )
        return 0, "0123456789abcdef\n", ""

    def remove(self, name: str) -> None:
        """The container is gone, and what ran in it."""
        if self.containers.pop(name, None) is None:
            return
        for machine in self.cluster.values():
            # A server does not outlive the rank that was in this container.
            for job_name, job in machine.jobs.items():
                if job.container == name:
                    machine.cancel(job_name)

    def ray_head(self) -> bool:
        """Ray's head runs here."""
        return any("--head" in c.command for c in self.containers.values())

    def in_ray(self) -> bool:
        """A Ray node runs here."""
        return any(c.command[:2] == ("ray", "start") for c in self.containers.values())

    def container_json(self, name: str) -> dict[str, Any] | None:
        """As the engine's API tells of a container, asked for by name or id."""
        found = next((c for c in self.containers.values() if name in (c.name, self._id(c.name))), None)
        if found is None:
            return None
        image = self.image(found.image) or {}
        environment = [f"{k}={v}" for k, v in found.environment.items()]
        return {
            "Name": f"/{found.name}",
            "Id": self._id(found.name),
            "Image": image.get("Id", ""),
            "State": {
                "Status": "running",
                "Running": True,
                "ExitCode": 0,
                "Pid": found.pid,
                "StartedAt": found.started,
            },
            "Config": {"Image": found.image, "Labels": dict(found.labels), "Env": environment, "Tty": True},
        }

    def _id(self, container: str) -> str:
        return f"{self.number:02x}{container.encode().hex():0<62.62}"

    # --- readings

    def available(self) -> int:
        """MemAvailable, bytes."""
        loaded = share_loaded(self.spells, self.clock.monotonic())
        return int(TOTAL_BYTES - IDLE_BYTES - loaded * (SERVING_BYTES - IDLE_BYTES))

    def links(self) -> tuple[bool, bool]:
        """The two halves of the cable's port: the first one fails, or flaps every other five seconds."""
        since = self.faults.get("flap")
        flaps = since is not None and int((self.clock.monotonic() - since) / 5) % 2 == 0
        return not ("link-down" in self.faults or flaps), True

    def errors(self) -> int:
        """Times that the first half's link went down."""
        since = self.faults.get("flap")
        return int("link-down" in self.faults) + (
            0 if since is None else 1 + int((self.clock.monotonic() - since) / 10)
        )

    def listening(self) -> set[int]:
        """TCP ports."""
        ray = {6379, 8265} if self.ray_head() else set()
        return {22, *ray, *(port for _, _, port, _ in self.servers())}


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


def meminfo(machine: Machine) -> str:
    """As /proc/meminfo."""
    rows = {
        "MemTotal": TOTAL_BYTES,
        "MemAvailable": machine.available(),
        "SwapTotal": 16 << 30,
        "SwapFree": 16 << 30,
    }
    return "".join(f"{name}: {value // 1024} kB\n" for name, value in rows.items())


def site_json(machine: Machine, name: str) -> str:
    """As `docker container inspect`."""
    found = machine.container_json(name)
    return json.dumps([found]) if found else ""
