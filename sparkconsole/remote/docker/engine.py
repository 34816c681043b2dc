"""Docker's own API over the node's connection; no port is opened and no text is guessed at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from sparkconsole.errors import OddEngine, SilentEngine, SparkError, TooMuch
from sparkconsole.model.docker import Container, DiskUsage, ImageIdentity
from sparkconsole.model.docker_host import ENGINE_S, where_to_look
from sparkconsole.parse.image.docker import container_from, digest_from, image_from, names_from, usage_from
from sparkconsole.parse.values import plain_name
from sparkconsole.remote.docker.host import docker_host, usable_docker_host
from sparkconsole.remote.docker.log_frames import LogFrames, api_time
from sparkconsole.remote.foreseen_shell import now_on, then_on
from sparkconsole.remote.http import BoundedResponse
from sparkconsole.remote.shell import Endpoint, Shell

_USAGE = "system/df?type=image&type=build-cache&verbose=1"
"""Each engine minds the words that it knows."""
MOST_LISTED = 2000
"""Containers, or images, of one engine: each is asked for by itself."""
USAGE_TIMEOUT_S = 60.0
"""It is counted up when it is asked for."""
REGISTRY_TIMEOUT_S = 10.0
"""The engine asks a registry, which may be far away or not there."""
_FREE = """df -PB1 -- "$1" | awk 'NR > 1 {print $4}'"""
_WHY = """
command -v docker >/dev/null || echo missing
[ -S "$1" ] || echo stopped
[ -w "$1" ] || echo closed
id -un
"""


async def containers(shell: Shell) -> tuple[Container, ...]:
    """The node's containers, those that do not run too."""
    async with _docker(shell) as docker:
        found = [await _shown(c) for c in _few(await docker.containers.list(all=True))]
    return then_on(shell).containers(container_from(data) for data in found if data)


async def outline(shell: Shell) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words that change when a container or a tagged image does: two questions, however many there are."""
    async with _docker(shell) as docker:
        containers = [c._container for c in _few(await docker.containers.list(all=True))]
        images = _few(await docker.images.list())
    # A container that was started again is the same one; only its age says so.
    states = (
        f"{c.get('Id')} {c.get('Names')} {c.get('State')} {'second' in str(c.get('Status'))}"
        for c in containers
    )
    tagged = (f"{i.get('Id')} {i['RepoTags']}" for i in images if i.get("RepoTags"))
    return tuple(sorted(states)), tuple(sorted(tagged))


async def container(shell: Shell, name: str) -> Container | None:
    """The container of exactly that name; None when there is none."""
    async with _docker(shell) as docker:
        data = await _or_none(docker.containers.get(name))
    # The engine also answers to the beginning of an id: only the name counts.
    found = container_from(data._container) if data is not None else None
    present = (found,) if found is not None and found.name == name else ()
    return next((c for c in then_on(shell).containers(present) if c.name == name), None)


async def container_log(
    shell: Shell, name: str, *, follow: bool = False, since: str | None = None, tail: int | None = None
) -> AsyncIterator[tuple[str, str]]:
    """(RFC 3339 timestamp, line) of a container's output and errors, oldest first.

    `since`: seconds since 1970 or RFC 3339, inclusive. It ends when the container does; SparkError when it
    was cut off, Unreachable when the connection was.
    """
    async with _docker(shell, endless=True) as docker:
        shown = (await docker.containers.get(name))._container
        frames = LogFrames(raw=bool((shown.get("Config") or {}).get("Tty")))
        url = f"{_base(docker)}/containers/{quote(name, safe='')}/logs"
        # aiodocker would drop broken bytes, mix both streams and take a lost connection for the end.
        async with docker.session.get(url, params=_log_words(follow, since, tail)) as response:
            if response.status != 200:
                answer = await response.json(content_type=None)
                raise SparkError(f"docker says: {answer.get('message', answer)}", node=shell.node)
            async for chunk in response.content.iter_any():
                for line in frames.feed(chunk):
                    yield line
        for line in frames.end():
            yield line


def _log_words(follow: bool, since: str | None, tail: int | None) -> dict[str, str]:
    words = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": str(int(follow))}
    if tail is not None:
        words["tail"] = str(tail)
    if since is not None:
        words["since"] = api_time(since)
    return words


async def image(shell: Shell, tag: str) -> ImageIdentity | None:
    """The image of that name; None when the node does not have it."""
    async with _docker(shell) as docker:
        data = await _or_none(docker.images.inspect(tag))
    return then_on(shell).image(tag, image_from(data, tag) if data is not None else None)


async def images(shell: Shell) -> tuple[ImageIdentity, ...]:
    """Every tagged image, once per tag."""
    async with _docker(shell) as docker:
        tags = [t for i in await docker.images.list() for t in i.get("RepoTags") or ()]
        found = [(t, await _or_none(docker.images.inspect(t))) for t in _few(tags) if t != "<none>:<none>"]
    there = (image_from(data, tag) for tag, data in found if data is not None)
    return tuple(i for i in then_on(shell).images(there) if i.tag)


async def every_image(shell: Shell) -> tuple[ImageIdentity, ...]:
    """Every image, once per tag; one without a tag under its digest, one without any name under none."""
    async with _docker(shell) as docker:
        named = [(name, str(i["Id"])) for i in await docker.images.list() for name in names_from(i)]
        found = [(name, await _or_none(docker.images.inspect(name or i))) for name, i in _few(named)]
    return then_on(shell).images(image_from(data, name) for name, data in found if data is not None)


async def digest_in_registry(shell: Shell, name: str) -> str:
    """What its registry has under that name now, asked by the node's engine; nothing is pulled."""
    async with _docker(shell, timeout=REGISTRY_TIMEOUT_S) as docker:
        answer = await docker._query_json(f"distribution/{quote(name, safe='/:@')}/json")
    if not (found := digest_from(answer)):
        raise SparkError("its registry names no digest", node=shell.node)
    return found


