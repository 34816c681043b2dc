"""One pretend Spark: its images, containers and jobs, and what its tools would say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sparkconsole.clock import Clock
from sparkconsole.demo.spark.engine import PretendContainer, image_json
from sparkconsole.demo.spark.life import HUNG, share_loaded
from sparkconsole.demo.spark.models import first_models
from sparkconsole.demo.stories import Activity, PretendJob, served_of
from sparkconsole.model.image.build import full_name

TOTAL_BYTES = 128_524_877_824
SERVING_BYTES = 97_000_000_000
IDLE_BYTES = 6_100_000_000
SWAP = 16 << 30
BOOT_S = 20.0
"""From a reboot's order to the first login."""
EATEN_S, LASTS_S, LEFT_BYTES = 60.0, 20.0, 1_200_000_000
"""How long a server that wants ever more takes for it, how long the machine bears it, and what is left."""
OLD_CACHE_BYTES, CACHE_BYTES = 14_200_000_000, 6_400_000_000
"""What the head's builder keeps of builds before this session, and what a build adds."""
KILLED, NO_STATUS = 143, -1
"""How a job ended: by a signal, or without anybody seeing it, as in a power cut."""


@dataclass
class Machine:
    """All machines of one pretend cluster know each other, as on a switch."""

    name: str
    number: int
    clock: Clock
    cluster: dict[str, Machine]
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    nameless: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Images whose name went to another one, by id."""
    cache: list[tuple[datetime, int]] = field(default_factory=list)
    """What the builder keeps: when it was used last, and its bytes."""
    containers: dict[str, PretendContainer] = field(default_factory=dict)
    jobs: dict[str, PretendJob] = field(default_factory=dict)
    spells: list[Activity] = field(default_factory=list)
    models: dict[str, bool] = field(default_factory=dict)
    """What its cache has, by folder, and whether it is whole."""
    faults: dict[str, float] = field(default_factory=dict)
    """What is wrong with it, by kind, and since when."""
    true_images: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """What an image was before a fault changed it; None: it was not there."""
    started: int = 0
    """How many containers were."""
    boots: int = 0
    """How often it was switched on again."""
    drops: int = 0
    """How often its connections broke while it went on."""
    booted: float = -1_000_000.0
    """When that was last; while it boots that lies ahead."""
    dropped: float = -1_000_000.0
    """When its page cache was dropped."""
    folders: set[str] = field(default_factory=set)
    """Those that a launch made sure of."""
    received: dict[tuple[str, str], str] = field(default_factory=dict)
    """What came into a job's folder, by job and name: the hash of a text, the number of a folder's files."""
    kernel: list[tuple[datetime, str]] = field(default_factory=list)
    """What its kernel said, and when."""

    home = "/home/spark"
    """The login's."""

    def __post_init__(self) -> None:
        self.models = self.models or first_models(self.number)
        self._zero = self.clock.now() - timedelta(seconds=self.clock.monotonic())
        if self.number == 1:
            self.cache.append((self.clock.now() - timedelta(days=9), OLD_CACHE_BYTES))
        self._say_hello()

    def _say_hello(self) -> None:
        self.note("Linux version 6.11.0-1016-nvidia (buildd@bos03-arm64) DEMO", self.booted)
        self.note("NVRM: loading NVIDIA UNIX Open Kernel Module for aarch64  580.95.05", self.booted + 4)
        self.note("mlx5_core 0000:01:00.1 enp1s0f1np1: Link up", self.booted + 6)

    def note(self, text: str, moment: float | None = None) -> None:
        """The kernel says it."""
        self.kernel.append((self.at(self.clock.monotonic() if moment is None else moment), text))

    def at(self, moment: float) -> datetime:
        """The wall clock's time of a moment of the running clock."""
        return self._zero + timedelta(seconds=moment)

    @property
    def on(self) -> bool:
        """It has power and has booted."""
        return "lost" not in self.faults and self.clock.monotonic() >= self.booted

    def switch_on(self, after_s: float = 0.0) -> None:
        """As after a power cut: what ran has ended, and nothing starts by itself."""
        self.faults.pop("lost", None)
        self.fall_silent()
        self.boots, self.booted = self.boots + 1, self.clock.monotonic() + after_s
        self._say_hello()

    def reboot(self) -> None:
        """Nobody answers for a while; a GPU that was gone is there again."""
        self.faults.pop("gpu-gone", None)
        self.switch_on(BOOT_S)

    def fall_silent(self) -> None:
        """Everything that runs here ends, and what runs elsewhere and needs this machine fails."""
        for name in self.containers:
            self.end_container(name, 255)
        for name in list(self.jobs):
            self.cancel(name, NO_STATUS)
        self._fail_dependents(lambda job: True)

    def _fail_dependents(self, which: Callable[[PretendJob], bool]) -> None:
        for machine in self.cluster.values():
            for name in list(machine.jobs):
                job = machine.look(name)
                if job and job.status is None and self.name in job.needs and which(job):
                    job.end(1, self.clock.monotonic(), job.dies_with)

    @property
    def address(self) -> str:
        """Its address on the fast link."""
        return f"192.168.177.{10 + self.number}"

    @property
    def addresses(self) -> tuple[str, str, str]:
        """All of them: the fast link's two halves and the management port's."""
        last = 10 + self.number
        return self.address, f"192.168.178.{last}", f"10.77.0.{last}"

    def at_address(self, address: str) -> Machine | None:
        """The machine of the cluster that has it; None: none has."""
        return next((m for m in self.cluster.values() if address in m.addresses), None)

    # --- jobs

    def busy(self, kind: str, lasts: float = math.inf, *, after: float = 0.0, weight: float = 1) -> Activity:
        """Something keeps the machine busy from now on, or from some seconds on."""
        now = self.clock.monotonic() + after
        self.spells.append(Activity(kind, now, now + lasts, weight))
        return self.spells[-1]

    def look(self, name: str) -> PretendJob | None:
        """The job as it stands now; what it brought about has happened."""
        job = self.jobs.get(name)
        if job is None or job.status is not None:
            return job
        ends = job.story.ends_s
        if ends is not None and self.clock.monotonic() - job.began >= ends:
            job.status = job.story.status
            if job.ended is not None:
                job.ended()
        return job

    def log(self, job: PretendJob) -> bytes:
        """What the job printed so far."""
        until = job.stopped if job.stopped is not None else self.clock.monotonic()
        return job.story.printed_by(until - job.began) + job.last_words.encode()

    def cancel(self, name: str, status: int = KILLED) -> None:
        """Ends a job."""
        job = self.look(name)
        if job is not None and job.status is None:
            job.end(status, self.clock.monotonic())

    def servers(self) -> list[tuple[PretendJob, str, int, str]]:
        """Servers that answer: their job, model, port and served name."""
        now = self.clock.monotonic()
        found = [j for n in list(self.jobs) if (j := self.look(n)) and j.status is None and j.story.ready_s]
        ready = (j for j in found if now - j.began >= (j.story.ready_s or 0) and "--headless" not in j.argv)
        return [(j, *served_of(j.argv)) for j in ready]

    def serving(self) -> bool:
        """A server runs here, or one that spans this machine."""
        return share_loaded(self.spells, self.clock.monotonic()) > 0

    # --- images

    def built(self, tags: Sequence[str]) -> None:
        """A build ended: its tags name a new image."""
        made = image_json(tags[0], f"{self.clock.now():%Y%m%d%H%M%S}", self.clock.now().isoformat())
        self.cache.append((self.clock.now(), CACHE_BYTES))
        for tag in tags:
            self.take(tag, made)

    def take(self, tag: str, image: Mapping[str, Any]) -> None:
        """An image arrived under a name; the one that had it is nameless, when it was its only name."""
        full = full_name(tag)
        had = self.images.pop(full, None)
        self.images[full] = {**image, "RepoTags": [full]}
        self.nameless.pop(image["Id"], None)
        if had is not None and not self.named(had["Id"]):
            self.nameless[had["Id"]] = {**had, "RepoTags": []}
        self.true_images.pop(full, None)

    def image(self, tag: str) -> dict[str, Any] | None:
        """The image of that name or id."""
        named = self.images.get(full_name(tag)) or self.nameless.get(tag)
        return named or next((i for i in self.images.values() if i["Id"] == tag), None)

    def named(self, image_id: str) -> list[str]:
        """The names of an image."""
        return [tag for tag, image in self.images.items() if image["Id"] == image_id]

    # --- containers

    def run(self, argv: Sequence[str]) -> tuple[int, str, str]:
        """`docker run -d …`: status, output, errors."""
        name, image = argv[argv.index("--name") + 1], next((w for w in argv[2:] if self.image(w)), "")
        found_image = self.image(image) if image else None
        if found_image is None:
            return 125, "", "Unable to find image locally"
        if name in self.containers:
            return 125, "", f'Conflict. The container name "/{name}" is already in use by container "x".'
        pairs, now, pid = list(pairwise(argv)), self.clock.now(), 1000 + self.number
        labels = dict(b.split("=", 1) for a, b in pairs if a == "--label")
        environment = dict(b.split("=", 1) for a, b in pairs if a == "-e" and "=" in b)
        command, what = tuple(argv[list(argv).index(image) + 1 :]), (image, found_image["Id"])
        own_id = f"{self.number:02x}{name.encode().hex():0<62.62}"
        found = PretendContainer(name, own_id, *what, labels, environment, command, pid, now, self.started)
        self.containers[name], self.started = found, self.started + 1
        self._begin(found)
        return 0, f"{found.id}\n", ""

    def _begin(self, found: PretendContainer) -> None:
        """What it prints at first, and what Ray's head writes of it."""
        for kind in ("oom", "ray-dead"):
            self.faults.pop(kind, None)
        now, lines = found.started, ("Ray runtime started.", "--block") if found.in_ray else ("idle",)
        found.printed += [(now, f"INFO scripts.py -- {line}") for line in lines]
        if not found.in_ray:
            return
        found.ray.append((now, "raylet.out", "(raylet) main.cc:204: Setting cluster ID to: DEMO"))
        there = [m for m in self.cluster.values() if any(c.in_ray for c in m.running())]
        newly = there if found.ray_head else [self]
        self._head_writes(*(f"node_manager.cc:79: Registering node {m.address}" for m in newly))

    def member_id(self, container: PretendContainer) -> str:
        """As Ray names it."""
        return f"{container.life:028x}{self.number:028x}"

    def _head(self) -> PretendContainer | None:
        return next((c for m in self.cluster.values() for c in m.running() if c.ray_head), None)

    def _head_writes(self, *lines: str) -> None:
        if (head := self._head()) is not None:
            head.ray += [(self.clock.now(), "gcs_server.out", f"(gcs_server) gcs_{line}") for line in lines]

    def end_container(self, name: str, exit_code: int, *, oom_killed: bool = False, why: str = "") -> None:
        """Its first process ends; a server does not outlive the rank that was in it."""
        found = self.containers[name]
        if not found.running:
            return
        found.exit_code, found.oom_killed = exit_code, oom_killed
        found.printed += [(self.clock.now(), why)] if why else []
        head = self._head()
        if found.in_ray and head is not None:
            head.dead.append((self.member_id(found), self.address))
            self._head_writes(f"node_manager.cc:412: Node {self.address} is dead: missed its heartbeats")
        for job_name, job in self.jobs.items():
            if job.container == name:
                self.cancel(job_name, exit_code)
        self._fail_dependents(lambda job: job.container == name)

    def remove(self, name: str) -> None:
        """The container is gone, and what ran in it."""
        if name in self.containers:
            self.end_container(name, KILLED)
            del self.containers[name]

    def running(self) -> list[PretendContainer]:
        """Those that run."""
        return [c for c in self.containers.values() if c.running]

    def container_json(self, name: str) -> dict[str, Any] | None:
        """As the engine's API tells of a container, asked for by name or id."""
        found = next((c for c in self.containers.values() if name in (c.name, c.id)), None)
        return found.as_json() if found else None

    # --- readings

    def available(self) -> int:
        """MemAvailable, bytes; where the server wants ever more, hardly any is left after a minute."""
        loaded = share_loaded(self.spells, self.clock.monotonic())
        usual = TOTAL_BYTES - IDLE_BYTES - loaded * (SERVING_BYTES - IDLE_BYTES)
        since = self.faults.get("memory")
        wanted = 0.0 if since is None else (self.clock.monotonic() - since) / EATEN_S * (usual - LEFT_BYTES)
        return int(max(LEFT_BYTES, usual - wanted))

    @property
    def frozen(self) -> bool:
        """Its connections stand, and nothing comes: on request, or for want of memory."""
        since = self.faults.get("memory", math.inf)
        return "freeze" in self.faults or self.clock.monotonic() - since > EATEN_S + LASTS_S

    @property
    def hangs(self) -> bool:
        """A server runs here that gives no token."""
        now = self.clock.monotonic()
        return any(s.kind in HUNG and s.runs(now) for s in self.spells)

    def links(self) -> tuple[bool, bool]:
        """The two halves of the cable's port: the first one fails, or flaps every other five seconds."""
        since = self.faults.get("flap")
        flaps = since is not None and int((self.clock.monotonic() - since) / 5) % 2 == 0
        return not ("link-down" in self.faults or flaps), True

    def errors(self) -> int:
        """Times that the first half's link went down."""
        since = self.faults.get("flap")
        flaps = 0 if since is None else 1 + int((self.clock.monotonic() - since) / 10)
        return int("link-down" in self.faults) + flaps

    def listening(self) -> set[int]:
        """TCP ports."""
        ray = {6379, 8265} if any(c.ray_head for c in self.running()) else set()
        return {22, *ray, *(port for _, _, port, _ in self.servers())}


def meminfo(machine: Machine) -> str:
    """As /proc/meminfo."""
    return proc_lines(MemTotal=TOTAL_BYTES, MemAvailable=machine.available(), SwapTotal=SWAP, SwapFree=SWAP)


def proc_lines(**rows: int) -> str:
    """Bytes, as /proc/meminfo counts them."""
    return "".join(f"{name}: {value // 1024} kB\n" for name, value in rows.items())


def kernel_log(machine: Machine) -> str:
    """As journalctl's short-iso-precise. It only ever grows."""
    lines = (f"{at:%Y-%m-%dT%H:%M:%S.%f%z} {machine.name} kernel: {text}\n" for at, text in machine.kernel)
    return "".join(lines)
