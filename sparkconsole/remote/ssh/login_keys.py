"""Which keys a login offers, in OpenSSH's order: certificates, the agent's (named ones first), the files'."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import asyncssh

from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.remote.ssh_config.place import SshDestination

_AGENT_S = 2.0
"""An agent that does not answer is none."""
_CERTIFIED = "-cert-v01@openssh.com"


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
        files, errors = _files(there)
        offered = [key for key in _in_order(there, held, files) if _accepted(key, there.accepted_keys)]
        if not offered and errors:
            raise errors[0]
        yield offered


def _in_order(
    there: SshDestination, held: Sequence[asyncssh.SSHKeyPair], files: Sequence[asyncssh.SSHKeyPair]
) -> list[asyncssh.SSHKeyPair]:
    """The agent's keys (`held`) and those of the files as OpenSSH would offer them."""
    named = [public for path in there.named_keys if (public := public_of(path))]
    ours = [key for public in named for key in held if _raw(key) == public]
    others = [] if there.named_keys_only else [key for key in held if _raw(key) not in named]
    at_hand = (*ours, *others, *files)
    kept = {_raw(key) for key in ours}
    beside = [Path(f"{path}-cert.pub") for path in there.named_keys]
    return [
        *_certified(there.certificates, (*held, *files)),
        *ours,
        *others,
        *(key for key in files if _raw(key) not in kept),
        *_certified(beside, at_hand),
    ]


def _certified(
    certificates: Sequence[Path], keys: Sequence[asyncssh.SSHKeyPair]
) -> Iterator[asyncssh.SSHKeyPair]:
    """Each certificate with its private key, be that a file's or the agent's; one without is passed over."""
    for path in certificates:
        with contextlib.suppress(OSError, ValueError):
            signed = asyncssh.import_certificate(bounded_bytes(path, regular=True))
            mine = next((k for k in keys if not k.has_cert and _raw(k) == signed.key.public_data), None)
            if mine is not None:
                pair = copy.copy(mine)
                pair.set_certificate(signed)
                yield pair


def _accepted(key: asyncssh.SSHKeyPair, names: Sequence[str]) -> bool:
    """PubkeyAcceptedAlgorithms allows one of the ways in which this key can sign."""
    kind = key.get_algorithm().removesuffix(_CERTIFIED).removesuffix("@openssh.com")
    kinds = ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512") if kind == "ssh-rsa" else (kind,)
    ends = (_CERTIFIED,) if key.has_cert else ("", "@openssh.com")
    return not names or any(kind + end in names for kind in kinds for end in ends)


def _files(there: SshDestination) -> tuple[list[asyncssh.SSHKeyPair], list[asyncssh.KeyImportError]]:
    """The keys of the files, and what is wrong with those that are none."""
    keys: list[asyncssh.SSHKeyPair] = []
    errors: list[asyncssh.KeyImportError] = []
    for path in there.tried_keys:
        if _is_public(path):
            continue
        try:
            loaded = asyncssh.load_keypairs([str(path)], ignore_encrypted=True)
            keys += (key for key in loaded if not key.has_cert)
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
