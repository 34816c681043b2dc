"""One SSH server as OpenSSH's client configuration sees it; nothing is connected, no key is opened.

Where there is an ssh program it is asked (openssh_config.py). Elsewhere asyncssh reads ~/.ssh/config,
which knows less: no /etc/ssh/ssh_config, no `%k`, no comment behind a value, no time with a unit.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import asyncssh

from sparkconsole.errors import WrongConfig
from sparkconsole.model.cluster import Node, login_words
from sparkconsole.remote.ssh_config.openssh_config import agent_socket, place_by_ssh
from sparkconsole.remote.ssh_config.place import (
    SSH_PORT,
    USUAL_KNOWN,
    SshDestination,
    hops,
    paths,
    usual_keys,
)

KEPT_S = 5.0
"""How long an answer of `ssh -G` is taken for the next question, while the files stay as they are."""
_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
_kept: dict[tuple[object, ...], tuple[float, SshDestination]] = {}


def place_of(node: Node) -> SshDestination:
    """Where a node is; WrongConfig when the configuration cannot be read."""
    named = (node.identity_file,) if node.identity_file else ()
    try:
        return place(node.address, user=node.user, port=node.port, keys=named)
    except WrongConfig as error:
        error.node = node.name
        raise


def hop_of(jump: str) -> SshDestination:
    """Where one hop of a ProxyJump is."""
    user, host, port = login_words(jump)
    return place(host, user=user or None, port=port)


def place(
    address: str, *, user: str | None = None, port: int | None = None, keys: Sequence[str] = ()
) -> SshDestination:
    """Where an address leads; what is given here beats the configuration."""
    if not address or address.startswith("-"):
        raise WrongConfig(f"{address!r} cannot be a machine's address", hint="a host name or an address")
    key = (address, user, port, tuple(keys), *map(os.environ.get, ("SSH_AUTH_SOCK", "PATH")), *_states())
    then, found = _kept.get(key, (0.0, None))
    if found is None or time.monotonic() - then > KEPT_S:
        asked = place_by_ssh(address, user, port) or _by_library(address, user, port)
        found = replace(asked, keys=paths(keys)) if keys else asked
        if len(_kept) > 200:
            _kept.clear()
        _kept[key] = time.monotonic(), found
    return found


def _states() -> tuple[object, ...]:
    """What changes when somebody writes the files."""
    states: list[object] = [str(Path.home())]
    for name in _FILES:
        try:
            seen = os.stat(os.path.expanduser(name))
            states.append((seen.st_mtime_ns, seen.st_size, seen.st_ino))
        except OSError:
            states.append(None)
    return tuple(states)


def _by_library(address: str, user: str | None, port: int | None) -> SshDestination:
    """The place as asyncssh reads ~/.ssh/config."""
    given: dict[str, Any] = {"username": user, "port": port}
    try:
        # An empty `config` means the person's own file; left out, the library reads none here.
        options = asyncssh.SSHClientConnectionOptions(
            host=address, config=(), client_keys=None, known_hosts=None,
            **{key: value for key, value in given.items() if value is not None},
        )  # fmt: skip
    except (asyncssh.ConfigParseError, ValueError, OSError) as error:
        raise WrongConfig(
            f"~/.ssh/config: {error}",
            hint="there is no ssh program here, and without it less of that file is understood",
        ) from error
    config = options.config
    family = {int(socket.AF_INET): "inet", int(socket.AF_INET6): "inet6"}
    proxy = str(config.get("ProxyCommand", "") or "")
    return SshDestination(
        address=address,
        host=options.host or address,
        port=options.port or SSH_PORT,
        user=options.username,
        alias=options.host_key_alias or "",
        jumps=hops(options.tunnel) if isinstance(options.tunnel, str) else (),
        proxy="" if proxy == "none" else proxy,
        keys=paths(_words(config.get("IdentityFile"))) or usual_keys(Path.home()),
        certificates=paths(_words(config.get("CertificateFile"))),
        agent=agent_socket(str(config.get("IdentityAgent", "SSH_AUTH_SOCK") or "none")),
        named_keys_only=bool(config.get("IdentitiesOnly", False)),
        key_login=bool(config.get("PubkeyAuthentication", True)),
        known_hosts=paths(
            (
                *(_words(config.get("UserKnownHostsFile")) or USUAL_KNOWN["userknownhostsfile"]),
                *(_words(config.get("GlobalKnownHostsFile")) or USUAL_KNOWN["globalknownhostsfile"]),
            )
        ),
        family=family.get(int(cast(int, config.get("AddressFamily", 0))), ""),
        bind=str(config.get("BindAddress", "") or ""),
        connect_timeout_s=cast("float | None", config.get("ConnectTimeout")),
    )


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(cast(Sequence[str], value)) if value else ()
