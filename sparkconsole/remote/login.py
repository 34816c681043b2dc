"""Logging in over SSH: every hop's host key is verified, every refusal says why and what to do next."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh

from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable, WrongConfig
from sparkconsole.remote.client_config import Place, hop_of
from sparkconsole.remote.known_hosts import known_of

# The library would choose chacha20 first; AES-GCM moves twice the bytes on processors with AES instructions.
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
KEEPALIVE_S, KEEPALIVES_MISSED = 3, 2
"""A dead peer is noticed within interval x (missed + 1) = 9 s."""
MOST_JUMPS = 8
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


class _Client(asyncssh.SSHClient):
    """Remembers the host key that was shown when it is not a trusted one."""

    shown: asyncssh.SSHKey | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        # Also asked when a *different* key is trusted; yes would connect.
        self.shown = key
        return False


async def log_in(
    there: Place, node: str, *, known_hosts: Path | None = None, seen: tuple[str, ...] = ()
) -> asyncssh.SSHClientConnection:
    """The connection to a server, through its jump hosts, which end with it. The caller sets the time limit.

    Unreachable, UnknownHostKey or ChangedHostKey. `seen`: the machines that this one leads to.
    """
    async with through_jumps(there, node, known_hosts=known_hosts, seen=seen, keep=True) as tunnel:
        connection = await _connection(there, node, known_hosts, tunnel, jump=bool(seen))
        connection.set_tunnel(tunnel)
    return connection


@contextlib.asynccontextmanager
async def through_jumps(
    there: Place,
    node: str,
    *,
    known_hosts: Path | None = None,
    seen: tuple[str, ...] = (),
    keep: bool = False,
) -> AsyncIterator[asyncssh.SSHClientConnection | None]:
    """The connection to the last jump host before a server, None without any.

    It is closed at the end; with `keep` only when something went wrong.
    """
    last: asyncssh.SSHClientConnection | None = None
    try:
        for hop in _hops(there, node, seen):
            last = await _hop(hop, node, known_hosts, last, (*seen, there.address))
        yield last
    except BaseException:
        keep = False
        raise
    finally:
        if last is not None and not keep:
            last.abort()


def _hops(there: Place, node: str, seen: tuple[str, ...]) -> list[Place]:
    """`Host *` with a ProxyJump names the jump host's own jump host too: itself. OpenSSH leaves that out."""
    hops = [hop_of(jump) for jump in there.jumps]
    left = [hop for hop in hops if hop.address not in (*seen, there.address)]
    if len(seen) + len(left) > MOST_JUMPS:
        raise WrongConfig(
            f"ProxyJump leads through more than {MOST_JUMPS} machines",
            hint=f"`ssh -G {there.address}` shows it; is it a circle?",
            node=node,
        )
    return left


async def _hop(
    hop: Place,
    node: str,
    known_hosts: Path | None,
    before: asyncssh.SSHClientConnection | None,
    seen: tuple[str, ...],
) -> asyncssh.SSHClientConnection:
    if before is None:
        return await log_in(hop, node, known_hosts=known_hosts, seen=seen)
    connection = await _connection(hop, node, known_hosts, before, jump=True)
    connection.set_tunnel(before)
    return connection


async def _connection(
    there: Place,
    node: str,
    known_hosts: Path | None,
    tunnel: asyncssh.SSHClientConnection | None,
    *,
    jump: bool,
) -> asyncssh.SSHClientConnection:
    client = _Client()
    try:
        connection, _ = await asyncssh.create_connection(
            lambda: client, there.address, **_options(there, known_hosts, tunnel)
        )
    except TimeoutError:
        raise
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        raise _key_error(there, node, client.shown, known_hosts, error, jump=jump) from error
    except asyncssh.PermissionDenied as error:
        raise await _refused(there, node) from error
    except (OSError, ValueError, asyncssh.Error) as error:
        raise _unreachable(there, node, error, tunnelled=tunnel is not None) from error
    return connection


def _options(
    there: Place, known_hosts: Path | None, tunnel: asyncssh.SSHClientConnection | None
) -> dict[str, Any]:
    known = known_of(there, known_hosts)
    return {
        "username": there.user,
        "port": there.port,
        "tunnel": tunnel,
        # The usual keys when none is left of those that were named: an absent file is no error to OpenSSH.
        "client_keys": [str(path) for path in there.keys if path.is_file()],
        # An encrypted key is the agent's: nobody is ever asked for its passphrase.
        "ignore_encrypted": True,
        "known_hosts": (list(known.trusted), list(known.authorities), list(known.revoked)),
        "encryption_algs": CIPHERS,
        "keepalive_interval": KEEPALIVE_S,
        "keepalive_count_max": KEEPALIVES_MISSED,
        "password": None,
        "kbdint_auth": False,
        "password_auth": False,
        "gss_auth": False,
        "gss_kex": False,
    }


