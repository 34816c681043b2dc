"""Other Docker engines than the machine's: a newer Debian's, for nodes that keep images the containerd way.

`TESTBED_ENGINE_SUITE` names another suite to take them from (`forky` has Docker 28).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

KEPT = Path("/var/lib/sparkconsole-engines")
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("docker.io", "docker-cli", "containerd")
"""Debian's docker.io of bookworm has the client in it; later ones have not. runc is the machine's own."""


def suite() -> str:
    """Debian's name of the release that engines are taken from; trixie has Docker 26."""
    return os.environ.get("TESTBED_ENGINE_SUITE", "trixie")


def engine() -> Path:
    """The folder with the suite's engine below `usr/`, fetched once, verified by apt's keys."""
    target = KEPT / suite()
    if not (target / "usr" / "sbin" / "dockerd").exists():
        packages = _fetched(KEPT / f"{suite()}.apt")
        fresh = KEPT / f"{suite()}.new"
        for package in packages:
            _run(fresh.parent, "dpkg-deb", "--extract", str(package), str(fresh))
        fresh.rename(target)
    return target


def _fetched(folder: Path) -> list[Path]:
    """The packages, by an apt that knows this suite only and leaves the machine's alone."""
    for name in ("lists/partial", "cache/archives/partial", "debs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(
        f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {MIRROR} {suite()} main\n"
    )
    places = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    options = [word for key, value in places.items() for word in ("-o", f"{key}={value}")]
    _run(folder, "apt-get", *options, "-qq", "update")
    _run(folder / "debs", "apt-get", *options, "-qq", "download", *PACKAGES)
    return sorted((folder / "debs").glob("*.deb"))


def _run(folder: Path, *argv: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr[-2000:]}")
