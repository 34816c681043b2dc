"""The one place that knows where a node's Docker engine listens; asked once a connection, cluster.toml wins.

Docker's API is opened there, and every command of the connection is told it from then on: it is known before
the first command that speaks of docker.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from sparkconsole.errors import SparkError
from sparkconsole.model.docker_host import DockerHost, found_at
from sparkconsole.parse.image.docker import parse_docker_host
from sparkconsole.remote.foreseen_shell import now_on
from sparkconsole.remote.shell import Shell

# As with HF_HOME: most people export it in a file that only interactive shells read, and `setsid` keeps such
# a shell from the console's terminal.
_ASK = r"""
names='DOCKER_HOST|DOCKER_CONTEXT|DOCKER_CONFIG|DOCKER_TLS|DOCKER_TLS_VERIFY'
said(){ timeout 5 setsid -w "${SHELL:-sh}" "$1" env </dev/null 2>/dev/null | grep -E "^($names)=."; }
all=$(env | grep -E "^($names)=.")
[ -n "${DOCKER_HOST:-}" ] || all=$(said -lic || said -ic || said -c; printf '%s\n' "$all")
printf '%s\n' "$all"
case "
$all" in *'
DOCKER_HOST='*) exit 0;; esac
for n in DOCKER_CONTEXT DOCKER_CONFIG; do
  v=$(printf '%s\n' "$all" | sed -n "s/^$n=//p" | tail -n 1)
  [ -z "$v" ] || export "$n=$v"
done
f='{{.Name}} {{.Endpoints.docker.Host}} {{len .TLSMaterial}}'
if told=$(timeout 5 docker context inspect --format "$f" 2>&1 </dev/null); then
  printf 'context %s\n' "$told"
else
  told=$(printf %s "$told" | tr '\n' ' ')
  case $told in *ontext*'not found'*|*'no such'*context*) printf 'lost %s\n' "$told";; esac
fi
r=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock
[ -S /var/run/docker.sock ] || [ ! -S "$r" ] || printf 'rootless %s\n' "$r"
"""
_FOUND: WeakKeyDictionary[Shell, DockerHost] = WeakKeyDictionary()
_ASKING: WeakKeyDictionary[Shell, asyncio.Lock] = WeakKeyDictionary()


@runtime_checkable
class Environed(Protocol):
    """A shell whose commands can be told variables; the others have the usual engine."""

    environment: dict[str, str]


def keep_docker_host_at(shell: Shell, url: str | None) -> None:
    """What cluster.toml says of that node: nobody is asked."""
    if url:
        _keep(shell, found_at(url))


async def docker_host(shell: Shell) -> DockerHost:
    """Where the node's engine listens, or why that cannot be used; SparkError when it cannot be asked."""
    shell = now_on(shell)
    if not isinstance(shell, Environed):
        return DockerHost()
    async with _ASKING.setdefault(shell, asyncio.Lock()):
        if shell not in _FOUND:
            done = await shell.run(("sh", "-c", _ASK, "docker-host"), timeout=25)
            _keep(shell, parse_docker_host(done.checked().text))
        return _FOUND[shell]


async def usable_docker_host(shell: Shell) -> DockerHost:
    """The same; SparkError where it cannot be used."""
    found = await docker_host(shell)
    if found.refused:
        raise SparkError(found.refused, hint=found.remedy, node=shell.node)
    return found


async def before_command(shell: Shell, argv: Sequence[str]) -> None:
    """Knows the engine before the first command that speaks of docker; what fails then, fails there."""
    if shell in _FOUND or _ASK in argv or not any("docker" in word for word in argv):
        return
    with contextlib.suppress(SparkError):
        await docker_host(shell)


def _keep(shell: Shell, found: DockerHost) -> None:
    _FOUND[shell] = found
    if isinstance(shell, Environed):
        shell.environment.update(found.environment)
