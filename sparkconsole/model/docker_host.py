"""Where a node's Docker engine listens, as DOCKER_HOST and docker's contexts write it.

The words are those of github.com/docker/cli (opts/hosts.go): unix, tcp, http, ssh, npipe, fd; none means tcp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_HOST = f"unix://{DEFAULT_SOCKET}"
DOCKER_HOST = "DOCKER_HOST"
ENGINE_S = 10.0
"""So long an engine is waited for that says nothing, whatever asks it."""
_PORT = 2375
_UNIX = re.compile(r"unix://(/[^\s\x00-\x1f\x7f]*)")
_TCP = re.compile(r"(?:tcp|http)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::(?P<port>\d{1,5}))?/?")
_SHOWN = 100
_REMEDY = (
    'name a socket of that machine: docker_host = "unix:///PATH" or "tcp://HOST:PORT" in cluster.toml, or '
    "DOCKER_HOST or `docker context use` there"
)


@dataclass(frozen=True, slots=True)
class DockerHost:
    """The engine that every part of the console talks to on one node."""

    url: str = DEFAULT_HOST
    """`unix:///path` or `tcp://host:port`."""
    named: bool = False
    """Somebody named it: every command there is told it too."""
    refused: str = ""
    """Why it cannot be used; empty: it can."""
    remedy: str = _REMEDY

    @property
    def socket(self) -> str:
        """Its path on the node; empty where it is a port."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else ""

    @property
    def target(self) -> str:
        """As `Shell.open_socket` takes it: a path, or `host:port`."""
        return self.socket or self.url.removeprefix("tcp://").replace("[", "").replace("]", "")

    @property
    def environment(self) -> dict[str, str]:
        """What a command has to be told so that it means the same engine."""
        return {DOCKER_HOST: self.url} if self.named and not self.refused else {}


def usable_url(text: str) -> str:
    """The address as `unix:///path` or `tcp://host:port`; ValueError for what the console cannot use."""
    if text == "unix://":
        return DEFAULT_HOST
    if _UNIX.fullmatch(text):
        return text
    found = _TCP.fullmatch(text)
    port = int(found["port"] or _PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError("it is unix:///PATH or tcp://HOST:PORT on that node")
    return f"tcp://{found['host'] or '127.0.0.1'}:{port}"


def found_at(text: str, *, named: bool = True, tls: bool = False) -> DockerHost:
    """The engine of that address, or why the console cannot use it. `tls`: with certificates."""
    address, why = text.strip(), ""
    try:
        url = usable_url(address if "://" in address else f"tcp://{address}")
    except ValueError:
        url, why = DEFAULT_HOST, _why(address)
    if tls and url.startswith("tcp://"):
        why = f"its docker listens at {url} with TLS certificates, which the console does not use"
    return DockerHost(DEFAULT_HOST if why else url, named, why)


def where_to_look(at: DockerHost) -> str:
    """What to look at when nobody answers there."""
    start = "systemctl --user start docker" if at.socket.startswith("/run/user/") else "start it there"
    return f"{start}, or correct docker_host of cluster.toml, DOCKER_HOST or the docker context there"


def _why(text: str) -> str:
    """A login and its password are nobody's business."""
    scheme, colons, rest = text.partition("://")
    shown = f"{scheme}{colons}{rest.rpartition('@')[2]}"[:_SHOWN]
    if scheme in ("ssh", "npipe", "fd"):
        return f"its docker is to be reached by {shown!r}, which the console cannot do"
    return f"its docker is said to be at {shown!r}, which is no address of an engine"
