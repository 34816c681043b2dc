"""Verbs without a server, under faults: copies, builds, commands, `stop`, looks."""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.chaos import truth
from tests.chaos.scene import NODES, Scene
from tests.chaos.screen import Face
from tests.chaos.verb import JOURNAL, LINK, SIGNALS, Verb
from tests.model_caches import hub_cache, shards
from tests.real.package_index import made

BASE, COPIED, BUILT = "chaos-base:1", "chaos-copied:1", "chaos-built:1"
MODEL, HUB = "lab/chaos", "/home/spark/.cache/huggingface/hub"
MIB, SLOW_MBIT = 1 << 20, 20
CONTAINER = "vllm_node"


# --- images


def base(scene: Scene) -> None:
    """A small Debian with Python on both nodes, its layer the same on both."""
    packed = made("make-base.sh", "base.tar").read_bytes()
    for index in NODES:
        if BASE not in truth.images(scene.bed, index):
            scene.bed.exec(index, "docker", "import", "-", BASE, stdin=packed, timeout=300)


def _without(scene: Scene, name: str) -> None:
    for index in NODES:
        listed = "docker images --format '{{.Repository}}:{{.Tag}}' " + name.partition(":")[0]
        scene.shell(index, f"{listed} | xargs -r docker rmi -f; docker image prune -f")


def _new_image(scene: Scene) -> None:
    """The base and three layers of random bytes on node 1; their way to node 2 is slow."""
    base(scene)
    _without(scene, COPIED)
    below, fill = BASE, f"head -c {6 * MIB} /dev/urandom >/layer-"
    for layer in ("one", "two", "three"):
        run = ("docker", "run", "--network", "none", "--name", "filling", below, "sh", "-c", fill + layer)
        for words in (run, ("docker", "commit", "filling", COPIED), ("docker", "rm", "-f", "filling")):
            scene.bed.exec(1, *words)
        below = COPIED
    scene.bed.rate(2, SLOW_MBIT)


def sent_bytes(scene: Scene) -> int:
    """How much of a copy is on its way, as the copy's own log on its sender counts."""
    most = 0
    for log in truth.inside(scene.bed, 1, "/home/spark/.local/state/sparkconsole/jobs").glob("*/log"):
        with contextlib.suppress(OSError):
            sent = re.findall(r'"sent": (\d+)', log.read_text(errors="replace")[-3000:])
            most = max(most, *map(int, sent)) if sent else most
    return most


def _same_image(scene: Scene) -> bool:
    return all(COPIED in truth.images(scene.bed, i) for i in NODES) and len(set(_layers(scene))) == 1


def _layers(scene: Scene) -> list[str]:
    """Of the image on each node: each kind of store gives it another id."""
    words = ("docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", COPIED)
    return [scene.bed.exec(index, *words, timeout=truth.PATIENCE_S) for index in NODES]


DOCKERFILE = f"FROM {BASE}\nRUN echo one; sleep 3\nRUN echo two; sleep 3\nRUN echo three; sleep 2\n"


def _recipe(scene: Scene) -> Path:
    return scene.person.home / "recipe"


def _no_build(scene: Scene) -> None:
    base(scene)
    _without(scene, BUILT)
    _recipe(scene).mkdir(exist_ok=True)
    (_recipe(scene) / "Dockerfile").write_text(DOCKERFILE)


def _build_words(scene: Scene) -> tuple[str, ...]:
    words = ("--yes", "image", "build", "--recipe", str(_recipe(scene)), "--tag", BUILT)
    return (*words, "--no-cache", "--least-free", "1")


# --- models


def _model(scene: Scene) -> None:
    """A model of eight small files in node 1's cache; its way to node 2 is slow."""
    with tempfile.TemporaryDirectory() as home:
        hub_cache(Path(home), MODEL, shards(8, 2 * MIB))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(Path(home) / ".cache", ".cache")
    unpack = ("tar", "-xC", "/home/spark", "--no-same-owner")
    scene.bed.exec(1, *unpack, stdin=packed.getvalue(), user="spark")
    scene.bed.rate(2, SLOW_MBIT)


def _model_arrives(scene: Scene, _: Face) -> bool:
    return any(truth.inside(scene.bed, 2, HUB).rglob("*.incomplete"))


