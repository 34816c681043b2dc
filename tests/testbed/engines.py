"""Other Docker engines than the machine's: newer Debians', which can keep images the containerd way."""

from __future__ import annotations

import subprocess
from pathlib import Path

KEPT = Path("/var/lib/sparkconsole-engines")
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("docker.io", "docker-cli", "containerd")
"""Debian's docker.io of bookworm has the client in it; later ones have not. runc is the machine's own."""


def engine(suite: str) -> Path:
    """The folder with a suite's engine below `usr/`, fetched once, verified by apt's keys.

    `trixie` has Docker 26, `forky` Docker 28.
    """
    target = KEPT / suite
    if not (target / "usr" / "sbin" / "dockerd").exists():
        packages = _fetched(KEPT / f"{suite}.apt", suite)
        fresh = KEPT / f"{suite}.new"
        for package in packages:
            _run(fresh.parent, "dpkg-deb", "--extract", str(package), str(fresh))
        fresh.rename(target)
    return target


def _fetched(folder: Path, suite: str) -> list[Path]:
    """The packages, by an apt that knows this suite only and leaves the machine's alone."""
    for name in ("lists/partial", "cache/archives/partial", "debs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(
        f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {MIRROR} {suite} main\n"
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
