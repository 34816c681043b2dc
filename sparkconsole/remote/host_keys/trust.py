"""Host keys: what is known of a node, and writing down that a person trusts what it shows.

Hashed entries are understood; new ones are hashed where HashKnownHosts says so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import asyncssh

from sparkconsole.errors import ChangedHostKey, SparkError
from sparkconsole.model.cluster import Node
from sparkconsole.remote.host_keys.known_hosts import known_hosts_file, known_of, own_file
from sparkconsole.remote.host_keys.shown import HostKey, host_key
from sparkconsole.remote.ssh_config.client_config import place_of
from sparkconsole.remote.ssh_config.place import known_name


def entry_name(node: Node) -> str:
    """The name under which known_hosts has it: `host`, or `[host]:port`."""
    return place_of(node).entry_name


def known_keys(node: Node) -> tuple[asyncssh.SSHKey, ...]:
    """The keys that are trusted for this node, hashed entries included."""
    return known_of(place_of(node)).trusted


class KeyTrust(StrEnum):
    """How a key stands to what is known."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    """Another key of the same kind is trusted, or this one is revoked."""


def key_trust(node: Node, key: HostKey) -> KeyTrust:
    """How the key that the node shows stands to known_hosts."""
    known = known_of(place_of(node))
    if any(host_key(k).line == key.line for k in known.revoked):
        return KeyTrust.CHANGED
    trusted = [host_key(k) for k in known.trusted]
    if any(k.line == key.line for k in trusted):
        return KeyTrust.TRUSTED
    return KeyTrust.CHANGED if any(k.kind == key.kind for k in trusted) else KeyTrust.UNKNOWN


def trust(node: Node, keys: Iterable[HostKey]) -> Path:
    """Writes the keys down under the node's host name and address; entries are only ever added, in one write.

    ChangedHostKey when one contradicts what is trusted: an entry beside the old one would end the protection.
    """
    wanted = tuple(keys)
    changed = next((key for key in wanted if key_trust(node, key) is KeyTrust.CHANGED), None)
    if changed is not None:
        raise ChangedHostKey(
            f"it shows another {changed.kind} key than the trusted one: {changed.fingerprint}",
            hint=f"if the machine was set up again: ssh-keygen -R {_quoted(entry_name(node))}",
            node=node.name,
        )
    new = [key for key in wanted if key_trust(node, key) is KeyTrust.UNKNOWN]
    path = known_hosts_file(place_of(node))
    _append(path, entries(node, new))
    return path


def entries(node: Node, keys: Iterable[HostKey]) -> str:
    """The lines that `trust` writes for these keys, the same at each call: a plan shows them before.

    The configuration may change: the name a person typed leads to the same entry. A hash is of one name.
    """
    there, keys = place_of(node), tuple(keys)
    names = tuple(dict.fromkeys((there.entry_name, known_name(there.address, there.port))))
    if not there.hashed_names:
        return "".join(f"{','.join(names)} {key.line}\n" for key in keys)
    return "".join(f"{hashed(name, key)} {key.line}\n" for key in keys for name in names)


def trust_file(node: Node) -> str:
    """Where its keys are written, as a person would type it."""
    path, home = own_file(place_of(node)), Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def hashed(name: str, key: HostKey) -> str:
    """A host's name as HashKnownHosts writes it: whoever reads the file learns no names from it."""
    salt = hashlib.sha1(f"{name} {key.line}".encode(), usedforsecurity=False).digest()
    digest = hmac.new(salt, name.encode(), "sha1").digest()
    return "|".join(("", "1", *(base64.b64encode(part).decode() for part in (salt, digest))))


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
        cause = f"{path} cannot be written: {error.strerror}"
        raise SparkError(cause, hint="nothing is trusted now") from error
