"""Why a host key is refused (revoked, another one, of another kind, not trusted yet), and what to do next."""

from __future__ import annotations

import shlex

import asyncssh

from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable
from sparkconsole.model.cluster import with_port
from sparkconsole.remote.host_keys.known_hosts import KnownHost
from sparkconsole.remote.host_keys.shown import host_key, shown_by
from sparkconsole.remote.ssh_config.client_config import place
from sparkconsole.remote.ssh_config.place import SshDestination
from sparkconsole.remote.ssh_config.route import LoginTarget


def key_error(
    target: LoginTarget, key: asyncssh.SSHKey | None, known: KnownHost, error: Exception
) -> Unreachable:
    """A key that is revoked, another one than the trusted, or one that is not trusted yet."""
    there, node, server = target.there, target.node, target.subject
    if key is None:
        return ChangedHostKey(
            f"{server} shows a host key that must not be trusted: {error}",
            hint="known_hosts says so: look for @revoked and @cert-authority there",
            node=node,
        )
    if known.trusted:
        return ChangedHostKey(
            f"{server} shows another host key than the trusted one: {key.get_fingerprint()}",
            hint=f"if the machine was set up again, remove the old key with {_remove(there)} "
            "and trust the new one; if not, somebody may be in between",
            node=node,
        )
    whose = f"{server}'s" if target.jump else "its"
    unseen = f" (ssh would take it unseen: StrictHostKeyChecking {there.takes_unseen})"
    return UnknownHostKey(
        f"{whose} host key is not trusted yet: {key.get_fingerprint()}",
        fingerprint=key.get_fingerprint(),
        hint="compare it with the machine's, then: sparkconsole node trust "
        f"{_trust_name(target)}{unseen if there.takes_unseen else ''}",
        node=node,
    )


async def other_kinds(target: LoginTarget, known: KnownHost) -> ChangedHostKey | None:
    """The server shows keys, and none of the kinds that are trusted; None when that is not why it hung up."""
    shown, _ = await shown_by(target)
    trusted = {host_key(key).kind for key in known.trusted}
    if not shown or trusted & {key.kind for key in shown}:
        return None
    keys = ", ".join(f"{key.kind} {key.fingerprint}" for key in shown)
    return ChangedHostKey(
        f"{target.subject} shows none of the kinds of host key that are trusted: "
        f"{', '.join(sorted(trusted))} is trusted, it shows {keys}",
        hint="compare the fingerprint with the machine's; if it is right, remove the old key with "
        f"{_remove(target.there)}, then: sparkconsole node trust {_trust_name(target)}",
        node=target.node,
    )


def _remove(there: SshDestination) -> str:
    return f"ssh-keygen -R {shlex.quote(there.entry_name)}"


def _trust_name(target: LoginTarget) -> str:
    """What `node trust` must be given to come to this very server."""
    if not target.jump:
        return target.node
    address, port = target.there.address, target.there.port
    return address if place(address).port == port else with_port(address, port)
