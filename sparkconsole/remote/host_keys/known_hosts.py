"""What the known_hosts files say of a server. Hashed entries are understood, one bad line costs no other."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from sparkconsole.config.bounded_read import bounded_bytes, expanded, is_file
from sparkconsole.errors import SparkError, WrongConfig
from sparkconsole.remote.ssh_config.place import USUAL_KNOWN, SshDestination, paths

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
        try:
            asyncssh.import_known_hosts(line)
        except (ValueError, LookupError, TypeError):
            continue
        yield line
