"""The two ends of a copy between nodes: what each says of itself, and how the sender reaches the receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkconsole.errors import SparkError
from sparkconsole.model.cluster import Node
from sparkconsole.model.fabric.links import Fabric, choose_network, is_fabric_address, reaches

PROGRAMS = "programs"
"""What the folder of a copy's program is called in its job's."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A machine that something is copied to, as the sender reaches it."""

    name: str
    """What the console calls it."""
    address: str
    """Where the sender connects to."""
    login: str = ""
    port: int = 22
    host_keys: tuple[str, ...] = ()
    """`KIND BASE64` of the keys that the console's own, verified connection vouches for."""
    docker_host: str = ""
    """Where its engine listens, if that is not its docker command's own choice."""
    on_fabric: bool = True
    """The address is on a ConnectX-7 port."""

    @property
    def target(self) -> str:
        """`login@address` as ssh takes it."""
        return f"{self.login}@{self.address}" if self.login else self.address


@dataclass(frozen=True, slots=True)
class CopySite:
    """What a machine says of itself as one end of a copy."""

    login: str = ""
    address: str = ""
    """Its own address on the console's connection."""
    port: int = 22
    """Where its sshd listens."""
    docker_host: str = ""
    """Where its engine listens, where that is said."""
    folder: str = ""
    """Where its engine keeps images."""
    driver: str = ""
    """Its storage driver: `overlay2`; `overlayfs` is containerd's."""
    containerd_store: bool = False
    """Images live in containerd's store, whatever the driver is called."""
    version: str = ""
    """Of its engine."""
    python: bool = False
    """It has a python3."""
    architecture: str = ""
    """Of its engine, as image platforms name it: `arm64`, `amd64`; empty: it could not say."""
    free_bytes: int | None = None
    """Free in `folder`; None: it could not say."""
    host_keys: tuple[str, ...] = ()
    """`KIND BASE64` of its sshd's public keys."""


def known_hosts(receiver: Receiver) -> str:
    """The file that the sender's ssh believes, and nothing else: our keys under the receiver's name."""
    return "".join(f"{receiver.name} {key}\n" for key in receiver.host_keys)


def ssh_argv(receiver: Receiver) -> tuple[str, ...]:
    """How the sender reaches the receiver: never a prompt, never a new key, a dead peer noticed in 15 s.

    What the sender's own files say for people would end the stream or spoil its bytes (a command, a terminal,
    forwarded ports), or lead around the key that is verified here (a shared connection): it does not count.
    The fast cipher comes first (measured twice as fast as OpenSSH's default); the others stay possible.
    """
    options = (
        "BatchMode=yes",
        "ConnectTimeout=10",
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=known_hosts",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        "ClearAllForwardings=yes",
        "ControlPath=none",
        f"HostKeyAlias={receiver.name}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "Ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
    )
    flags = tuple(word for option in options for word in ("-o", option))
    return ("ssh", *flags, "-p", str(receiver.port), "--", receiver.target)


def authorise_hint(receiver: Receiver, sender: str) -> str:
    """What lets the sender log in at the receiver."""
    port = f"-p {receiver.port} " if receiver.port != 22 else ""
    return (
        f"on {sender}: ssh-copy-id {port}{receiver.target} (a key is made by ssh-keygen -t ed25519); "
        "or copy with --through-console, which needs no such login but is slower"
    )


def way_to(node: Node, fabric: Fabric, peers: Sequence[Fabric], seen: CopySite) -> tuple[str, str]:
    """The address that the sender connects to, and a warning (or "") when it is not on a ConnectX-7 port.

    What a person said wins; then the fast address in a network of `peers` (the sender); then the address at
    which the console itself reached the machine.
    """
    address = node.fabric_address or _fast_address(node, fabric, peers) or seen.address or node.address
    if is_fabric_address(fabric, address):
        return address, ""
    fast = ", ".join(str(host) for netdev in fabric.fast() for host in netdev.hosts)
    known = f"the sender does not reach {fast}" if fast else "no ConnectX-7 address was found on it"
    known = f"its ConnectX-7 addresses: {fast}" if fast and node.fabric_address else known
    why = f"{address} is not on a ConnectX-7 port ({known})"
    return address, f"{node.name}: {why}; this copy takes a slower way"


def _fast_address(node: Node, fabric: Fabric, peers: Sequence[Fabric]) -> str:
    try:
        network = choose_network(fabric, eth_if=node.eth_if, peers=peers)
    except SparkError:
        if node.eth_if:
            raise
        return ""
    netdev = fabric.netdev(network.eth_if)
    return network.address if node.eth_if or (netdev and reaches(netdev, peers)) else ""