async def disk_usage(shell: Shell) -> DiskUsage:
    """What images and build cache take up, and what is free where the engine keeps them."""
    async with _docker(shell) as docker:
        root = str((await docker.system.info()).get("DockerRootDir") or "")
    async with _docker(shell, timeout=USAGE_TIMEOUT_S) as docker:
        used = await docker._query_json(_USAGE)
    free = await shell.run(("sh", "-c", _FREE, "docker-free", root or "/var/lib/docker"), timeout=20)
    return then_on(shell).usage(usage_from(used, free.text.strip()))


def _few(listed: Sequence[Any]) -> Sequence[Any]:
    """As it is; TooMuch where nobody has so many."""
    if len(listed) > MOST_LISTED:
        raise TooMuch(f"docker says too much: it lists {len(listed)}", hint="look there: docker system df")
    return listed


async def _shown(found: Any) -> dict[str, Any] | None:
    """A container may be gone between the list and the look."""
    shown: dict[str, Any] | None = await _or_none(found.show())
    return shown


async def _or_none(question: Any) -> Any:
    """The answer; None when the engine says that there is none."""
    try:
        return await question
    except DockerError as error:
        if error.status == 404:
            return None
        raise


@asynccontextmanager
async def _docker(
    shell: Shell, *, timeout: float = 0.0, endless: bool = False
) -> AsyncIterator[aiodocker.Docker]:
    most = None if endless else timeout or ENGINE_S
    endpoint = await now_on(shell).open_socket((await usable_docker_host(shell)).target)
    session = aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(endpoint.path) if endpoint.path else aiohttp.TCPConnector(),
        timeout=aiohttp.ClientTimeout(total=most, connect=ENGINE_S),
        response_class=BoundedResponse,
    )
    try:
        async with aiodocker.Docker(url=_url(endpoint), session=session) as docker:
            docker._timeout = session.timeout  # since 0.25 it asks with its own, which has no end
            yield docker
    except TooMuch as error:
        error.node = shell.node
        raise
    except TimeoutError as error:
        raise SilentEngine(shell.node, most or ENGINE_S) from error
    except DockerError as error:
        if error.status in (None, 900) or "Cannot connect" in str(error.message):
            raise await why_not(shell) from error
        raise SparkError(f"docker says: {error.message}", node=shell.node) from error
    except (aiohttp.ClientError, OSError) as error:
        raise await why_not(shell) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # aiodocker takes what it is told for what it asked for.
        at = await docker_host(shell)
        look = f"--unix-socket {at.socket} http://docker" if at.socket else f"http://{at.url[6:]}"
        raise OddEngine(
            "docker's socket answers something that Docker would not say",
            hint=f"look there: curl {look}/version",
            node=shell.node,
        ) from error
    finally:
        await session.close()


def _url(endpoint: Endpoint) -> str:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"unix://{endpoint.path}" if endpoint.path else f"http://{host}:{endpoint.port}"


def _base(docker: aiodocker.Docker) -> str:
    """Where the session's own questions go."""
    return docker.docker_host if docker.docker_host.startswith("http") else "http://docker"


async def why_not(shell: Shell) -> SparkError:
    """Why Docker cannot be talked to: absent, not running, or not permitted; found out on the node.

    Of an engine that somebody named, which service it is and who may use it is theirs to know.
    """
    at = await docker_host(shell)
    asked = ("sh", "-c", _WHY, "docker-why", at.socket)
    words = (await shell.run(asked, timeout=10)).text.split() if at.socket or not at.named else []
    user = plain_name(words[-1] if words else "") or "$USER"
    if "missing" in words:
        cause, hint = "docker is not installed", "DGX OS has it: sudo apt install docker.io"
    elif at.named and "closed" in words and "stopped" not in words:
        cause = f"docker's socket {at.socket} may not be used by {user}"
        hint = f"look there: ls -l {at.socket}"
    elif at.named:
        cause, hint = f"no docker engine answers at {at.url}", where_to_look(at)
    elif "stopped" in words:
        cause, hint = "docker does not run", "sudo systemctl start docker"
    elif "closed" in words:
        cause = f"docker may not be used by {user}"
        hint = f"sudo usermod -aG docker {user}, then log in again"
    else:
        cause, hint = "docker does not answer", "sudo systemctl status docker"
    return SparkError(cause, hint=hint, node=shell.node)
