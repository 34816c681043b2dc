"""Nodes that answer as machines do, as far as launching goes: docker keeps containers, Ray keeps members."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiohttp import web

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.ray import RayMember
from sparkconsole.remote.shell import Completed, Endpoint, Pipe, Shell

Answer = tuple[int | None, str, str]


@dataclass
class PretendNode:
    """One machine. Faults are what docker run `refuses` with, the log a container `dies` with."""

    name: str
    address: str = ""
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)
    listening: set[int] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    lives: int = 0
    """How many containers were started here: Ray gives each an id of its own."""
    has_ray: bool = True
    free: int = 900_000_000_000
    """Bytes of disk."""
    models: str = ""
    """What its python3 prints about a model's headers; empty: it has no python3."""
    refuses: str = ""
    dies: str = ""
    lost: bool = False
    ends_unseen: str = ""
    """The name of a script during which the connection goes."""
    on_run: Callable[[], None] = lambda: None
    extra: dict[str, Answer] = field(default_factory=dict)
    """Answers to more scripts, by their name."""

    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the engine's API says of each image."""
    serving: list[tuple[int, str, str]] = field(default_factory=list)
    """Servers in the container: process group, words, job."""
    paths: set[str] = field(default_factory=set)
    """Files that are there in the container."""
    socket: str = ""
    hub: str = ""
    """What its login says of the Hugging Face cache, a line each."""
    frees: list[int] = field(default_factory=lambda: [120 << 20])
    """Kilobytes available, one look after the other; the last stays."""

    def answer(self, argv: tuple[str, ...]) -> Answer:
        if argv[:2] == ("sh", "-s"):
            return 0, self._facts(argv[2]), ""
        if argv[0] == "sh":
            return self._script(argv[3], argv[4:])
        if argv[0] == "python3":
            return (0, self.models, "") if self.models else (127, "", "python3: not found")
        if argv[:2] == ("docker", "run"):
            return self._docker_run(argv)
        if argv[:2] == ("docker", "exec") and argv[3:5] == ("test", "-e"):
            return (0 if argv[5] in self.paths else 1), "", ""
        if argv[:2] == ("docker", "exec") and argv[3:5] == ("sh", "-c"):
            return self._inside(argv[6], argv[7:])
        if argv[:2] == ("docker", "inspect"):
            found = self.containers.get(argv[-1])
            return (0, f"{str(found['running']).lower()}\n", "") if found else (1, "", "No such object")
        raise AssertionError(f"{self.name} does not know {argv}")

    def _script(self, name: str, args: tuple[str, ...]) -> Answer:
        if name == "hf-cache":
            return 0, f"home /home/{self.name}\n{self.hub}", ""
        if name == "folders":
            self.folders.update(args)
            return 0, "", ""
        if name == "made":
            return (0 if self.folders.issuperset(args) else 1), "", ""
        if name == "gone":
            return (1, "", "still there") if args[0] in self.containers else (0, "", "")
        if name == "remove":
            self.containers.pop(args[0], None)
            return 0, "", ""
        if name in ("log", "last-lines"):
            found = self.containers.get(args[0])
            return (0, found["log"], "") if found else (1, "", f"No such container: {args[0]}")
        if name == "launch-site":
            return 0, self._site(args[0]), ""
        if name == "memory-standing":
            free = self.frees.pop(0) if len(self.frees) > 1 else self.frees[0]
            rows = {"MemTotal": 128 << 20, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": 0}
            return 0, "".join(f"{key}: {kilobytes} kB\n" for key, kilobytes in rows.items()), ""
        if name == "still-alive":
            alive = {c["pid"] for c in self.containers.values() if c["running"]}
            return 0, "\n".join(p for p in args if int(p) in alive), ""
        if name in self.extra:
            return self.extra[name]
        if name in ("marks", "mark-put", "mark-remove", "sweep"):
            return 0, "", ""
        raise AssertionError(f"{self.name} does not know the script {name}")

    def _inside(self, name: str, args: tuple[str, ...]) -> Answer:
        """Scripts in a container: what serves there, and ending it."""
        if name in self.extra:
            return self.extra[name]
        if name == "serve-look":
            told = (
                f"process {g} {g} {w}\n" + (f"job {g} {j}.pid\n" if j else "") for g, w, j in self.serving
            )
            return 0, "".join(told), ""
        if name == "serve-stop":
            self.serving = [s for s in self.serving if str(s[0]) not in args[1:]]
            return 0, "", ""
        if name == "serve-gone":
            return (1 if {str(s[0]) for s in self.serving} & set(args[1:]) else 0), "", ""
        if name == "job-cancel":
            return 0, "", ""
        raise AssertionError(f"{self.name} does not know the script {name} in a container")

    def serve(self, *words: str, group: int = 40, job: str = "") -> None:
        """A `vllm serve WORDS` runs in the container."""
        self.serving.append(
            (group, "\x1f".join(("/opt/venv/bin/python3", "/opt/venv/bin/vllm", "serve", *words)), job)
        )

    def _docker_run(self, argv: tuple[str, ...]) -> Answer:
        if argv[-1] == "command -v ray":
            return (0, "/usr/bin/ray\n", "") if self.has_ray else (127, "", "")
        name = argv[argv.index("--name") + 1]
        if self.refuses:
            return 125, "", self.refuses
        if name in self.containers:
            return 125, "", f'Conflict. The container name "/{name}" is already in use by container "x".'
        labels = dict(w.split("=", 1) for f, w in pairwise(argv) if f == "--label")
        image = next(w for w in argv if w.startswith("vllm-node"))
        self.containers[name] = {
            "running": not self.dies,
            "log": self.dies or "started\n",
            "labels": labels,
            "image": image,
            "pid": 77,
        }
        self.lives += 1
        self.on_run()
        return 0, "0123abcd\n", ""

    def _facts(self, mark: str) -> str:
        """One cable: an RDMA device, its interface, one address."""
        address = {"family": "inet", "local": self.address, "prefixlen": 24}
        port = {"ifname": "enp1s0f1np1", "mtu": 9000, "flags": ["LOWER_UP"], "addr_info": [address]}
        sections = {
            "host": f"{self.name}\n6.11\naarch64\nann\n/home/{self.name}\n1.0\nann docker\n",
            "rdma": "port rocep1s0f1 1 enp1s0f1np1 0x1\nstate 4: ACTIVE\n",
            "ip": json.dumps([port]),
            "links": "enp1s0f1np1 9000 1\n",
            "gpu": "NVIDIA GB10, GPU-1, 3, 11.2, 35, 208, 580.95\nstatus 0\n",
            "docker": "installed\nsocket\npermitted\ninfo 28.3|overlay2|/var/lib/docker\n",
            "disk": f"docker {self.free}\nhome {self.free}\n",
            "end": "",
        }
        return "".join(f"\n{mark} {name}\n{text}" for name, text in sections.items())

    def start(self, name: str = "vllm_node", **labels: str) -> None:
        """A container that runs already."""
        self.containers[name] = {
            "running": True, "log": "old log\n", "labels": labels, "image": "vllm-node", "pid": 55,
        }  # fmt: skip

    def _site(self, name: str) -> str:
        found = self.containers.get(name)
        used = 10 if found and found["running"] else 0
        lines = [f"home /home/{self.name}", f"available {(100 - used) << 30}"]
        lines += [f"listen {port:04X}" for port in sorted(self.listening)]
        lines += [f"pid {found['pid']}"] if found and found["running"] else []
        if found is None:
            return "\n".join([*lines, "docker 1", f"[]\nError response: No such container: {name}", ""])
        entry = {
            "Name": f"/{name}",
            "Image": "sha256:1",
            "State": {"Running": found["running"], "ExitCode": 0 if found["running"] else 1},
            "Config": {"Image": found["image"], "Labels": found["labels"]},
        }
        return "\n".join([*lines, "docker 0", json.dumps([entry]), ""])


class PretendShell:
    """The Shell of one pretend node."""

    def __init__(self, machine: PretendNode) -> None:
        self.machine, self.node = machine, machine.name

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 30.0,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        await asyncio.sleep(0)
        if self.machine.lost:
            raise Unreachable("no route to it", node=self.node)
        self.machine.ran.append(tuple(argv))
        self.machine.secrets.update(secrets or {})
        if self.machine.ends_unseen and self.machine.ends_unseen in argv:
            return Completed(self.node, tuple(argv), None, b"", b"")
        status, out, err = self.machine.answer(tuple(argv))
        return Completed(self.node, tuple(argv), status, out.encode(), err.encode())

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        raise AssertionError("not needed")

    async def open_socket(self, target: str) -> Endpoint:
        if self.machine.lost:
            raise Unreachable("no route to it", node=self.node)
        if target.endswith("docker.sock") and self.machine.socket:
            return Endpoint(path=self.machine.socket)
        raise SparkError("nothing answers there", node=self.node)

    async def aclose(self) -> None:
        return None


def image(layer: str = "sha256:aa", **labels: str) -> dict[str, Any]:
    """What the engine says of an image."""
    return {
        "Id": "sha256:1",
        "Os": "linux",
        "Architecture": "arm64",
        "RootFS": {"Layers": [layer]},
        "Config": {"Labels": {"org.sparkconsole.ray": "2.60.0", **labels}},
    }


@asynccontextmanager
async def _engine(node: PretendNode) -> AsyncIterator[None]:
    async def answer(request: web.Request) -> web.Response:
        kind, _, rest = re.sub(r"^/v[0-9.]+", "", request.path).strip("/").partition("/")
        name, _, what = rest.rpartition("/")
        if kind == "version":
            return web.json_response({"ApiVersion": "1.41", "Version": "20.10.24"})
        known = node.images.get(name) if kind == "images" else node.containers.get(name)
        if known is None:
            return web.json_response({"message": f"No such {kind[:-1]}: {name}"}, status=404)
        if what == "logs":
            return web.Response(text=known["stamped"])
        container = {"Name": f"/{name}", "Id": "c1", "State": {"Status": "running"}, "Config": {"Tty": True}}
        return web.json_response(known if kind == "images" else container)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, node.socket).start()
    try:
        yield
    finally:
        await runner.cleanup()