def _key_error(
    there: Place,
    node: str,
    key: asyncssh.SSHKey | None,
    known_hosts: Path | None,
    error: Exception,
    *,
    jump: bool,
) -> Unreachable:
    whose = f"its jump host {there.address}" if jump else "it"
    known = known_of(there, known_hosts)
    if isinstance(error, asyncssh.KeyExchangeFailed) and not (known.trusted and "host key" in str(error)):
        return Unreachable(
            f"{whose} and this console share no way to talk: {error}",
            hint="is its sshd very old, or restricted?",
            node=node,
        )
    remove = f"ssh-keygen -R '{there.entry_name}'"
    if key is None and not isinstance(error, asyncssh.KeyExchangeFailed):
        return ChangedHostKey(
            f"{whose} shows a host key that must not be trusted: {error}",
            hint="known_hosts says so: look for @revoked and @cert-authority there",
            node=node,
        )
    if known.trusted or key is None:
        shown = f": {key.get_fingerprint()}" if key else ": none of the kinds that are trusted"
        return ChangedHostKey(
            f"{whose} shows another host key than the trusted one{shown}",
            hint=f"if the machine was set up again, remove the old key with {remove} "
            "and trust the new one; if not, somebody may be in between",
            node=node,
        )
    name = there.address if jump else node
    whose = f"{whose}'s" if jump else "its"
    return UnknownHostKey(
        f"{whose} host key is not trusted yet: {key.get_fingerprint()}",
        fingerprint=key.get_fingerprint(),
        hint=f"compare it with the machine's, then: sparkconsole node trust {name}",
        node=node,
    )


async def _refused(there: Place, node: str) -> Unreachable:
    """Which keys were offered, and which could not be: a person otherwise guesses for an hour."""
    held = await _agent_keys(there.agent)
    locked = [path for path in there.tried_keys if _locked(path) and not _holds(held, path)]
    tried = [str(path) for path in there.tried_keys if not _locked(path)]
    tried += [f"{len(held)} of the agent"] if held else []
    cause = f"{there.who} refused every key ({', '.join(tried) or 'there was none to try'})"
    if locked:
        return Unreachable(
            f"{cause}; {', '.join(map(str, locked))} is encrypted and not in the agent",
            hint=f"ssh-add {locked[0]}",
            node=node,
        )
    make = "" if tried else "ssh-keygen -t ed25519, then: "
    hint = f"try: ssh {there.ssh_words}; put a key there: {make}ssh-copy-id {there.ssh_words}"
    return Unreachable(cause, hint=hint, node=node)


async def _agent_keys(path: str) -> frozenset[bytes]:
    """The public keys that the agent holds; none when there is no agent, or it does not answer."""
    try:
        async with asyncio.timeout(2), asyncssh.connect_agent(*([path] if path else [])) as agent:
            return frozenset(pair.public_data for pair in await agent.get_keys())
    except (OSError, ValueError, asyncssh.Error):
        return frozenset()


def _locked(path: Path) -> bool:
    try:
        asyncssh.read_private_key(path)
    except asyncssh.KeyImportError as error:
        return "assphrase" in str(error)
    except (OSError, ValueError):
        return False
    return False


def _holds(held: frozenset[bytes], path: Path) -> bool:
    try:
        return asyncssh.read_public_key(f"{path}.pub").public_data in held
    except (OSError, ValueError, asyncssh.KeyImportError):
        return False


def _unreachable(there: Place, node: str, error: Exception, *, tunnelled: bool) -> Unreachable:
    """A sentence for each way in which there is no connection."""
    asked = f"{there.host} port {there.port}"
    number = error.errno if isinstance(error, OSError) and error.errno else _number(error)
    match error:
        case asyncssh.ChannelOpenError() if tunnelled:
            said = (
                f"its jump host cannot reach {asked}: {error.reason}",
                "is it on, and is the address right as the jump host sees it?",
            )
        case asyncssh.KeyImportError():
            said = (f"a key cannot be used: {error}", "an encrypted key belongs into the agent: ssh-add")
        case socket.gaierror():
            said = (
                f"nobody knows the name {there.host}: {error.strerror}",
                "use its address, or name it in ~/.ssh/config",
            )
        case _ if number == errno.ECONNREFUSED:
            said = (f"{asked} refused the connection", "is sshd running there, and is it that port?")
        case _ if number in _NO_ROUTE:
            said = (f"there is no route to {there.host}", "is it on, and in a network this machine reaches?")
        case _ if number == errno.ETIMEDOUT:
            said = (f"no answer from {asked}", "is it on, and is the address right?")
        case asyncssh.DisconnectError() | ConnectionError():
            said = (
                f"{asked} ended the talk before the login: {error}",
                "is it an SSH server, and are there not too many logins at once (MaxStartups)?",
            )
        case _:
            said = (f"no connection to {asked}: {error}", f"try: ssh {there.ssh_words}")
    return Unreachable(said[0], hint=said[1], node=node)


def _number(error: Exception) -> int:
    """asyncio tells several addresses' errors in one text without a number."""
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return int(found[1]) if found else 0
