"""Where a login goes, as whom, with which keys and through which machines, as the configuration says."""

from __future__ import annotations

import fnmatch
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkconsole.config.bounded_read import expanded, is_file
from sparkconsole.errors import WrongConfig
from sparkconsole.model.cluster import host, login, login_words

SSH_PORT = 22
USUAL_KNOWN = {
    "userknownhostsfile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
}
"""Where OpenSSH looks when nobody named a file."""
_CONFIGS = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
DEFAULT_KEYS = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")
"""Where OpenSSH's client looks in ~/.ssh when nobody named a key, in its order."""


@dataclass(frozen=True, slots=True)
class SshDestination:
    """One SSH server, as the configuration leads to it."""

    address: str
    """The name that was given; the configuration may lead it elsewhere."""
    host: str
    """HostName."""
    port: int
    user: str
    alias: str = ""
    """HostKeyAlias."""
    jumps: tuple[str, ...] = ()
    """ProxyJump: `[user@]host[:port]`, the nearest first."""
    proxy: str = ""
    """ProxyCommand, ready for a shell."""
    keys: tuple[Path, ...] = ()
    """Private keys, in the order in which they are offered; those that are not there are passed over."""
    certificates: tuple[Path, ...] = ()
    agent: str = ""
    """The agent's socket; empty for none."""
    named_keys_only: bool = False
    """IdentitiesOnly: of the agent's keys only those that `keys` name."""
    accepted_keys: tuple[str, ...] = ()
    """PubkeyAcceptedAlgorithms; empty for all."""
    key_login: bool = True
    """PubkeyAuthentication."""
    known_hosts: tuple[Path, ...] = ()
    """Files of trusted host keys that the configuration names; the first is the person's own."""
    hashed_names: bool = False
    """HashKnownHosts."""
    takes_unseen: str = ""
    """StrictHostKeyChecking, where ssh would take an unknown host key without asking."""
    loopback_unchecked: bool = False
    """NoHostAuthenticationForLocalhost: a server of this very machine may show any host key."""
    revoked: tuple[Path, ...] = ()
    """RevokedHostKeys."""
    family: str = ""
    """`inet` or `inet6` alone."""
    bind: str = ""
    """BindAddress."""
    host_key_algorithms: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    key_exchanges: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    """What may be agreed on; empty for the library's own choice."""
    connect_timeout_s: float | None = None

    def __post_init__(self) -> None:
        """WrongConfig for a name that ssh, or a person who is told of it, would take for something else."""
        jumps = (login_words(jump)[:2] for jump in self.jumps)
        for user, name in ((self.user, self.host), (self.user, self.alias), *jumps):
            try:
                host(name)
                login(user or "root")
            except ValueError as error:
                cause = f"{self.address}: ssh's configuration leads to {f'{user}@{name}'!r}: {error}"
                raise WrongConfig(cause, hint=f"see it whole: ssh -G {self.address}") from error

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
        return tuple(path for path in self.keys if is_file(path))

    @property
    def named_keys(self) -> tuple[Path, ...]:
        """The keys of which at least the public half is there: the private one may be the agent's."""
        return tuple(path for path in self.keys if is_file(path) or is_file(Path(f"{path}.pub")))


def known_name(host: str, port: int) -> str:
    """A host as known_hosts names it."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def usual_keys(home: Path) -> tuple[Path, ...]:
    """The keys of a person who named none."""
    return tuple(home / ".ssh" / name for name in DEFAULT_KEYS)


def hops(words: str) -> tuple[str, ...]:
    """The machines of a ProxyJump; none for `none`."""
    if words.lower() == "none":
        return ()
    return tuple(hop for hop in (part.strip() for part in words.split(",")) if hop)


def listed_files(value: str) -> tuple[str, ...]:
    """The files of one line of `ssh -G`, which prints names with spaces as it prints several names."""
    names: list[str] = []
    for word in value.split(" "):
        if names and not word.startswith(("/", "~")):
            names[-1] += f" {word}"
        else:
            names.append(word)
    return tuple(name for name in names if name)


def paths(words: Sequence[str]) -> tuple[Path, ...]:
    """Files that a configuration names; none for `none`."""
    return tuple(expanded(word) for word in words if word.lower() != "none")


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
