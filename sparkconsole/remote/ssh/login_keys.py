"""Which keys a login offers, in OpenSSH's order: named ones of the agent, its others, then the files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncssh

from sparkconsole.config.bounded import bounded_bytes, is_file
from sparkconsole.remote.ssh_config.place import SshDestination

_AGENT_S = 2.0
"""An agent that does not answer is none."""


@contextlib.asynccontextmanager
async def keys_for(there: SshDestination) -> AsyncIterator[list[asyncssh.SSHKeyPair]]:
    """The keys to offer, while the agent is at hand; KeyImportError when no key of the files can be used.

    An encrypted key is the agent's: nobody is ever asked for its passphrase.
    """
    async with contextlib.AsyncExitStack() as stack:
        held: list[asyncssh.SSHKeyPair] = []
        if there.agent:
            with contextlib.suppress(OSError, ValueError, asyncssh.Error):
                async with asyncio.timeout(_AGENT_S):
                    agent = await stack.enter_async_context(asyncssh.connect_agent(there.agent))
                    held = list(await agent.get_keys())
        named = [public for path in there.tried_keys if (public := public_of(path))]
        ours = [key for public in named for key in held if _raw(key) == public]
        others = [] if there.named_keys_only else [key for key in held if _raw(key) not in named]
        files, errors = _files(there)
        kept = {_raw(key) for key in ours}
        offered = [*ours, *others, *(key for key in files if _raw(key) not in kept)]
        if not offered and errors:
            raise errors[0]
        yield offered


def _files(there: SshDestination) -> tuple[list[asyncssh.SSHKeyPair], list[asyncssh.KeyImportError]]:
    """The keys of the files, and what is wrong with those that are none."""
    keys: list[asyncssh.SSHKeyPair] = []
    errors: list[asyncssh.KeyImportError] = []
    certificates = [str(path) for path in there.certificates if is_file(path)]
    for path in there.tried_keys:
        if _is_public(path):
            continue
        try:
            keys += asyncssh.load_keypairs([str(path)], certlist=certificates, ignore_encrypted=True)
        except asyncssh.KeyImportError as error:
            errors.append(error)
        except (OSError, ValueError) as error:
            errors.append(asyncssh.KeyImportError(f"{path}: {error}"))
    return keys, errors


def _raw(key: asyncssh.SSHKeyPair) -> bytes:
    """The public key itself, whether or not a certificate goes with it."""
    return bytes(getattr(key, "key_public_data", b"") or key.public_data)


def _is_public(path: Path) -> bool:
    """The file holds only a public key, whose private half is the agent's."""
    try:
        return b"PRIVATE KEY" not in bounded_bytes(path, regular=True)[:200]
    except OSError:
        return False


def public_of(path: Path) -> bytes:
    """The public key of an identity file: its own, or that of the file beside it; empty when unknown."""
    for candidate in (path, Path(f"{path}.pub")):
        with contextlib.suppress(OSError, ValueError):
            if _is_public(candidate):
                return bytes(asyncssh.read_public_key(candidate).public_data)
    with contextlib.suppress(OSError, ValueError):
        return bytes(asyncssh.read_private_key(path).public_data)
    return b""


async def agent_keys(socket: str) -> frozenset[bytes]:
    """The public keys that the agent holds; none when there is no agent, or it does not answer."""
    if not socket:
        return frozenset()
    try:
        async with asyncio.timeout(_AGENT_S), asyncssh.connect_agent(socket) as agent:
            return frozenset(pair.public_data for pair in await agent.get_keys())
    except (OSError, ValueError, asyncssh.Error):
        return frozenset()


def locked(path: Path) -> bool:
    """The private key needs a passphrase."""
    try:
        asyncssh.read_private_key(path)
    except asyncssh.KeyImportError as error:
        return "assphrase" in str(error)
    except (OSError, ValueError):
        return False
    return False


def holds(held: Sequence[bytes] | frozenset[bytes], path: Path) -> bool:
    """The agent has the key of that file."""
    return public_of(path) in held
