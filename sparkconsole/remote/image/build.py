"""What a node needs for a build: a docker with BuildKit, room, and (for vLLM from source) a known commit."""

from __future__ import annotations

from collections.abc import Mapping

from sparkconsole.errors import SparkError
from sparkconsole.model.image.build import VLLM_REPOSITORY, Builder, BuilderKind, is_commit
from sparkconsole.parse.image.recipe import commit_named
from sparkconsole.remote.shell import Shell

# The first docker on PATH wins when it has BuildKit; else the first one that has. A client before 23 has it
# built in; a later one needs the buildx plugin and refuses DOCKER_BUILDKIT=1 without it. --build-context came
# with buildx 0.8, and with the reader of Dockerfiles that is in engines since 23.
BUILDER = r"""
contexts(){
  timeout 10 "$1" buildx build --help 2>/dev/null | grep -q -e --build-context || return
  v=$(timeout 10 "$1" version --format '{{.Server.Version}}' 2>/dev/null); v=${v%%.*}
  case $v in ''|*[!0-9]*) ;; *) [ "$v" -ge 23 ] && echo contexts;; esac
}
first=$(command -v docker) || exit 0
for b in "$first" /usr/bin/docker /usr/local/bin/docker; do
  [ -x "$b" ] || continue
  name=$b; [ "$b" = "$first" ] && name=docker
  if timeout 10 "$b" buildx version >/dev/null 2>&1; then echo "buildx $name $(contexts "$b")"; exit 0; fi
  v=$(timeout 10 "$b" --version 2>/dev/null | sed 's/^Docker version \([0-9]*\)\..*/\1/')
  case $v in ''|*[!0-9]*) ;; *) [ "$v" -lt 23 ] && { echo "built-in $name"; exit 0; };; esac
done
echo "classic docker"
"""
_KINDS: Mapping[str, BuilderKind] = {
    "buildx": BuilderKind.BUILDX,
    "built-in": BuilderKind.BUILT_IN,
    "classic": BuilderKind.CLASSIC,
}


async def builder(shell: Shell) -> Builder:
    """The docker to build with; SparkError when the node has none."""
    lines = (await shell.run(("sh", "-c", BUILDER, "builder"), timeout=60)).checked().text.split()
    if len(lines) not in (2, 3) or lines[0] not in _KINDS:
        raise SparkError(
            "docker is not installed",
            hint="install Docker on it, or build --on another node",
            node=shell.node,
        )
    return Builder(lines[1], _KINDS[lines[0]], contexts=lines[2:] == ["contexts"])


async def vllm_commit(shell: Shell, ref: str) -> tuple[str, str]:
    """The commit that `ref` of vLLM names now, and what `ref` is (commit, tag, branch); ("", "") if unknown.

    Asked of the repository with `git ls-remote` from the node, which needs the network anyway to build.
    """
    if is_commit(ref):
        return ref, "commit"
    question = ("git", "ls-remote", VLLM_REPOSITORY, ref, f"{ref}^{{}}")
    done = await shell.run(("env", "GIT_TERMINAL_PROMPT=0", "timeout", "10", *question), timeout=20)
    return commit_named(done.text, ref) if done.ok else ("", "")
