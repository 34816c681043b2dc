"""Docker's own API over the node's connection; no port is opened and no text is guessed at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from sparkconsole.errors import SparkError, TimedOut
from sparkconsole.model.docker import Container, EngineFacts, ImageIdentity
from sparkconsole.parse.docker_api import container_from, engine_from, image_from
from sparkconsole.remote.lines import LineReader
from sparkconsole.remote.shell import Shell

SOCKET = "/var/run/docker.sock"
TIMEOUT_S = 20.0
_WHY = """
command -v docker >/dev/null || echo missing
[ -S "$1" ] || echo stopped
[ -w "$1" ] || echo closed
id -un
"""


async def containers(shell: Shell, *, every: bool = True) -> tuple[Container, ...]:
    """The node's containers; `every`: those that do not run too."""
    async with _docker(shell) as docker:
        found = [await _shown(c) for c in await docker.containers.list(all=every)]
    return tuple(container_from(data) for data in found if data)


async def container(shell: Shell, name: str) -> Container | None:
    """The container of exactly that name; None when there is none."""
    async with _docker(shell) as docker:
        data = await _or_none(docker.containers.get(name))
    # The engine also answers to the beginning of an id: only the name counts.
    found = container_from(data._container) if data is not None else None
    return found if found is not None and found.name == name else None


async def remove_container(shell: Shell, name: str, *, grace_s: int = 10) -> bool:
    """Stops and removes the container of that name; False when there was none. Read back."""
    found = await container(shell, name)
    if found is None:
        return False
    async with _docker(shell, timeout=TIMEOUT_S + grace_s) as docker:
        handle = docker.containers.container(found.id)
        await handle.stop(t=grace_s)
        await _or_none(handle.delete(force=True, v=True))
    if await container(shell, name) is not None:
        raise SparkError(
            f"the container {name} is still there", hint="docker rm -f it by hand", node=shell.node
        )
    return True


async def container_log(
    shell: Shell, name: str, *, follow: bool = False, since: str | None = None, tail: int | None = None
) -> AsyncIterator[tuple[str, str]]:
    """(RFC 3339 timestamp, line) of a container's output and errors, oldest first."""
    options: dict[str, Any] = {"tail": tail} if tail is not None else {}
    if since is not None:
        options["since"] = since
    async with _docker(shell, timeout=None) as docker:
        handle = docker.containers.container(name)
        reader = LineReader()
        if follow:
            async for chunk in handle.log(stdout=True, stderr=True, follow=True, timestamps=True, **options):
                for line in reader.feed(chunk.encode()):
                    yield _stamped(line)
        else:
            chunks = await handle.log(stdout=True, stderr=True, follow=False, timestamps=True, **options)
            for line in reader.feed("".join(chunks).encode(), final=True):
                yield _stamped(line)


async def image(shell: Shell, tag: str) -> ImageIdentity | None:
    """The image of that name; None when the node does not have it."""
    async with _docker(shell) as docker:
        data = await _or_none(docker.images.inspect(tag))
    return image_from(data, tag) if data is not None else None


async def images(shell: Shell) -> tuple[ImageIdentity, ...]:
    """Every tagged image, once per tag."""
    async with _docker(shell) as docker:
        tags = [
            t for i in await docker.images.list() for t in i.get("RepoTags") or () if t != "<none>:<none>"
        ]
        found = [(t, await _or_none(docker.images.inspect(t))) for t in tags]
    return tuple(image_from(data, tag) for tag, data in found if data is not None)


async def engine(shell: Shell) -> EngineFacts:
    """The engine itself."""
    async with _docker(shell) as docker:
        return engine_from(await docker.system.info())


def _stamped(line: str) -> tuple[str, str]:
    stamp, _, text = line.partition(" ")
    return stamp, text


async def _shown(found: Any) -> dict[str, Any] | None:
    """A container may be gone between the list and the look."""
    shown: dict[str, Any] | None = await _or_none(found.show())
    return shown


async def _or_none(question: Any) -> Any:
    try:
        return await question
    except DockerError as error:
        if error.status == 404:
            return None
        raise


@asynccontextmanager
async def _docker(shell: Shell, timeout: float | None = TIMEOUT_S) -> AsyncIterator[aiodocker.Docker]:
    endpoint = await shell.open_socket(SOCKET)
    session = aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(endpoint.path),
        timeout=aiohttp.ClientTimeout(total=timeout, connect=10),
    )
    try:
        async with aiodocker.Docker(url=f"unix://{endpoint.path}", session=session) as docker:
            yield docker
    except TimeoutError as error:
        raise TimedOut(
            "docker did not answer in time", hint="is the machine out of memory?", node=shell.node
        ) from error
    except DockerError as error:
        if error.status in (None, 900) or "Cannot connect" in str(error.message):
            raise await why_not(shell) from error
        raise SparkError(f"docker says: {error.message}", node=shell.node) from error
    except (aiohttp.ClientError, OSError) as error:
        raise await why_not(shell) from error
    finally:
        await session.close()


async def why_not(shell: Shell) -> SparkError:
    """Why Docker cannot be talked to: absent, not running, or not permitted; found out on the node."""
    said = (await shell.run(("sh", "-c", _WHY, "docker-why", SOCKET), timeout=10)).text.split()
    user = said[-1] if said else "this user"
    if "missing" in said:
        return SparkError(
            "docker is not installed", hint="DGX OS has it: sudo apt install docker.io", node=shell.node
        )
    if "stopped" in said:
        return SparkError("docker does not run", hint="sudo systemctl start docker", node=shell.node)
    if "closed" in said:
        return SparkError(
            f"docker may not be used by {user}",
            hint=f"sudo usermod -aG docker {user}, then log in again",
            node=shell.node,
        )
    return SparkError("docker does not answer", hint="sudo systemctl status docker", node=shell.node)
