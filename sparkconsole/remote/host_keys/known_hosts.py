"""What the known_hosts files say of a server, and writing down there that a person trusts what it shows.

Hashed entries are understood, new ones are hashed where HashKnownHosts says so; one bad line costs no other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncssh

from sparkconsole.config.bounded_read import bounded_bytes, expanded, is_file
from sparkconsole.errors import ChangedHostKey, SparkError, WrongConfig
from sparkconsole.model.cluster import Node
from sparkconsole.remote.host_keys.shown import HostKey, host_key
from sparkconsole.remote.ssh_config.client_config import place_of
from sparkconsole.remote.ssh_config.place import USUAL_KNOWN, SshDestination, known_name, paths

_USUAL = Path("~/.ssh/known_hosts")
_EVERYBODYS = paths(USUAL_KNOWN["globalknownhostsfile"])
LARGEST_BYTES = 32 * 1024 * 1024
_HINT = "it must be a text file that you may read and write: it says which host keys are trusted"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """What the known_hosts files say of one server."""

    trusted: tuple[asyncssh.SSHKey, ...]
    of_the_host: tuple[asyncssh.SSHKey, ...] = ()
    """Keys under its name without a port: one of them will do, as with ssh, but another has not changed."""
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()


def known_hosts_file(there: SshDestination | None = None) -> Path:
    """Where the person's trust in a server is kept, made (mode 600, folder 700) when it is not there yet."""
    path = own_file(there)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise SparkError(f"{path} cannot be written: {error.strerror}", hint=_HINT) from error
    return path


def own_file(there: SshDestination | None) -> Path:
    """The first UserKnownHostsFile of the configuration.

    Where that is /dev/null, with which ssh trusts everybody unseen, it is ~/.ssh/known_hosts: nobody is.
    """
    named = there.known_hosts[0] if there and there.known_hosts else _USUAL
    return expanded(_USUAL) if named == Path(os.devnull) or named in _EVERYBODYS else expanded(named)


def known_of(there: SshDestination) -> KnownHost:
    """What is known of a server under exactly its own name and port.

    The library would take the entry of port 22 for every other port too, and call a second sshd behind
    the same address changed. Like ssh it may show that very key, where nothing is known of its own port.
    Authorities and revocations count for every port.
    """
    known = asyncssh.import_known_hosts(_entries(there))
    own = known.match(there.entry_name, "", None)
    host = known.match(there.alias or there.host, "", None)
    never = tuple(key for path in there.revoked for key in _revoked(path))
    without_port = () if own[0] or there.alias else tuple(host[0])
    return KnownHost(tuple(own[0]), without_port, (*own[1], *host[1]), (*own[2], *host[2], *never))


def _revoked(path: Path) -> Iterable[asyncssh.SSHKey]:
    """The keys of a RevokedHostKeys file; WrongConfig when they cannot be known: nobody is trusted then."""
    try:
        lines = bounded_bytes(path, LARGEST_BYTES, regular=True).decode("utf-8", "replace").splitlines()
        return [asyncssh.import_public_key(line) for line in lines if line.strip() and line[0] != "#"]
    except (OSError, ValueError) as error:
        raise WrongConfig(
            f"RevokedHostKeys {path} cannot be read: {error}",
            hint="a list of public keys, one a line, is understood",
        ) from error


def _entries(there: SshDestination) -> str:
    own, others = own_file(there), there.known_hosts or _EVERYBODYS
    # Each file once: what it says twice would be harmless, but costs its reading.
    files = dict.fromkeys((own, *(path for path in others if is_file(path))))
    return "\n".join(line for path in files for line in _readable(path, own=path == own))


def _readable(path: Path, *, own: bool) -> Iterable[str]:
    """The lines of a file that are entries: like OpenSSH, one bad line does not cost the others.

    The person's own file must be readable where it exists: else every host would look unknown.
    """
    try:
        text = bounded_bytes(path, LARGEST_BYTES, regular=True).decode("utf-8", "replace")
    except FileNotFoundError:
        return
    except OSError as error:
        if own:
            raise SparkError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
        return
    for line in text.splitlines():
        with suppress(ValueError, LookupError, TypeError):
            asyncssh.import_known_hosts(line)
            yield line


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
