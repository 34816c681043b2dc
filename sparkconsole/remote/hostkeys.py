"""Host keys: what a node shows, what is known of it, and writing down that a person trusts it.

Hashed entries are understood; new ones are written plainly, whatever HashKnownHosts says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncssh

from sparkconsole.errors import ChangedHostKey, SparkError, Unreachable
from sparkconsole.model.cluster import Node
from sparkconsole.remote.client_config import Place, known_name, place_of
from sparkconsole.remote.known_hosts import known_hosts_file, known_of
from sparkconsole.remote.login import through_jumps

_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")


@dataclass(frozen=True, slots=True)
class HostKey:
    """One key that a node showed."""

    kind: str
    fingerprint: str
    """`SHA256:…`, as ssh-keygen -l prints it."""
    line: str
    """The public key as known_hosts has it: kind and base64."""


def address_of(node: Node) -> tuple[str, int]:
    """Host (HostKeyAlias, where one is set) and port after OpenSSH's configuration had its say."""
    there = place_of(node)
    return there.alias or there.host, there.port


def entry_name(node: Node) -> str:
    """The name under which known_hosts has it: `host`, or `[host]:port`."""
    return place_of(node).entry_name


def known_keys(node: Node, known_hosts: Path | None = None) -> tuple[asyncssh.SSHKey, ...]:
    """The keys that are trusted for this node, hashed entries included."""
    return known_of(place_of(node), known_hosts).trusted


async def shown_keys(node: Node, *, timeout: float = 10.0) -> tuple[HostKey, ...]:
    """Every kind of key that the node shows, without logging in; Unreachable when it shows none.

    Through its jump hosts where it has some: those are verified and logged in to.
    """
    there = place_of(node)
    try:
        async with asyncio.timeout(timeout), through_jumps(there, node.name) as tunnel:
            found = await asyncio.gather(
                *(_shown(there, kind, tunnel) for kind in _KINDS), return_exceptions=True
            )
    except TimeoutError:
        found = []
    if keys := tuple(key for key in found if isinstance(key, HostKey)):
        return keys
    error = next((e for e in found if isinstance(e, SparkError | OSError)), None)
    raise Unreachable(
        f"{node.address} shows no host key: {error or f'no answer within {timeout:.0f} s'}",
        hint="is it on, and does sshd run there?",
        node=node.name,
    )


async def _shown(there: Place, kind: str, tunnel: asyncssh.SSHClientConnection | None) -> HostKey | None:
    given: dict[str, Any] = {"port": there.port, "tunnel": tunnel}
    key = await asyncssh.get_server_host_key(there.address, server_host_key_algs=[kind], **given)
    return _host_key(key) if key is not None else None


def _host_key(key: asyncssh.SSHKey) -> HostKey:
    kind, data, *_ = key.export_public_key("openssh").decode().split()
    return HostKey(kind, key.get_fingerprint(), f"{kind} {data}")


def standing(
    node: Node, key: HostKey, known_hosts: Path | None = None
) -> Literal["trusted", "unknown", "changed"]:
    """How the key stands to what is known: another key of the same kind, or a revoked one, has changed."""
    known = known_of(place_of(node), known_hosts)
    if any(_host_key(k).line == key.line for k in known.revoked):
        return "changed"
    trusted = [_host_key(k) for k in known.trusted]
    if any(k.line == key.line for k in trusted):
        return "trusted"
    return "changed" if any(k.kind == key.kind for k in trusted) else "unknown"


def trust(node: Node, keys: Iterable[HostKey], known_hosts: Path | None = None) -> Path:
    """Writes the keys down under the node's host name and address; entries are only ever added, in one write.

    ChangedHostKey when one contradicts what is trusted: an entry beside the old one would end the protection.
    """
    wanted = tuple(keys)
    changed = next((key for key in wanted if standing(node, key, known_hosts) == "changed"), None)
    if changed is not None:
        raise ChangedHostKey(
            f"it shows another {changed.kind} key than the trusted one: {changed.fingerprint}",
            hint=f"if the machine was set up again: ssh-keygen -R {_quoted(entry_name(node))}",
            node=node.name,
        )
    new = [key for key in wanted if standing(node, key, known_hosts) == "unknown"]
    path = known_hosts_file(known_hosts)
    _append(path, "".join(f"{_names(node)} {key.line}\n" for key in new))
    return path


def _names(node: Node) -> str:
    """The configuration may change: the name a person typed leads to the same entry."""
    there = place_of(node)
    return ",".join(dict.fromkeys((there.entry_name, known_name(there.address, there.port))))


def _quoted(name: str) -> str:
    return f"'{name}'" if name.startswith("[") else name


def _append(path: Path, lines: str) -> None:
    if not lines:
        return
    try:
        text = path.read_bytes()
        gap = b"" if not text or text.endswith(b"\n") else b"\n"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
            file.write(gap + lines.encode())
    except OSError as error:
        raise SparkError(
            f"{path} cannot be written: {error.strerror}", hint="nothing is trusted now"
        ) from error
