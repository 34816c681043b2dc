"""The `vllm serve` processes of a container: which there are, whoever started them; how they are ended."""

from __future__ import annotations

from collections.abc import Iterable

from sparkconsole.errors import SparkError
from sparkconsole.model.docker_host import ENGINE_S
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.parse.serve.vllm_serve import parse_ranks
from sparkconsole.remote.foreseen_shell import then_on
from sparkconsole.remote.shell import Shell

_NOT_THERE = ("No such container", "is not running")
"""What the engine says of a container that ended since somebody saw it."""
# Zombies are nobody: where PID 1 is `ray start`, they stay. A newline in a word would end the line.
_LOOK = r"""
for c in $(grep -la vllm /proc/[0-9]*/cmdline 2>/dev/null); do
  p=${c#/proc/}; p=${p%/cmdline}
  stat=$(cat "/proc/$p/stat" 2>/dev/null) && words=$(tr '\0\n' '\037 ' <"$c" 2>/dev/null) || continue
  set -- ${stat##*) }
  [ "$1" = Z ] || printf 'process %s %s %s\n' "$p" "$3" "$words"
done
for f in /tmp/sparkconsole-serve-*.pid; do
  [ -e "$f" ] && printf 'job %s %s\n' "$(cat "$f")" "${f#/tmp/sparkconsole-}"
done; :
"""

# $1 is `all` when no other server stays: then also processes that carry vLLM's title and outlived theirs, or
# run for Ray, are ended, each by its own number: their group is Ray's. The rest are the process groups.
_LEFT = r"""
all=$1; shift
members(){ cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) .*) [^Z] [0-9]* $1 .*/\1/p"; }
titled(){
  [ "$all" = all ] || return 0
  grep -la '^VLLM::' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
}
left(){ for g do members "$g"; done; titled; }
"""
_END = (
    _LEFT
    + r"""
end(){ for g do kill "$s" -"$g" 2>/dev/null; done; for p in $(titled); do kill "$s" "$p" 2>/dev/null; done; }
s=-TERM; end "$@"; n=0
while [ -n "$(left "$@")" ]; do
  n=$((n+1)); [ $n -eq 150 ] && { s=-KILL; end "$@"; }
  [ $n -lt 250 ] || exit 20; sleep 0.2
done
"""
)
_GONE = _LEFT + '[ -z "$(left "$@")" ]\n'


def look_argv(container: str) -> tuple[str, ...]:
    """The command that lists them."""
    return ("docker", "exec", container, "sh", "-c", _LOOK, "serve-look")


def end_argv(container: str, groups: Iterable[int | str], *, everything: bool) -> tuple[str, ...]:
    """The command that ends these groups, by force after 30 s; it returns once they are gone."""
    return _on_groups(container, _END, "serve-stop", groups, everything)


def gone_argv(container: str, groups: Iterable[int | str], *, everything: bool) -> tuple[str, ...]:
    """The command that succeeds when nothing of them is left."""
    return _on_groups(container, _GONE, "serve-gone", groups, everything)


def _on_groups(
    container: str, text: str, name: str, groups: Iterable[int | str], everything: bool
) -> tuple[str, ...]:
    which = "all" if everything else "these"
    return ("docker", "exec", container, "sh", "-c", text, name, which, *map(str, groups))


async def live_ranks(shell: Shell, container: str) -> tuple[LiveRank, ...]:
    """Every `vllm serve` that runs in the container; SparkError when it cannot be asked."""
    then = then_on(shell)
    if then.rebooted or container in then.renewed:
        return then.ranks(container, ())
    done = await shell.run(look_argv(container), timeout=ENGINE_S)
    if any(words in done.error_text for words in _NOT_THERE):
        raise SparkError(f"no container {container} runs", hint="then no server does", node=shell.node)
    return then.ranks(container, parse_ranks(done.checked().text, shell.node))
