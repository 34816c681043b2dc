"""Fresh Debian roots with `python3`, `make` and `ca-certificates` alone, and a stranger in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.field.places import CACHE, ENVIRONMENT, INSIDE, checkout
from tests.field.seen import Seen
from tools.environment import index_url

SUITES = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian 12 and 13, each with its Python."""
PACKAGES = "python3,make,ca-certificates"
STRANGER, NUMBER = "ann", 1234
HOME = f"/home/{STRANGER}"
INSIDE_FOLDER = f"{HOME}/sparkconsole"
ENTER = """
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && root=$1 && shift &&
exec chroot --userspec="$0" "$root" /usr/bin/env -i "$@"
"""
CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Root:
    """One fresh root with the checkout in the stranger's home; `folder` is its `/`."""

    folder: Path

    def words(
        self, line: str, variables: Mapping[str, str] | None = None, who: str = f"{NUMBER}:{NUMBER}"
    ) -> tuple[str, ...]:
        """A shell line of the stranger's, in mount and process spaces of its own: nothing outlives it."""
        given = {**handed_in(), **(variables or {})}
        pairs = (f"{name}={value}" for name, value in given.items())
        shell = ("sh", "-c", f"cd {INSIDE_FOLDER} && {line}")
        enter = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, who)
        return (*enter, str(self.folder), *pairs, *shell)

    def install(self, package: str) -> None:
        """As the machine's owner would: apt's own, with what it depends on."""
        line = f"apt-get update -qq && apt-get install -qq --no-install-recommends {package}"
        words = self.words(
            line, {"DEBIAN_FRONTEND": "noninteractive", "PATH": os.defpath + ":/usr/sbin:/sbin"}, "0:0"
        )
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, line: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """What the line says and how it ends; there is no terminal."""
        return subprocess.run(
            self.words(line), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip

    def seen(self, line: str) -> Seen:
        """The line in a terminal of its own."""
        return Seen(self.words(line), ENVIRONMENT, self.folder, (120, 40))


def handed_in() -> dict[str, str]:
    """The stranger's environment: a plain one, and this machine's way to a package index."""
    way = {n: v for n, v in ENVIRONMENT.items() if n.startswith("PIP_") or n in CERTIFICATES}
    local = {n for n, v in way.items() if v.startswith("/") and n not in CERTIFICATES}
    path = "/usr/local/bin:/usr/bin:/bin"
    plain = {"HOME": HOME, "PATH": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", INSIDE: "1"}
    return {**plain, **{n: v for n, v in way.items() if n not in local}}


def fresh(suite: str, folder: Path) -> Root:
    """A copy of the kept root, with the checkout in it as a clone has it."""
    root = folder / suite
    subprocess.run(("cp", "-a", "--reflink=auto", made(suite), root), check=True)
    for name in ("/etc/resolv.conf", "/etc/hosts", *_certificates()):
        _copied(Path(name), root)
    (root / "etc/pip.conf").write_text(f"[global]\nindex-url = {index_url()}\n")
    subprocess.run(("chroot", root, "useradd", "-m", "-u", str(NUMBER), STRANGER), check=True)
    place = root / INSIDE_FOLDER.lstrip("/")
    for path in checkout():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, place / path)
    subprocess.run(("chown", "-R", f"{NUMBER}:{NUMBER}", root / HOME.lstrip("/")), check=True)
    return Root(root)


def made(suite: str) -> Path:
    """The root as debootstrap makes it, kept; a half-made one is made again."""
    kept = CACHE / "roots" / suite
    if not kept.is_dir():
        making = kept.with_name(f"{suite}.making.{os.getpid()}")
        making.parent.mkdir(parents=True, exist_ok=True)
        words = ("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(making))
        done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        making.rename(kept)
    return kept


def _certificates() -> set[str]:
    return {ENVIRONMENT[name] for name in CERTIFICATES if name in ENVIRONMENT}


def _copied(path: Path, root: Path) -> None:
    if path.is_file():
        there = root / str(path).lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.unlink(missing_ok=True)
        shutil.copy(path, there)
