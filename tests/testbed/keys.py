"""Keys and homes: the operator may log in everywhere, the nodes' users into each other, all verified."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.testbed.places import Places

USERS = {"root": 0, "spark": 1500, "guest": 1501}
MOST_NODES = 16


def make_key(path: Path, comment: str) -> None:
    """An ed25519 key pair without passphrase, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
        subprocess.run(words, check=True)


def host_key(places: Places, index: int) -> Path:
    """The node's host key, kept over reboots."""
    path = places.disk / places.node(index) / "hostkeys" / "ssh_host_ed25519_key"
    make_key(path, places.node(index))
    return path


def furnish(places: Places, index: int) -> None:
    """Homes with authorized keys; `spark` of every node may log in as `spark` on every other."""
    make_key(places.state / "operator" / "id_ed25519", "operator")
    make_key(places.disk / "nodes-key" / "id_ed25519", "nodes")
    host_key(places, index)
    disk = places.disk / places.node(index)
    for user, number in USERS.items():
        home = disk / "root" if user == "root" else disk / "home" / user
        _ssh_folder(places, home / ".ssh", with_key=user != "guest")
        _own(home, number)


def _ssh_folder(places: Places, folder: Path, *, with_key: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    node_key = places.disk / "nodes-key" / "id_ed25519"
    operator = (places.state / "operator" / "id_ed25519.pub").read_text()
    (folder / "authorized_keys").write_text(operator + node_key.with_suffix(".pub").read_text())
    if with_key:
        shutil.copy(node_key, folder / "id_ed25519")
        (folder / "id_ed25519").chmod(0o600)
    folder.chmod(0o700)


def _own(home: Path, number: int) -> None:
    os.chown(home, number, number)
    for path in (home / ".ssh", *(home / ".ssh").iterdir()):
        os.chown(path, number, number)


def operator_home(places: Places, folder: Path) -> dict[str, str]:
    """The environment of an operator whose home is `folder`: a key, no known hosts, nothing inherited."""
    ssh = folder / ".ssh"
    ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("id_ed25519", "id_ed25519.pub"):
        shutil.copy(places.state / "operator" / name, ssh / name)
        (ssh / name).chmod(0o600)
    return {
        "HOME": str(folder),
        "USER": "spark",
        "PATH": f"{Path(os.sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",  # type: ignore[attr-defined]
        "LANG": "C.UTF-8",
        "TERM": "dumb",
    }
