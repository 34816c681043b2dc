"""What the known_hosts files say of a server. Hashed entries are understood, one bad line costs no other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from sparkconsole.remote.client_config import Place

_EVERYBODYS = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class Known:
    """What the known_hosts files say of one server."""

    trusted: tuple[asyncssh.SSHKey, ...]
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()


def known_hosts_file(given: Path | None = None) -> Path:
    """The person's known_hosts, made (mode 600, folder 700) when it is not there yet."""
    path = given or Path("~/.ssh/known_hosts").expanduser()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    return path


def known_of(there: Place, known_hosts: Path | None = None) -> Known:
    """What is known of a server under exactly its own name and port.

    The library would take the entry of port 22 for every other port too, and call a second sshd behind
    the same address changed. Authorities and revocations count for every port.
    """
    known = asyncssh.import_known_hosts(_entries(there, known_hosts))
    own = known.match(there.entry_name, "", None)
    host = known.match(there.alias or there.host, "", None)
    return Known(tuple(own[0]), (*own[1], *host[1]), (*own[2], *host[2]))


def _entries(there: Place, known_hosts: Path | None) -> str:
    own = known_hosts_file(known_hosts)
    others = () if known_hosts else (*there.known_hosts, _EVERYBODYS)
    # A set of files, each once: an entry read twice would be harmless, a file that is a device would not.
    files = dict.fromkeys((own, *(path for path in others if path.is_file())))
    return "\n".join(line for path in files for line in _readable(path))


def _readable(path: Path) -> Iterable[str]:
    """The lines of a file that are entries: like OpenSSH, one bad line does not cost the others."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            asyncssh.import_known_hosts(line)
        except ValueError:
            continue
        yield line
