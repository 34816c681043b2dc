"""One SSH server as OpenSSH's client configuration sees it; nothing is connected, no key is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncssh

from sparkconsole.config.bounded import expanded, is_file
from sparkconsole.errors import WrongConfig
from sparkconsole.model.cluster import Node

SSH_PORT = 22
DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
"""Where OpenSSH's client looks in ~/.ssh when nobody named a key."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a login goes, as whom, with which keys, and through which other machines."""

    address: str
    """The name that was given; ~/.ssh/config may lead it elsewhere."""
    host: str
    """HostName."""
    port: int
    user: str
    alias: str = ""
    """HostKeyAlias."""
    jumps: tuple[str, ...] = ()
    """ProxyJump: `[user@]host[:port]`, the nearest first."""
    keys: tuple[Path, ...] = ()
    """Private keys that were named; none: the usual ones."""
    agent: str = ""
    known_hosts: tuple[Path, ...] = ()
    """Further files of trusted host keys that the configuration names."""

    @property
    def who(self) -> str:
        """As a person would give it to ssh."""
        return f"{self.user}@{self.address}"

    @property
    def ssh_words(self) -> str:
        """What follows `ssh` or `ssh-copy-id` to reach it."""
        return f"-p {self.port} {self.who}" if self.port != SSH_PORT else self.who

    @property
    def entry_name(self) -> str:
        """The name under which known_hosts has it: `host`, `[host]:port`, or the alias, which has no port."""
        return self.alias or known_name(self.host, self.port)

    @property
    def tried_keys(self) -> tuple[Path, ...]:
        """The private keys that are there."""
        usual = (expanded("~/.ssh") / name for name in DEFAULT_KEYS)
        return tuple(path for path in (self.keys or usual) if is_file(path))


def known_name(host: str, port: int) -> str:
    """A host as known_hosts names it."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def place_of(node: Node) -> Place:
    """Where a node is; WrongConfig when ~/.ssh/config cannot be read."""
    named = (node.identity_file,) if node.identity_file else ()
    try:
        return place(node.address, user=node.user, port=node.port, keys=named)
    except WrongConfig as error:
        error.node = node.name
        raise


def hop_of(jump: str) -> Place:
    """Where one hop of a ProxyJump is."""
    user, _, rest = jump.removeprefix("ssh://").rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        host, port = rest, ""
    return place(host.strip("[]"), user=user or None, port=int(port) if port else None)


def place(
    address: str, *, user: str | None = None, port: int | None = None, keys: Sequence[str] = ()
) -> Place:
    """Where an address leads; what is given here beats the configuration."""
    given: dict[str, Any] = {"username": user, "port": port}
    try:
        # An empty `config` means the person's own file; left out, the library reads none here.
        options = asyncssh.SSHClientConnectionOptions(
            host=address, config=(), client_keys=None, known_hosts=None,
            **{key: value for key, value in given.items() if value is not None},
        )  # fmt: skip
    except (asyncssh.ConfigParseError, ValueError, OSError) as error:
        raise WrongConfig(
            f"~/.ssh/config: {error}", hint=f"`ssh -G {address}` reads the same file"
        ) from error
    config = options.config
    return Place(
        address=address,
        host=options.host or address,
        port=options.port or SSH_PORT,
        user=options.username,
        alias=options.host_key_alias or "",
        jumps=_jumps(options.tunnel),
        keys=_paths(keys or config.get("IdentityFile")),
        agent=str(config.get("IdentityAgent", "") or ""),
        known_hosts=_paths(
            (*_words(config.get("UserKnownHostsFile")), *_words(config.get("GlobalKnownHostsFile")))
        ),
    )


def _jumps(tunnel: object) -> tuple[str, ...]:
    if not isinstance(tunnel, str) or tunnel.lower() == "none":
        return ()
    return tuple(hop for hop in (part.strip() for part in tunnel.split(",")) if hop)


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(cast(Sequence[str], value)) if value else ()


def _paths(value: object) -> tuple[Path, ...]:
    return tuple(expanded(word) for word in _words(value) if word.lower() != "none")
