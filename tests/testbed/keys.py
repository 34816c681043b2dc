"""Keys and homes: the operator may log in everywhere, nodes into each other; every host key is verified."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.testbed.places import NETWORKS, Places

USERS = {"root": 0, "spark": 1000, "guest": 1001}
"""Their numbers; `guest` may not use Docker and has no way to the other nodes."""


def make_key(path: Path, comment: str) -> Path:
    """An ed25519 key pair without passphrase, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
        subprocess.run(words, check=True, timeout=60)
    return path


def host_key(places: Places, index: int) -> Path:
    """The node's host key, kept over reboots."""
    name = places.node(index)
    return make_key(places.disk / name / "hostkeys" / "ssh_host_ed25519_key", name)


def operator_key(places: Places) -> Path:
    """The key that the operator logs in with."""
    return make_key(places.disk / "operator" / "id_ed25519", "operator")


def node_key(places: Places, index: int) -> Path:
    """The key of a node's users, for the way to the other nodes."""
    name = places.node(index)
    return make_key(places.disk / name / "key" / "id_ed25519", f"spark@{name}")


def replace_host_key(places: Places, index: int) -> Path:
    """Another host key, as after a new installation; the first one is kept aside."""
    path = host_key(places, index)
    first = path.parent / "first"
    if not first.exists():
        first.mkdir()
        for half in (path, _public(path)):
            shutil.copy2(half, first)
    for half in (path, _public(path)):
        half.unlink()
    return host_key(places, index)


def restore_host_key(places: Places, index: int) -> Path:
    """The node's first host key again."""
    path = host_key(places, index)
    for half in (path.parent / "first").glob("ssh_host_*"):
        shutil.copy2(half, path.parent)
    return path


def known_line(places: Places, index: int) -> str:
    """A node's line of a known_hosts file: its name and every address, and the key it shows now."""
    names = (places.node(index), *(places.address(index, network) for network in NETWORKS))
    derive = ("ssh-keygen", "-y", "-f", str(host_key(places, index)))
    shown = subprocess.run(derive, capture_output=True, text=True, check=True, timeout=60).stdout
    return f"{','.join(names)} {' '.join(shown.split()[:2])}"


def introduce(places: Places, indices: Iterable[int]) -> None:
    """Homes with keys on every disk: `spark` and root of each node may log in on every other."""
    nodes = sorted({*indices, *_furnished(places)})
    privates = (operator_key(places), *(node_key(places, index) for index in nodes))
    keys = [_public(private).read_text() for private in privates]
    for index in nodes:
        for user, number in USERS.items():
            home = places.disk / places.node(index) / ("root" if user == "root" else f"home/{user}")
            trusted = user != "guest"
            _fill_home(places, index, home, keys if trusted else keys[:1])
            if trusted:
                _know_peers(places, home / ".ssh" / "known_hosts", nodes)
            _own(home, number)


def _furnished(places: Places) -> set[int]:
    names = (path.name for path in places.disk.glob("*") if (path / "key").is_dir())
    return {index for name in names if (index := places.index(name))}


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def _fill_home(places: Places, index: int, home: Path, keys: list[str]) -> None:
    folder = home / ".ssh"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / "authorized_keys").write_text("".join(keys))
    if len(keys) > 1:
        for half in (node_key(places, index), _public(node_key(places, index))):
            shutil.copy2(half, folder)


def _know_peers(places: Places, known_hosts: Path, nodes: list[int]) -> None:
    """Only who is not known yet: a peer whose key changed stays a stranger, as on real machines."""
    known = known_hosts.read_text() if known_hosts.exists() else ""
    met = {line.split(",")[0] for line in known.splitlines()}
    fresh = [f"{known_line(places, i)}\n" for i in nodes if places.node(i) not in met]
    known_hosts.write_text(known + "".join(fresh))


def _own(home: Path, number: int) -> None:
    for path in (home, home / ".ssh", *(home / ".ssh").iterdir()):
        os.chown(path, number, number)


def operator_home(places: Places, folder: Path) -> dict[str, str]:
    """The environment of an operator whose home is `folder`: a key, no known hosts, nothing inherited."""
    ssh = folder / ".ssh"
    ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    for half in (operator_key(places), _public(operator_key(places))):
        shutil.copy2(half, ssh)
    return {
        "HOME": str(folder),
        "USER": "spark",
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "XDG_STATE_HOME": str(folder / ".local" / "state"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "XDG_DATA_HOME": str(folder / ".local" / "share"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
    }
