"""Nodes made of this machine: real shells, jobs and pipelines, with a `docker` and an `ssh` of a few lines.

An engine is a folder; an image is a file in it. `save` and `load` have a format with an end, so that a stream
that was cut is noticed the way the real engine notices it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkconsole.errors import SilentEngine, SparkError
from sparkconsole.model.docker import CacheRecord, Container, DiskUsage, ImageIdentity
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Shell

DOCKER = r"""#!/bin/sh
file(){ case $1 in *:*) n=$1;; *) n=$1:latest;; esac; echo "$ENGINE/images/$n"; }
fault(){ [ -e "$ENGINE/fault-$1" ]; }
case $1 in
--version) echo "Docker version 28.2.2, build 1";;
buildx) fault buildx && exit 1; [ "$2" = build ] && cat "$ENGINE/buildx.help" 2>/dev/null; exit 0;;
version) cat "$ENGINE/version" 2>/dev/null;;
info) printf 'folder %s\ndriver %s\nstatus [[Backing Filesystem extfs]]\nversion 28.2.2\narchitecture x\n' \
  "$ENGINE" "$(cat "$ENGINE/driver" 2>/dev/null || echo btrfs)";;
save)
  fault save-hangs && exec sleep 300
  [ -e "$(file "$2")" ] || { echo "Error response from daemon: reference does not exist" >&2; exit 1; }
  echo "$2"; cat "$(file "$2")"
  fault save && { echo "Error response from daemon: read error" >&2; exit 1; }
  echo END;;
load)
  fault load && { echo "write /tmp/x: no space left on device" >&2; exit 1; }
  in=$ENGINE/incoming.$$; cat >"$in"
  [ "$(tail -n 1 "$in")" = END ] || { rm "$in"; echo "unexpected EOF" >&2; exit 1; }
  name=$(head -n 1 "$in"); sed '1d;$d' "$in" >"$(file "$name")"; rm "$in"
  fault unpack && echo "Error unpacking image $name"
  fault other && echo other >>"$(file "$name")"
  echo "Loaded image: $name";;
create)
  for last; do :; done
  fault create && { echo "Error response from daemon: no such layer" >&2; exit 1; }
  [ -e "$(file "$last")" ] || exit 1; : >"$ENGINE/containers/c1"; echo c1;;
history) echo 10;;
run) echo 'exec: "python3": executable file not found in $PATH' >&2; exit 127;;  # no image here has one
image)
  [ "$2" = inspect ] || { shift; exec "$0" rmi-image "$@"; }
  for word; do :; done; f=$(file "$word"); [ -e "$f" ] || { echo "No such image: $word" >&2; exit 1; }
  echo "sha256:$(sha256sum <"$f" | cut -d' ' -f1)";;
