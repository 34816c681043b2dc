"""Whether this machine knows a host of that name: by OpenSSH's configuration, or because it resolves."""

from __future__ import annotations

import fnmatch
import socket
from pathlib import Path

_CONFIGS = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))


def is_a_host(name: str) -> bool:
    """Some `Host` line of OpenSSH's configuration names it, or a name service does; nobody is called."""
    return any(_named(name, path) for path in _CONFIGS) or _resolves(name)


def _named(name: str, path: Path) -> bool:
    """`Host *` is no name of anybody's."""
    try:
        lines = path.expanduser().read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, RuntimeError):
        return False
    patterns = [p for line in lines if line.strip().lower().startswith("host ") for p in line.split()[1:]]
    return any(p.strip("*?") and fnmatch.fnmatch(name, p) for p in patterns)


def _resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, 22, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False
