"""Verbs with real Ray and real vLLM, under faults: launch, restart, serve, keep, measure, stop the server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial

from tests.chaos import truth
from tests.chaos.scene import NODES, Scene
from tests.chaos.screen import Face
from tests.chaos.verb import JOURNAL, LINK, SIGNALS, Verb
from tests.real.conftest import SERVE
from tests.real.package_index import build_line, package_index

IMAGE, CONTAINER, PORT = "vllm-node:latest", "vllm_node", 8888
PROMPTS = 60
SERVER = r"[v]llm serve|VLLM::|EngineCore"
RAY = ("GCS killed", "raylet killed", "container removed")
OTHERS = ("another stops all", "another stops the server")
ENGINE = ("engine killed", "engine stopped", "frozen for 10 s", "operator gone for 60 s")


def image(scene: Scene) -> None:
    """The image with Ray and vLLM on both nodes: built once, then copied."""
    if IMAGE not in truth.images(scene.bed, 1):
        with package_index(scene.bed) as url:
            scene.must("--yes", *build_line(url).split(), timeout=1500)
    if IMAGE not in truth.images(scene.bed, 2):
        scene.must("--yes", "image", "copy", "--to", "all", timeout=900)


# --- a cluster


def _launched(scene: Scene) -> None:
    """A cluster in which nothing serves."""
    image(scene)
    if not truth.readable(partial(cluster, scene)):
        scene.must("--yes", "launch", timeout=400)
    elif scene.bed.processes(1, SERVER):
        scene.must("--yes", "serve", "stop")


def _ray_nodes(scene: Scene) -> int:
    """How many nodes Ray says are alive; 0 where there is no Ray."""
    ask = (
        "import ray; ray.init(address='auto', log_to_driver=False, logging_level='error');"
        "print('alive', sum(n['Alive'] for n in ray.nodes()))"
    )
    said = scene.bed.exec(1, "docker", "exec", CONTAINER, "python3", "-c", ask, check=False, timeout=60)
    found = re.search(r"alive (\d+)", said)
    return int(found[1]) if found else 0


def cluster(scene: Scene) -> bool:
    """A container on each node, and both of them in Ray."""
    for index in NODES:
        truth.images(scene.bed, index)  # its engine answers
    return all(CONTAINER in scene.bed.containers(i) for i in NODES) and _ray_nodes(scene) == len(NODES)


def _started_at(scene: Scene, index: int) -> str:
    """When the node's container was started, as its engine has it."""
    words = ("docker", "inspect", "--format", "{{.State.StartedAt}}", CONTAINER)
    return scene.bed.exec(index, *words, check=False, timeout=truth.PATIENCE_S).strip()


def _before_restart(scene: Scene) -> None:
    _launched(scene)
    scene.noted = _started_at(scene, 2)


def _restarted(scene: Scene) -> bool:
    return cluster(scene) and _started_at(scene, 2) not in ("", scene.noted)


# --- a server


_ASK = """import sys, urllib.request
address, body = sys.argv[1], sys.argv[2].encode() or None
asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
print(urllib.request.urlopen(asked, timeout=20).read().decode())"""


def _asked(scene: Scene, path: str, body: str = "") -> str:
    """What the server says, asked on its own node; empty where it does not answer."""
    words = ("python3", "-Ic", _ASK, f"http://127.0.0.1:{PORT}{path}", body)
    return scene.bed.exec(1, *words, check=False, timeout=40)


def completes(scene: Scene) -> bool:
    """The server writes a token."""
    if scene.bed.pid(1) is None:
        raise RuntimeError("node 1 is off")
    body = json.dumps({"model": "tiny", "prompt": "Hello", "max_tokens": 1})
    return '"choices"' in _asked(scene, "/v1/completions", body)


def _served(scene: Scene) -> None:
    if truth.readable(partial(cluster, scene)) and completes(scene):
        return
    _launched(scene)
    scene.must("--yes", *SERVE.split(), timeout=500)