rmi|rmi-image)  # a name, or the id of what has none
  for word; do :; done
  for f in "$ENGINE"/images/*; do case $1,$f in
    rmi,"$(file "$word")") found=$f;; rmi-image,*/nameless-*)
      [ "sha256:$(sha256sum <"$f" | cut -d' ' -f1)" = "$word" ] && found=$f;; esac; done
  [ -n "$found" ] || { echo "Error response from daemon: No such image: $word" >&2; exit 1; }
  grep -qsxF "${found##*/}" "$ENGINE"/containers/* &&
    { echo "conflict: unable to remove $word (must force) - a container is using it" >&2; exit 1; }
  fault rmi || rm "$found"; echo "Untagged: $word";;
builder) fault builder && { echo "ERROR: no builder \"default\" found" >&2; exit 1; }
  rm -f "$ENGINE"/cache/old-*; echo "Total: 1B"; printf '%s\n' "$@" >"$ENGINE/builder.argv";;
tag)
  from=$(file "$2"); for f in "$ENGINE"/images/*; do
    [ "sha256:$(sha256sum <"$f" | cut -d' ' -f1)" = "$2" ] && from=$f; done
  [ -e "$(file "$3")" ] && mv "$(file "$3")" "$ENGINE/images/nameless-$$"
  cp "$from" "$(file "$3")";;
rm) [ "$2" = -f ] && exit 0; rm "$ENGINE/containers/$2" && echo "$2";;
build)
  printf '%s\n' "$@" >"$ENGINE/build.argv"; for context; do :; done; ls "$context" >"$ENGINE/build.context"
  cat "$ENGINE/build.log" >&2
  while [ -e "$ENGINE/build.wait" ]; do sleep 0.05; done
  [ -e "$ENGINE/build.rc" ] && exit "$(cat "$ENGINE/build.rc")"
  while [ $# -gt 0 ]; do [ "$1" = -t ] && cp "$ENGINE/build.out" "$(file "$2")"; shift; done; exit 0;;
*) echo "pretend docker: $1?" >&2; exit 64;;
esac
"""

SSH = r"""#!/bin/sh
printf '%s\n' "$@" >"$WORLD/ssh.argv"
while [ "${1#-}" != "$1" ]; do
  [ "$1" = -- ] && { shift; break; }
  case $2 in HostKeyAlias=*) name=${2#*=};; UserKnownHostsFile=*) keys=${2#*=};; esac; shift 2
done
target=$1; host=${1#*@}; shift
[ -e "$WORLD/refused-$host" ] && { echo "$target: Permission denied (publickey,password)." >&2; exit 255; }
grep -q "^$name ssh-ed25519 AAAA" "$keys" || { echo "Host key verification failed." >&2; exit 255; }
[ -e "$WORLD/hosts/$host" ] || { echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255; }
echo "$host" >>"$WORLD/logins"
ENGINE=$(cat "$WORLD/hosts/$host") exec sh -c "$*"
"""

NAMELESS = "nameless-"
"""An image without a name is in a file of such a name."""


class PretendWorld:
    """The machines and the way between them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.nodes = folder, {}  # type: Path, dict[str, PretendNode]
        for name, text in {"docker": DOCKER, "ssh": SSH, "git": "#!/bin/sh\nexit 128\n"}.items():
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text)
            program.chmod(0o755)
        (folder / "hosts").mkdir()
        keys = folder / "etc-ssh"
        keys.mkdir()
        (keys / "ssh_host_ed25519_key.pub").write_text("ssh-ed25519 AAAA comment\n")

    def node(self, name: str, address: str) -> PretendNode:
        """A new machine that others reach at `address`."""
        node = self.nodes[name] = PretendNode(name, self)
        (self.folder / "hosts" / address).write_text(str(node.engine))
        return node

    def logins(self) -> list[str]:
        """The machines that somebody logged in at, node to node."""
        file = self.folder / "logins"
        return file.read_text().split() if file.exists() else []


class PretendNode(LocalShell):
    """One machine: this one, with a home and an engine of its own."""

    def __init__(self, name: str, world: PretendWorld) -> None:
        super().__init__(name)
        self.world, self.home = world, world.folder / name
        self.registered: dict[str, str] = {}
        """Digests that registries answer, by name."""
        self.engine = self.home / "engine"
        for folder in ("images", "containers", "cache"):
            (self.engine / folder).mkdir(parents=True)

    def use(self, tag: str, name: str = "c9") -> None:
        """A container, which does not run, of that image."""
        (self.engine / "containers" / name).write_text(f"{tag}\n")

    def keep_cache(self, old: int = 0, young: int = 0) -> None:
        """Build cache of so many bytes, used long ago or just now."""
        for name, count in (("old-1", old), ("young-1", young)):
            (self.engine / "cache" / name).write_text("x" * count)

    def tags(self) -> set[str]:
        """The names that images have."""
        return {f.name for f in (self.engine / "images").iterdir() if not f.name.startswith(NAMELESS)}

    def put(self, tag: str, content: str) -> None:
        """Gives the engine an image."""
        (self.engine / "images" / tag).write_text(content)

    def break_(self, *faults: str) -> None:
        """Lets the engine fail at something."""
        for fault in faults:
            (self.engine / f"fault-{fault}").touch()

    def jobs(self) -> list[str]:
        """Folders of jobs that are on the machine."""
        folder = self.home / ".local/state/sparkconsole/jobs"
        return sorted(p.name for p in folder.iterdir()) if folder.exists() else []

    async def _process(self, argv: Sequence[str], *rest: Any, **more: Any) -> asyncio.subprocess.Process:
        path = f"{self.world.folder}/bin:{os.environ['PATH']}"
        place = {"PATH": path, "HOME": self.home, "ENGINE": self.engine, "WORLD": self.world.folder}
        words = [f"{key}={value}" for key, value in place.items()]
        return await super()._process(("env", *words, *argv), *rest, **more)


def _identity(file: Path, tag: str) -> ImageIdentity:
    content = file.read_text()
    digest = hashlib.sha256(content.encode()).hexdigest()
    labels = dict(line[6:].split("=", 1) for line in content.splitlines() if line.startswith("LABEL "))
    digests = tuple(line[7:] for line in content.splitlines() if line.startswith("DIGEST "))
    size, made = len(content), "2025-12-19T12:00:00Z"
    return ImageIdentity(
        tag, f"sha256:{digest}", "linux/arm64", (digest,), "cfg", size, made, labels, digests=digests
    )


async def image(shell: Shell, tag: str) -> ImageIdentity | None:
    """As sparkconsole.remote.docker.engine.image."""
    assert isinstance(shell, PretendNode)
    file = shell.engine / "images" / (tag if ":" in tag else f"{tag}:latest")
    return _identity(file, tag) if file.exists() else None


async def digest_in_registry(shell: Shell, name: str) -> str:
    """As sparkconsole.remote.docker.engine.digest_in_registry; SparkError where nothing was registered."""
    assert isinstance(shell, PretendNode)
    if name not in shell.registered:
        cause = 'docker says: Get "https://registry-1.docker.io/v2/": dial tcp: \x1b[1mno such host\n again'
        raise SparkError(cause, node=shell.node)
    return shell.registered[name]


async def every_image(shell: Shell) -> tuple[ImageIdentity, ...]:
    """As sparkconsole.remote.docker.engine.every_image."""
    assert isinstance(shell, PretendNode)
    files = sorted((shell.engine / "images").iterdir())
    return tuple(_identity(f, "" if f.name.startswith(NAMELESS) else f.name) for f in files)


async def images(shell: Shell) -> tuple[ImageIdentity, ...]:
    """As sparkconsole.remote.docker.engine.images."""
    return tuple(image for image in await every_image(shell) if image.tag)


async def containers(shell: Shell) -> tuple[Container, ...]:
    """As sparkconsole.remote.docker.engine.containers."""
    assert isinstance(shell, PretendNode)
    files = sorted((shell.engine / "containers").iterdir())
    return tuple(Container(f.name, f.name, f.read_text().strip(), "", "exited") for f in files)


async def disk_usage(shell: Shell) -> DiskUsage:
    """As sparkconsole.remote.docker.engine.disk_usage; same content counts once."""
    assert isinstance(shell, PretendNode)
    if (shell.engine / "fault-usage").exists():
        raise SilentEngine(shell.node, 10)
    found = {i.id: i.size_bytes for i in await every_image(shell)}
    records = tuple(
        CacheRecord(f.stat().st_size, f"{'2020' if f.name.startswith('old') else '2999'}-01-01T00:00:00Z")
        for f in sorted((shell.engine / "cache").iterdir())
    )
    return DiskUsage(sum(found.values()), sum(r.size_bytes for r in records), records, 10**12)
