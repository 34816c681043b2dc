"""Host keys: what a node shows, what is known of it, and writing down that a person trusts it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncssh

from sparkconsole.errors import Unreachable
from sparkconsole.model.cluster import Node

_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")


@dataclass(frozen=True, slots=True)
class HostKey:
    """One key that a node showed."""

    kind: str
    fingerprint: str
    """`SHA256:…`, as ssh-keygen -l prints it."""
    line: str
    """The public key as known_hosts has it: kind and base64."""


def known_hosts_file(given: Path | None = None) -> Path:
    """The person's known_hosts, made (mode 600, folder 700) when it is not there yet."""
    path = given or Path("~/.ssh/known_hosts").expanduser()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    return path


def address_of(node: Node) -> tuple[str, int]:
    """Host (HostKeyAlias, where one is set) and port after OpenSSH's configuration had its say."""
    given: dict[str, Any] = {"port": node.port} if node.port else {}
    # An empty `config` means the person's own file; left out, the library reads none here.
    options = asyncssh.SSHClientConnectionOptions(host=node.address, config=(), **given)
    return options.host_key_alias or options.host or node.address, options.port or 22


def entry_name(node: Node) -> str:
    """The name under which known_hosts has it: `host`, or `[host]:port`."""
    host, port = address_of(node)
    return host if port == 22 else f"[{host}]:{port}"


def known_keys(node: Node, known_hosts: Path | None = None) -> tuple[asyncssh.SSHKey, ...]:
    """The keys that are trusted for this node, hashed entries included."""
    host, port = address_of(node)
    trusted = asyncssh.match_known_hosts(str(known_hosts_file(known_hosts)), host, "", port)[0]
    return tuple(trusted)


async def shown_keys(node: Node, *, timeout: float = 10.0) -> tuple[HostKey, ...]:
    """Every kind of key that the node shows, without logging in; Unreachable when it shows none."""
    found = await asyncio.gather(*(_shown(node, kind, timeout) for kind in _KINDS), return_exceptions=True)
    keys = [key for key in found if isinstance(key, HostKey)]
    if not keys:
        error = next((e for e in found if isinstance(e, BaseException)), None)
        raise Unreachable(
            f"{node.address} shows no host key: {error or 'no answer'}",
            hint="is it on, and does sshd run there?",
            node=node.name,
        )
    return tuple(keys)


async def _shown(node: Node, kind: str, timeout: float) -> HostKey | None:
    given: dict[str, Any] = {"port": node.port} if node.port else {}
    async with asyncio.timeout(timeout):
        key = await asyncssh.get_server_host_key(node.address, server_host_key_algs=[kind], **given)
    return _host_key(key) if key is not None else None


def _host_key(key: asyncssh.SSHKey) -> HostKey:
    kind, data, *_ = key.export_public_key("openssh").decode().split()
    return HostKey(kind, key.get_fingerprint(), f"{kind} {data}")


def standing(
    node: Node, key: HostKey, known_hosts: Path | None = None
) -> Literal["trusted", "unknown", "changed"]:
    """How the key stands to what is known: a different key of the same kind means that it changed."""
    known = [_host_key(k) for k in known_keys(node, known_hosts)]
    if any(k.line == key.line for k in known):
        return "trusted"
    return "changed" if any(k.kind == key.kind for k in known) else "unknown"


def trust(node: Node, keys: Iterable[HostKey], known_hosts: Path | None = None) -> Path:
    """Writes the keys down for the node's address; entries are only ever added, in one write."""
    path = known_hosts_file(known_hosts)
    text = path.read_text(encoding="utf-8")
    gap = "" if not text or text.endswith("\n") else "\n"
    lines = "".join(f"{entry_name(node)} {key.line}\n" for key in keys)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8") as file:
        file.write(gap + lines)
    return path
