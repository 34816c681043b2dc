"""Logging in over SSH: every hop's host key is verified, every refusal says why and what to do next."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
from asyncssh.encryption import get_encryption_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_public_key_algs

from sparkconsole.errors import Unreachable, WrongConfig
from sparkconsole.model.cluster import Node
from sparkconsole.remote.host_keys.known_hosts import KnownHost, known_of
from sparkconsole.remote.host_keys.refused import key_error, other_kinds
from sparkconsole.remote.host_keys.shown import HostKey, shown_by
from sparkconsole.remote.ssh.login_keys import agent_keys, keys_for, locked, public_of
from sparkconsole.remote.ssh_config.client_config import hop_of, place_of
from sparkconsole.remote.ssh_config.place import SshDestination
from sparkconsole.remote.ssh_config.route import LoginTarget, ProxyCommand, both, proxy_of, route

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

    def __init__(self, proxy: ProxyCommand | None, *, any_on_loopback: bool = False) -> None:
        self.proxy, self.any_on_loopback = proxy, any_on_loopback

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection is that of its ProxyCommand."""
        if self.proxy is not None:
            self.proxy.end()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        # Also asked when a *different* key is trusted; yes would connect.
        self.shown = key
        return self.any_on_loopback and _is_loopback(addr)


def _is_loopback(address: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    return False


async def log_in(
    there: SshDestination, node: str, *, seen: tuple[str, ...] = ()
) -> asyncssh.SSHClientConnection:
    """The connection to a server, through its jump hosts, which end with it. The caller sets the time limit.

    Unreachable, UnknownHostKey or ChangedHostKey. `seen`: the machines that this one leads to.
    """
    async with _through_jumps(there, node, seen, keep=True) as tunnel:
        return await _connection(LoginTarget(there, node, tunnel, jump=bool(seen)))


async def shown_keys(node: Node, *, timeout: float = 10.0) -> tuple[HostKey, ...]:
    """Every kind of key that the node shows, without logging in; Unreachable when it shows none.

    Through its jump hosts where it has some: those are verified and logged in to.
    """
    there = await asyncio.to_thread(place_of, node)
    try:
        async with asyncio.timeout(timeout), _through_jumps(there, node.name) as tunnel:
            keys, error = await shown_by(LoginTarget(there, node.name, tunnel))
    except TimeoutError:
        keys, error = (), None
    if keys:
        return keys
    raise Unreachable(
        f"{node.address} shows no host key: {error or f'no answer within {timeout:.0f} s'}",
        hint="is it on, and does sshd run there?",
        node=node.name,
    )


@contextlib.asynccontextmanager
async def _through_jumps(
    there: SshDestination, node: str, seen: tuple[str, ...] = (), *, keep: bool = False
) -> AsyncIterator[asyncssh.SSHClientConnection | None]:
    """The connection to the last jump host before a server, None without any.

    It is closed at the end; with `keep` only when something went wrong.
    """
    last: asyncssh.SSHClientConnection | None = None
    try:
        for hop in await asyncio.to_thread(_hops, there, node, seen):
            if last is None:
                last = await log_in(hop, node, seen=(*seen, there.address))
            else:
                last = await _connection(LoginTarget(hop, node, last, jump=True))
        yield last
    except BaseException:
        keep = False
        raise
    finally:
        if last is not None and not keep:
            last.abort()


def _hops(there: SshDestination, node: str, seen: tuple[str, ...]) -> list[SshDestination]:
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


async def _connection(target: LoginTarget) -> asyncssh.SSHClientConnection:
    there, known, proxy = target.there, _known(target), proxy_of(target)
    # As with ssh: behind a jump host, a proxy command or under an alias loopback is no name for this machine.
    unchecked = there.loopback_unchecked and target.tunnel is None and proxy is None and not there.alias
    client = _Client(proxy, any_on_loopback=unchecked)
    try:
        async with keys_for(there) as keys:
            connection, _ = await asyncssh.create_connection(
                lambda: client, there.host, client_keys=keys or None, **_options(target, known, proxy)
            )
    except TimeoutError:
        raise
    except asyncssh.HostKeyNotVerifiable as error:
        raise key_error(target, client.shown, known, error) from error
    except asyncssh.PermissionDenied as error:
        raise await _refused(target) from error
    except (OSError, ValueError, asyncssh.Error) as error:
        # A server that has no key of the kinds we ask for hangs up, or says so in words of its own.
        hung_up = isinstance(error, asyncssh.DisconnectError | ConnectionError)
        if hung_up and known.trusted and (other := await other_kinds(target, known)):
            raise other from error
        raise _unreachable(target, error, proxy) from error
    connection.set_tunnel(target.tunnel)
    return connection


def _known(target: LoginTarget) -> KnownHost:
    """What is known of the server; WrongConfig when a login cannot be begun at all."""
    there = target.there
    if not there.key_login:
        raise WrongConfig(
            f"ssh's configuration allows no login by key for {there.address}:"
            " PubkeyAuthentication no, or PreferredAuthentications without publickey",
            hint="a key is the only login that never asks: allow it there",
            node=target.node,
        )
    try:
        return known_of(there)
    except WrongConfig as error:
        error.node = target.node
        raise


def _options(target: LoginTarget, known: KnownHost, proxy: ProxyCommand | None) -> dict[str, Any]:
    there = target.there
    ciphers = both(there.ciphers, get_encryption_algs())
    return {
        **route(target, proxy),
        **_host_key_kinds(there, known),
        "encryption_algs": [c for c in CIPHERS if not ciphers or c in ciphers] or ciphers,
        "mac_algs": both(there.macs, get_mac_algs()) or (),
        "username": there.user,
        # The keys that are given are all: the agent was asked for them, too.
        "agent_path": None,
        "known_hosts": ([*known.trusted, *known.of_the_host], list(known.authorities), list(known.revoked)),
        "keepalive_interval": KEEPALIVE_S,
        "keepalive_count_max": KEEPALIVES_MISSED,
        "password": None,
        "kbdint_auth": False,
        "password_auth": False,
        "gss_auth": False,
        "gss_kex": False,
    }


def _host_key_kinds(there: SshDestination, known: KnownHost) -> dict[str, Any]:
    """HostKeyAlgorithms of the kinds that are trusted: like ssh, so that a known key is the one shown."""
    trusted = {name for key in known.trusted for name in (key.algorithm, *key.all_sig_algorithms)}
    wanted = [name for name in there.host_key_algorithms if name.encode() in trusted]
    if known.authorities or not known.trusted or there.loopback_unchecked:
        return {}
    # None of the trusted kinds: as with ssh the server has to show another one, which nobody trusts.
    allowed = wanted or both(there.host_key_algorithms, get_public_key_algs())
    return {"server_host_key_algs": allowed} if allowed else {}


async def _refused(target: LoginTarget) -> Unreachable:
    """Which keys were offered, and which could not be: a person otherwise guesses for an hour."""
    there, node = target.there, target.node
    held = await agent_keys(there.agent)
    closed = [path for path in there.tried_keys if locked(path) and public_of(path) not in held]
    tried = [str(path) for path in there.tried_keys if not locked(path)]
    tried += [f"{len(held)} of the agent"] if held else []
    cause = f"{there.who} refused every key ({', '.join(tried) or 'there was none to try'})"
    if closed:
        return Unreachable(
            f"{cause}; {', '.join(map(str, closed))} is encrypted and not in the agent",
            hint=f"ssh-add {closed[0]}",
            node=node,
        )
    make = "" if tried else "ssh-keygen -t ed25519, then: "
    hint = f"try: ssh {there.ssh_words}; put a key there: {make}ssh-copy-id {there.ssh_words}"
    return Unreachable(cause, hint=hint, node=node)


def _unreachable(target: LoginTarget, error: Exception, proxy: ProxyCommand | None) -> Unreachable:
    """A sentence for each way in which there is no connection."""
    there = target.there
    server = f"{there.host} port {there.port}"
    number = error.errno if isinstance(error, OSError) and error.errno else _number(error)
    match error:
        case asyncssh.ChannelOpenError() if target.tunnel is not None:
            text = (
                f"its jump host cannot reach {server}: {error.reason}",
                "is it on, and is the address right as the jump host sees it?",
            )
        case asyncssh.KeyImportError():
            text = (f"a key cannot be used: {error}", "an encrypted key belongs into the agent: ssh-add")
        case socket.gaierror():
            text = (
                f"nobody knows the name {there.host}: {error.strerror}",
                "use its address, or name it in ~/.ssh/config",
            )
        case _ if number == errno.ECONNREFUSED:
            text = (f"{server} refused the connection", "is sshd running there, and is it that port?")
        case _ if number in _NO_ROUTE:
            text = (f"there is no route to {there.host}", "is it on, and in a network this machine reaches?")
        case _ if number == errno.ETIMEDOUT:
            text = (f"no answer from {server}", "is it on, and is the address right?")
        case asyncssh.DisconnectError() | ConnectionError():
            text = _ended_early(target, error, proxy)
        case _:
            text = (f"no connection to {server}: {error}", f"try: ssh {there.ssh_words}")
    return Unreachable(text[0], hint=text[1], node=target.node)


def _ended_early(target: LoginTarget, error: Exception, proxy: ProxyCommand | None) -> tuple[str, str]:
    there = target.there
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return (
            f"{target.subject} and this console share no way to talk: {error}",
            "is its sshd very old, or restricted?",
        )
    if proxy is not None:
        proxy.end()
        words = f", and it said {proxy.last_words!r}" if proxy.last_words else ""
        return (
            f"its ProxyCommand `{there.proxy[:200]}` leads to no SSH server{words}",
            f"try it by hand: ssh {there.ssh_words}",
        )
    server, words = f"{there.host} port {there.port}", str(error)
    if "Too many authentication failures" in words:
        return (
            f"{server} was offered more keys than it lets anybody try: {words}",
            "name the right one: IdentityFile and `IdentitiesOnly yes` in ~/.ssh/config",
        )
    if words.startswith(("Banner line too long", "Too many banner lines")):
        return (f"{server} says too much before login: {words}", "is it an SSH server?")
    if "banner" in words:
        return (
            f"{server} sends a login banner that is not UTF-8, which cannot be read here: {words}",
            "on the machine: save the file that `Banner` in sshd_config names as UTF-8, or say `Banner none`",
        )
    return (
        f"{server} closed the connection before login: {words}",
        "is it an SSH server, and are there too many simultaneous logins (MaxStartups)?",
    )


def _number(error: Exception) -> int:
    """asyncio tells several addresses' errors in one text without a number."""
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return int(found[1]) if found else 0
