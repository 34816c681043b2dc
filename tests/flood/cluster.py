"""Four nodes on this machine's loopback, each with an sshd of its own; the first floods in a way."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.flood.ways import BAD, NAMES, Way

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
ROOT = Path(__file__).resolve().parents[2]
_COMMAND = """#!/bin/sh
export HOME={home} PATH={home}/bin:/usr/local/bin:/usr/bin:/bin
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""
_DOCKER = r"""case $1 in
exec) printf 'process 40 40 vllm\037serve\037m\037--port\0378888\n';;
*) PATH=/usr/local/bin:/usr/bin:/bin exec docker "$@";;
esac
"""
_SSHD = """{more}ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/keys
StrictModes no
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
ForceCommand {folder}/command
"""


@dataclass
class Flooded:
    """Where the console's configuration is, and what it is given as its environment."""

    home: Path
    environment: Mapping[str, str]


def _script(path: Path, text: str) -> None:
    path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def listening(
    argv: list[str], log: Path, word: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """A process that leads a group and has said the word; it is ended with its group."""
    with log.open("wb") as out:
        started = await asyncio.create_subprocess_exec(
            *argv, start_new_session=True, stdout=out, stderr=out, cwd=ROOT, env=environment
        )
    try:
        async with asyncio.timeout(20):
            while word not in await asyncio.to_thread(log.read_text):
                assert started.returncode is None, f"see {log}"
                await asyncio.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        await started.wait()


def _made(folder: Path, way: Way, port: int) -> list[str]:
    """Writes what a node has, and returns the words that start its sshd."""
    home = folder / "home"
    (home / "bin").mkdir(parents=True)
    (folder / "command").write_text(_COMMAND.format(home=home))
    (folder / "command").chmod(0o755)
    for name, text in {"docker": _DOCKER, **way.programs}.items():
        if name == "sh-s":
            text = f'case $1 in -s) {text};; esac\nexec /bin/sh "$@"'  # noqa: PLW2901 - the same program, asked
        _script(home / "bin" / name.partition("-")[0], text)
    (folder / "banner").write_text("so much to say\n" * (1 << 16))
    more = way.sshd.format(folder=folder)
    (folder / "config").write_text(_SSHD.format(folder=folder, port=port, more=more))
    return [str(SSHD), "-D", "-e", "-f", str(folder / "config")]


def _key(path: Path) -> str:
    """A key pair's public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=20)
    return path.with_suffix(".pub").read_text()


Front = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _pour(writer: asyncio.StreamWriter, first: bytes, piece: bytes) -> None:
    with contextlib.suppress(OSError):
        writer.write(first)
        while True:
            writer.write(piece)
            await writer.drain()
    writer.close()


async def _banner(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _pour(writer, b"SSH-2.0-", b"a" * 65536)


async def _words(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _pour(writer, b"", b"not yet\r\n" * 7000)


async def _hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


FRONTS: Mapping[str, Front] = {"banner": _banner, "words": _words, "hangs up": _hangs_up}


@asynccontextmanager
async def flooded(folder: Path, way: Way, *, apis: bool = True) -> AsyncIterator[Flooded]:
    """The nodes and their services, listening; everything is ended afterwards.

    `apis`: with Ray and vLLM, whose ports are the same in every cluster.
    """
    home = folder / "me"
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    (home / ".config/sparkconsole").mkdir(parents=True)
    mine = _key(home / ".ssh/id_ed25519")
    rows, known = [], []
    async with AsyncExitStack() as stack:
        for name in NAMES:
            own, port = folder / name, free_port()
            own.mkdir()
            words = _made(own, way if name == BAD else Way(""), port)
            (own / "keys").write_text(mine)
            known.append(f"[127.0.0.1]:{port} {_key(own / 'host')}")
            engine = f'docker_host = "unix://{folder}/{name}.sock"'
            rows.append(f'  {{name = "{name}", address = "127.0.0.1:{port}", {engine}}},\n')
            if name == BAD and way.front:
                server = await asyncio.start_server(FRONTS[way.front], "127.0.0.1", port)
                stack.callback(server.close)
                continue
            await stack.enter_async_context(listening(words, own / "log", "listening"))
        (home / ".ssh/known_hosts").write_text("".join(known))
        toml = f'[clusters.c]\nuser = "{getpass.getuser()}"\nnodes = [\n{"".join(rows)}]\n'
        (home / ".config/sparkconsole/cluster.toml").write_text(toml)
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT), "COLUMNS": "120", "LINES": "40",
        }  # fmt: skip
        floods = [*(["apis=all"] if apis else []), *(f"{part}={kind}" for part, kind in way.services.items())]
        words = [sys.executable, "-m", "tests.flood.services", str(folder), ",".join(NAMES), *floods]
        await stack.enter_async_context(listening(words, folder / "services", "listening", environment))
        yield Flooded(home, environment)