def _same_model(scene: Scene) -> bool:
    folder = f"{HUB}/models--{MODEL.replace('/', '--')}/snapshots"
    ask = f"cd {folder}/* 2>/dev/null && sha256sum -- * 2>/dev/null"
    first, second = (scene.shell(index, ask) for index in NODES)
    return first == second and bool(first)


# --- commands, containers, looks

PROGRAMS = "/run/chaos"
_SHORT = f"#!/bin/sh\necho begun\nsleep 6\necho yes >{PROGRAMS}/ended\necho ended\n"
_LONG = f"#!/bin/sh\necho begun\n{PROGRAMS}/sleep 777\n"


def _programs(scene: Scene) -> None:
    for index in NODES:
        made = f"mkdir -m 777 -p {PROGRAMS}; cp /bin/sleep {PROGRAMS}/; cd {PROGRAMS}; rm -f ended; cat >"
        for name, text in (("short", _SHORT), ("long", _LONG)):
            line = f"{made}{name}; chmod 755 {name}"
            scene.bed.exec(index, "sh", "-c", line, stdin=text.encode())


def _ended(scene: Scene) -> bool:
    return all(bool(scene.shell(index, f"cat {PROGRAMS}/ended")) for index in NODES)


def _command(name: str) -> Callable[[Scene, Face], bool]:
    pattern = re.compile(rf"{PROGRAMS}/{name}")
    return lambda scene, _: all(truth.running(scene.bed, index, pattern) for index in NODES)


def _containers(scene: Scene) -> None:
    base(scene)
    for index in NODES:
        scene.bed.exec(index, "docker", "run", "-d", "--name", CONTAINER, BASE, "sleep", "999")


def _no_container(scene: Scene) -> bool:
    for index in NODES:
        truth.images(scene.bed, index)  # its engine answers
    return all(CONTAINER not in scene.bed.containers(index) for index in NODES)


def _all_answer(scene: Scene) -> bool:
    return not any(truth.in_trouble(scene.bed, index) for index in NODES)


PLAIN = (
    Verb(
        "image copy", lambda s: ("--yes", "image", "copy", COPIED, "--to", s.name(2)), _same_image,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, "engine killed", "engine stopped", "data disk full",
         "fabric cut", "fabric blip", "frozen for 10 s", "frozen for 30 s", "two consoles"),
        _new_image, lambda s, _: sent_bytes(s) > MIB, slowed=True,
    ),
    Verb(
        "image copy, its sender", lambda s: ("--yes", "image", "copy", COPIED, "--to", s.name(2)),
        _same_image, (*LINK, "engine killed", "frozen for 10 s"), _new_image,
        lambda s, _: sent_bytes(s) > MIB, node=1, slowed=True,
    ),
    Verb(
        "image build", _build_words, lambda s: BUILT in truth.images(s.bed, 1),
        ("nothing", *LINK, *SIGNALS, *JOURNAL, "engine killed", "engine stopped", "data disk full",
         "frozen for 10 s", "two consoles"),
        _no_build, lambda s, _: bool(s.bed.processes(1, "docker build")), node=1, spread_s=6.0,
    ),
    Verb(
        "model copy", lambda s: ("--yes", "model", "copy", MODEL, "--to", s.name(2)), _same_model,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, "fabric cut", "fabric blip", "frozen for 10 s",
         "two consoles"),
        _model, _model_arrives, slowed=True,
    ),
    Verb(
        "node exec", lambda s: ("node", "exec", "--", f"{PROGRAMS}/short"), _ended,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, "frozen for 10 s", "two consoles"), _programs,
        _command("short"), limit_s=60.0,
    ),
    Verb(
        "node exec, long", lambda s: ("node", "exec", "--", f"{PROGRAMS}/long"), lambda s: False,
        SIGNALS, _programs, _command("long"), spread_s=2.0, limit_s=60.0,
    ),
    Verb(
        "stop", lambda s: ("--yes", "stop"), _no_container,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, "engine killed", "engine stopped", "frozen for 10 s",
         "two consoles"),
        _containers, spread_s=1.5,
    ),
    Verb(
        "status", lambda s: ("status",), _all_answer,
        ("nothing", "sshd gone", "management cut", "power", "engine stopped", "frozen for 30 s",
         "fabric cut", "journal read-only", "journal removed"),
        under_way=None, looks=True, spread_s=0.5, limit_s=90.0,
    ),
)  # fmt: skip
