"""What a pretend Spark's detached jobs do: which story they tell, whom they keep busy, what ends them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from itertools import pairwise

from sparkconsole.demo import stories
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.demo.spark.models import bytes_of, folder_of
from sparkconsole.demo.stories import PretendJob, Story
from sparkconsole.model.serve.vllm_flags import value

USUAL_SHARE = 0.7
"""Of the memory, for a server that was not told: the real default leaves a pretend cluster no room."""


@dataclass(frozen=True)
class Built:
    """What a build brings about."""

    machine: Machine
    tags: list[str]

    def __call__(self) -> None:
        self.machine.built(self.tags)


@dataclass(frozen=True)
class ModelArrived:
    """What a download or a model's copy brings about."""

    receiver: Machine
    folder: str

    def __call__(self) -> None:
        self.receiver.models[self.folder] = True


@dataclass(frozen=True)
class ImageArrived:
    """What an image's copy brings about."""

    sender: Machine
    receiver: Machine
    tag: str

    def __call__(self) -> None:
        self.receiver.take(self.tag, self.sender.images[self.tag])


def start(machine: Machine, name: str, argv: tuple[str, ...]) -> bool:
    """Starts a job; False when one of that name is there."""
    if name in machine.jobs:
        return False
    machine.jobs[name] = begin_job(machine, argv)
    return True


def begin_job(machine: Machine, argv: tuple[str, ...]) -> PretendJob:
    """What such a command does here, from now on."""
    if argv[:2] == ("docker", "exec"):
        container = argv[argv.index("sh") - 1]
        inside = argv[argv.index("job") + 2 :]
        if "memory-guard" in inside:
            return PretendJob(inside, Story(()), machine.clock.monotonic(), container=container)
        serves = "serve" in inside and "bench" not in inside
        return _serve(machine, inside, container) if serves else _bench(machine, inside, container)
    if "programs" in argv:
        return _moved(machine, argv)
    now = machine.clock.monotonic()
    if "build" in argv:
        tags = [b for a, b in pairwise(argv) if a == "-t"]
        busy = (machine.busy("build", stories.BUILD_S),)
        return PretendJob(argv, stories.build_story(), now, ended=Built(machine, tags), spells=busy)
    return _copy(machine, argv)


def _moved(machine: Machine, argv: tuple[str, ...]) -> PretendJob:
    """A model comes from the hub, or goes to another machine: its address and name are the last words."""
    comes = argv[2] == "download"
    model, now, lasts = argv[3] if comes else argv[-1], machine.clock.monotonic(), stories.COPY_S
    receiver = machine if comes else _at(machine, argv[-2].rpartition("@")[2])
    full = "disk-full" in receiver.faults
    if full or not receiver.on:
        why = "No space left on device" if full else "connection lost: Connection timed out"
        return PretendJob(argv, stories.broken_model_story(why), now)
    busy = (receiver.busy("receive", lasts), *(() if comes else (machine.busy("send", lasts),)))
    lost = '{"end": true, "failed": {"": "connection lost: Connection reset by peer"}}\n'
    story, arrived = stories.model_story(bytes_of(model)), ModelArrived(receiver, folder_of(model))
    return PretendJob(argv, story, now, "", arrived, spells=busy, needs=(receiver.name,), dies_with=lost)


def _at(machine: Machine, address: str) -> Machine:
    return next(m for m in machine.cluster.values() if address in m.addresses)


def _copy(machine: Machine, argv: tuple[str, ...]) -> PretendJob:
    target = next(w.split("@")[1] for w in argv if "@" in w and w.split("@")[1].count(".") == 3)
    receiver = _at(machine, target)
    # What sends missing layers names the number of those that stay behind after the tag.
    whole, tag, now = argv[5] == "ssh", argv[4], machine.clock.monotonic()
    layers = stories.LAYER_BYTES[0 if whole else int(argv[5]) :]
    lasts = stories.copying_s(total := sum(layers))
    why = stories.why_not_received(receiver.name, on=receiver.on, full="disk-full" in receiver.faults)
    if why:
        return PretendJob(argv, stories.broken_copy_story(why), now)
    busy, needs = (machine.busy("send", lasts), receiver.busy("receive", lasts)), (receiver.name,)
    story = stories.copy_story(total) if whole else stories.layers_story(layers)
    arrived, cut = ImageArrived(machine, receiver, tag), stories.CUT_COPY
    return PretendJob(argv, story, now, "", arrived, spells=busy, needs=needs, dies_with=cut)


def _serve(machine: Machine, argv: tuple[str, ...], container: str) -> PretendJob:
    """As many machines as it has ranks take part; loading comes first."""
    now, lasts, ranks = machine.clock.monotonic(), stories.SERVE_S, _ranks(machine, argv)
    weight = float(value(argv, "--gpu-memory-utilization") or USUAL_SHARE) / USUAL_SHARE
    loading = [m.busy("load", lasts, weight=weight) for m in ranks]
    serving = [m.busy("serve", after=lasts, weight=weight) for m in ranks]
    story = stories.serve_story(argv, [m.address for m in ranks], now=machine.clock.now())
    busy, needs = (*loading, *serving), tuple(m.name for m in ranks)
    return PretendJob(argv, story, now, container, spells=busy, needs=needs, dies_with=stories.DEAD_RANK)


def _ranks(machine: Machine, argv: tuple[str, ...]) -> list[Machine]:
    """Itself, and with Ray the next ones with a container, one for each GPU that is wanted."""
    wanted = 1 if "--node-rank" in argv else stories.gpus_of(argv)
    others = [m for m in machine.cluster.values() if m is not machine and m.running()]
    return [machine, *others][:wanted]


def _bench(machine: Machine, argv: tuple[str, ...], container: str) -> PretendJob:
    ranks = [m for m in machine.cluster.values() if m.serving()]
    busy, story = tuple(m.busy("bench", stories.BENCH_S) for m in ranks), stories.bench_story(argv)
    return PretendJob(argv, story, machine.clock.monotonic(), container=container, spells=busy)


def take_in(machine: Machine, argv: tuple[str, ...], data: bytes | None) -> None:
    """Standard input of `job-put` and `job-unpack`; of every other command it is passed over."""
    if data is None or len(argv) < 6:
        return
    key = (argv[4], argv[5])
    if argv[3] == "job-put":
        machine.received[key] = hashlib.sha256(data).hexdigest()
    elif argv[3] == "job-unpack":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            machine.received[key] = str(sum(member.isfile() for member in tar))