class PretendCluster:
    """N nodes, the fleet over them, and Ray's list: whoever's container runs is a member."""

    def __init__(self, *names: str) -> None:
        self.nodes = {n: PretendNode(n, f"192.168.177.{11 + i}") for i, n in enumerate(names)}
        self.cluster = Cluster(nodes=tuple(Node(name=n.name, address=n.address) for n in self.nodes.values()))
        self.absent: set[str] = set()
        """Nodes whose Ray never joins."""

    def fleet(self) -> Fleet:
        async def connect(node: Node) -> Shell:
            if self.nodes[node.name].lost:
                raise Unreachable("no route to it", node=node.name)
            return PretendShell(self.nodes[node.name])

        return Fleet(self.cluster, connect)

    @property
    def running(self) -> set[str]:
        return {n.name for n in self.nodes.values() if any(c["running"] for c in n.containers.values())}

    @property
    def left(self) -> set[str]:
        return {n.name for n in self.nodes.values() if n.containers}

    async def members(self, shell: Shell, port: int) -> tuple[RayMember, ...]:
        if shell.node not in self.running:
            raise SparkError("nothing answers on 127.0.0.1:8265")
        here = self.running - self.absent
        return tuple(
            RayMember(f"{n.name}-{n.lives}", n.address, alive=True, gpus=1)
            for n in self.nodes.values()
            if n.name in here
        )

    @asynccontextmanager
    async def engines(self, folder: Path) -> AsyncIterator[None]:
        """Each node's Docker API on a socket of its own."""
        async with AsyncExitStack() as stack:
            for node in self.nodes.values():
                node.images.setdefault("vllm-node", image())
                node.socket = str(folder / f"{node.name}.sock")
                await stack.enter_async_context(_engine(node))
            yield
