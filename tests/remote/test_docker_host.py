"""Where a node's engine listens: asked as docker itself would decide it, one answer for API and commands."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from sparkconsole.errors import SparkError
from sparkconsole.model.checks.evidence import ClusterEvidence, Look
from sparkconsole.model.checks.machine import docker as judged
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.docker_host import DEFAULT_HOST, DockerHost, found_at
from sparkconsole.model.foresight.forecast import NodeForecast
from sparkconsole.model.probes import Probe
from sparkconsole.model.transfer.ends import Receiver
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.parse.image.docker import parse_docker_host
from sparkconsole.remote import jobs
from sparkconsole.remote.docker.engine import containers
from sparkconsole.remote.docker.host import docker_host, keep_docker_host_at
from sparkconsole.remote.foreseen_shell import ForeseenShell
from sparkconsole.remote.image.transfer import FULL_STREAM
from sparkconsole.remote.image_program.engine import Engine
from sparkconsole.remote.image_program.sending import far_argv, far_environment
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.node.facts import node_facts
from sparkconsole.remote.node.site import copy_site
from sparkconsole.remote.shell import Shell
from sparkconsole.remote.ssh.connection import connect_ssh
from tests.openssh import NEEDS_SSHD, listening

STARTS = {
    "bash": (".bashrc", "export {}={}\n"),
    "zsh": (".zshrc", "export {}={}\n"),
    "dash": (".profile", "export {}={}\n"),
    "fish": (".config/fish/config.fish", "set -gx {} {}\n"),
    "tcsh": (".cshrc", "setenv {} {}\n"),
}
NO_DOCKER = pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker command")


@dataclass
class Answering:
    """A tiny engine at a socket and at a port; `asked`: the paths of the questions."""

    path: str
    port: int
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.split("/", 2)[2] if request.path.startswith("/v1.") else request.path.lstrip("/")
        self.asked.append(path)
        said = {"version": {"ApiVersion": "1.41", "Version": "20.10.24"}, "_ping": {}, "info": INFO}
        body = json.dumps(said.get(path, [])).encode()
        headers = {"Content-Type": "application/json", "Api-Version": "1.41"}
        return web.Response(body=body, headers=headers)


INFO = {"ServerVersion": "20.10.24", "Driver": "overlay2", "DockerRootDir": "/d", "Architecture": "aarch64"}


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Answering]:
    found = Answering(str(tmp_path / "e.sock"), 0)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, found.path).start()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[-1][1]
    yield found
    await runner.cleanup()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOST", "CONTEXT", "CONFIG", "TLS", "TLS_VERIFY", "CERT_PATH"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    monkeypatch.setenv("SHELL", "/bin/sh")
    return Path.home()


async def told(shell: Shell) -> str:
    """What a command of the connection has for DOCKER_HOST, once docker was spoken of."""
    await shell.run(("true", "docker"))
    return (await shell.run(("sh", "-c", 'echo "${DOCKER_HOST:-}"'))).text.strip()


async def test_who_says_nothing_has_the_usual_engine_and_is_told_nothing() -> None:
    shell = LocalShell("a")
    assert await docker_host(shell) == DockerHost(DEFAULT_HOST)
    assert await told(shell) == ""


@pytest.mark.parametrize("name", STARTS)
async def test_what_a_login_shell_exports_is_where_all_of_it_goes(
    home: Path, monkeypatch: pytest.MonkeyPatch, engine: Answering, name: str
) -> None:
    if (program := shutil.which(name)) is None:
        pytest.skip(f"there is no {name}")
    file, line = STARTS[name]
    path = home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "echo welcome DOCKER_HOST=nonsense\n" + line.format("DOCKER_HOST", f"unix://{engine.path}")
    )
    monkeypatch.setenv("SHELL", program)
    shell = LocalShell("a")
    assert await containers(shell) == ()
    assert engine.asked[-1] == "containers/json"
    assert await told(shell) == f"unix://{engine.path}"


@pytest.mark.parametrize("way", ["socket", "port"])
async def test_the_environment_names_a_socket_or_a_port(
    monkeypatch: pytest.MonkeyPatch, engine: Answering, way: str
) -> None:
    host = f"unix://{engine.path}" if way == "socket" else f"tcp://127.0.0.1:{engine.port}"
    monkeypatch.setenv("DOCKER_HOST", host)
    shell = LocalShell("a")
    assert await containers(shell) == ()
    assert engine.asked[-1] == "containers/json"
    assert await containers(ForeseenShell(shell, NodeForecast("a"))) == (), "no server of ours has that port"
    told = await asyncio.to_thread(Engine().ask, "GET", "/info")
    assert told["Driver"] == "overlay2", "the program of a copy asks there too"


@NO_DOCKER
@pytest.mark.parametrize("chosen", ["used", "by variable"])
async def test_a_docker_context_is_followed(
    home: Path, monkeypatch: pytest.MonkeyPatch, engine: Answering, chosen: str
) -> None:
    subprocess.run(  # noqa: ASYNC221
        ["docker", "context", "create", "mine", "--docker", f"host=unix://{engine.path}"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    if chosen == "used":
        subprocess.run(["docker", "context", "use", "mine"], check=True, capture_output=True, timeout=60)  # noqa: ASYNC221
    else:
        (home / ".bashrc").write_text("export DOCKER_CONTEXT=mine\n")
        monkeypatch.setenv("SHELL", shutil.which("bash") or "/bin/sh")
    shell = LocalShell("a")
    assert await containers(shell) == ()
    assert await told(shell) == f"unix://{engine.path}"
    standing = (await node_facts(shell, asked=(Probe.DOCKER,))).docker
    assert (standing.running, standing.permitted, standing.version) == (True, True, "20.10.24")


@NO_DOCKER
async def test_a_context_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(SparkError, match="gone") as no:
        await containers(LocalShell("spark-02"))
    assert (no.value.node, "docker context" in no.value.hint) == ("spark-02", True)


@NEEDS_SSHD
async def test_over_a_real_connection_api_commands_and_pipes_mean_the_same_engine(
    tmp_path: Path, engine: Answering
) -> None:
    (tmp_path / ".bashrc").write_text(f"echo welcome\nexport DOCKER_HOST=unix://{engine.path}\n")
    with listening(tmp_path) as sshd:
        shell = await connect_ssh(sshd.enter(shutil.which("bash") or "/bin/sh", tmp_path))
        try:
            assert await containers(shell) == ()
            assert await told(shell) == f"unix://{engine.path}"
            pipe = await shell.pipe(("sh", "-c", "printenv DOCKER_HOST"))
            assert await pipe.read() == f"unix://{engine.path}\n".encode()
        finally:
            await shell.aclose()


async def test_cluster_toml_wins_and_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, engine: Answering
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    shell = LocalShell("a")
    keep_docker_host_at(shell, f"unix://{engine.path}")
    assert await containers(shell) == ()
    assert await told(shell) == f"unix://{engine.path}"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("DOCKER_HOST=ssh://me:secret@spark-03", "'ssh://spark-03', which the console cannot do"),
        ("DOCKER_HOST=npipe:////./pipe/docker_engine", "npipe"),
        ("DOCKER_HOST=fd://", "cannot do"),
        ("DOCKER_HOST=tcp://h:2376\nDOCKER_TLS_VERIFY=1", "tcp://h:2376 with TLS certificates"),
        ("context far tcp://h:2376 1", "with TLS certificates"),
        ("context far ssh://me@h 0", "'ssh://h'"),
        ("DOCKER_HOST=tcp://h:99999", "no address of an engine"),
        ("DOCKER_HOST=unix://relative", "no address of an engine"),
    ],
)
async def test_what_cannot_be_used_is_one_sentence(said: str, why: str) -> None:
    found = parse_docker_host(said)
    assert why in found.refused
    assert "secret" not in found.refused
    assert "docker_host" in found.remedy
    assert found.environment == {}, "the docker command there goes on as it does for its owner"


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("tcp://:2375", "127.0.0.1:2375"),
        ("tcp://10.0.0.1", "10.0.0.1:2375"),
        ("10.0.0.1:4000", "10.0.0.1:4000"),
        ("tcp://[::1]:2375/", "::1:2375"),
        ("http://localhost:2375", "localhost:2375"),
        ("unix://", "/var/run/docker.sock"),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
    ],
)
def test_addresses_mean_what_they_mean_to_the_docker_command(said: str, target: str) -> None:
    assert found_at(said).target == target


def test_only_a_rootless_socket_is_taken_where_there_is_no_other() -> None:
    found = parse_docker_host(
        "HOME=/h\ncontext default unix:///var/run/docker.sock 0\nrootless /run/user/7/docker.sock"
    )
    assert (found.socket, found.named) == ("/run/user/7/docker.sock", True)


async def test_the_doctor_says_which_socket_it_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    shell = LocalShell("a")
    facts = await node_facts(shell, asked=(Probe.DOCKER,))
    (finding,) = (
        judged(ClusterEvidence(Cluster(), "i", "c", {}), "a", Look(facts))
        if facts.docker.installed
        else (None,)
    )
    assert finding is None or f"no docker engine answers at unix://{tmp_path}/none.sock" in finding.sentence
    with pytest.raises(SparkError, match=r"none\.sock|not installed"):
        await containers(shell)


async def test_a_detached_job_inherits_it(engine: Answering) -> None:
    shell = LocalShell("a")
    keep_docker_host_at(shell, f"unix://{engine.path}")
    job = Job(id="j1", node="a", kind=JobKind.BUILD, argv=("sh", "-c", 'echo "at $DOCKER_HOST"', "docker"))
    await jobs.start(shell, job, {})
    async with asyncio.timeout(20):
        assert [c async for c in jobs.output(shell, job, 0)] == [f"at unix://{engine.path}\n".encode()]
    await jobs.forget(shell, job)


async def test_the_receiving_end_of_a_copy_means_the_same_engine(engine: Answering) -> None:
    shell = LocalShell("a")
    keep_docker_host_at(shell, f"unix://{engine.path}")
    seen = await copy_site(shell)
    assert seen.docker_host == f"unix://{engine.path}"
    there = Receiver("b", "10.0.0.2", docker_host="unix:///a b")
    assert FULL_STREAM.argv("x", there)[-4:] == ("env", "DOCKER_HOST='unix:///a b'", "docker", "load")
    assert FULL_STREAM.argv("x", Receiver("b", "10.0.0.2"))[-2:] == ("docker", "load")
    before = far_environment({"docker_host": "unix:///a b"})
    assert far_argv(["ssh", "b"], 1, "/f", {}, before)[-1].startswith("env DOCKER_HOST='unix:///a b' python3")


@pytest.mark.parametrize("value", ["ssh://h", "relative", "unix://x", "", "tcp://h:0", "tcp://h\n:1"])
def test_what_is_no_engine_is_refused_in_cluster_toml(value: str) -> None:
    with pytest.raises(ValueError, match="docker_host"):
        Node(name="a", address="a", docker_host=value)