def _server_starts(scene: Scene, _: Face) -> bool:
    return bool(scene.bed.processes(1, SERVER))


def _no_server(scene: Scene) -> bool:
    if scene.bed.pid(1) is None:
        raise RuntimeError("node 1 is off")
    return not scene.bed.processes(1, SERVER) and str(PORT) not in scene.bed.listening(1)


def _answered(scene: Scene) -> int:
    """Requests that the server has answered, as it counts them itself."""
    counts = re.findall(r"^vllm:request_success_total\{.*\} ([\d.e+]+)$", _asked(scene, "/metrics"), re.M)
    return int(sum(map(float, counts)))


def _before_bench(scene: Scene) -> None:
    _served(scene)
    scene.noted = str(_answered(scene))


def _measured(scene: Scene) -> bool:
    if scene.bed.pid(1) is None:
        raise RuntimeError("node 1 is off")
    return _answered(scene) >= int(scene.noted) + PROMPTS


def _measuring(scene: Scene, _: Face) -> bool:
    return bool(scene.bed.processes(1, r"vllm bench serve|[b]ench"))


def _kept(scene: Scene, console: Face) -> bool:
    return console.spoke and completes(scene)


def _words(*words: str) -> Callable[[Scene], tuple[str, ...]]:
    return lambda _: words


BENCH = ("bench", "run", "--num-prompts", str(PROMPTS), "--input-len", "64", "--output-len", "32")
_LAUNCH = ("container", "port", "process", "file")
SERVING = (
    Verb(
        "launch", _words("--yes", "launch"), cluster,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, *RAY, *ENGINE, "data disk full", "fabric cut", "two consoles",
         "another stops all"),
        image, spread_s=15.0, limit_s=330.0, leaves=_LAUNCH,
    ),
    Verb(
        "launch, its head", _words("--yes", "launch"), cluster, (*LINK, *RAY, *ENGINE), image, node=1,
        spread_s=15.0, limit_s=330.0, leaves=_LAUNCH,
    ),
    Verb(
        "node restart", lambda s: ("--yes", "node", "restart", s.name(2)), _restarted,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, *RAY, *ENGINE, "two consoles", "another stops all"),
        _before_restart,
        spread_s=12.0, limit_s=330.0, needs="cluster", leaves=_LAUNCH,
    ),
    Verb(
        "serve", _words("--yes", *SERVE.split()), completes,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, *RAY, *ENGINE, "server killed", "two consoles", *OTHERS),
        _launched, _server_starts, node=1, spread_s=30.0, limit_s=400.0, needs="cluster", leaves=_LAUNCH,
    ),
    Verb(
        "serve, its worker", _words("--yes", *SERVE.split()), completes, (*LINK, "raylet killed", *ENGINE),
        _launched, _server_starts, node=2, spread_s=30.0, limit_s=400.0, needs="cluster", leaves=_LAUNCH,
    ),
    Verb(
        "serve stop", _words("--yes", "serve", "stop"), _no_server,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, *ENGINE, "server killed", "two consoles"), _served, node=1,
        spread_s=3.0, needs="server", leaves=("container", "port"),
    ),
    Verb(
        "serve keep", _words("--yes", "serve", "keep", "--every", "2", "--misses", "2"), completes,
        ("nothing", "server killed", "session killed", "sshd restarted", "management blip",
         "operator gone for 20 s", "frozen for 10 s", *JOURNAL),
        _served, _kept, node=1, spread_s=5.0, limit_s=240.0, needs="server", leaves=_LAUNCH, lasts=True,
    ),
    Verb(
        "bench run", _words("--yes", *BENCH), _measured,
        ("nothing", *LINK, *SIGNALS, *JOURNAL, *ENGINE, "server killed", "GCS killed", *OTHERS),
        _before_bench, _measuring, node=1, spread_s=10.0, limit_s=240.0, needs="server", leaves=_LAUNCH,
    ),
)  # fmt: skip
