"""The host keys that a server shows to whoever asks; nobody logs in for that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncssh

from sparkconsole.remote.ssh_config.route import LoginTarget, proxy_of, route

KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512")
"""Each is asked for by itself; at once, below what MaxStartups lets wait."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """One key that a node showed."""

    kind: str
    fingerprint: str
    """`SHA256:…`, as ssh-keygen -l prints it."""
    line: str
    """The public key as known_hosts has it: kind and base64."""


async def shown_by(target: LoginTarget) -> tuple[tuple[HostKey, ...], Exception | None]:
    """Every kind of key that the server shows, or else what was in the way."""
    asked = (_shown(target, kind) for kind in KINDS)
    found = await asyncio.gather(*asked, return_exceptions=True)
    keys = tuple(key for key in found if isinstance(key, HostKey))
    return keys, next((e for e in found if isinstance(e, Exception)), None)


async def _shown(target: LoginTarget, kind: str) -> HostKey | None:
    proxy = proxy_of(target)
    try:
        ways = route(target, proxy)
        key = await asyncssh.get_server_host_key(target.there.host, server_host_key_algs=[kind], **ways)
    finally:
        if proxy is not None:
            proxy.end()
    return host_key(key) if key is not None else None


def host_key(key: asyncssh.SSHKey) -> HostKey:
    """A key as people compare it and as known_hosts has it."""
    kind, data, *_ = key.export_public_key("openssh").decode().split()
    return HostKey(kind, key.get_fingerprint(), f"{kind} {data}")
