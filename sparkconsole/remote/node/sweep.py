"""What ended consoles left on a node and nobody needs any more is removed: only what is provably ours.

A name of ours alone is no proof that nobody uses it: whose process lives stays, and so does what belongs to a
run that is not known to have ended. What is kept to go on from (a copy that was cut) is no leftover.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sparkconsole.remote.jobs import script
from sparkconsole.remote.shell import Shell

OLD_DAYS = 7
"""A job that no journal here knows may be somebody else's: its folder stays so long after the end."""
MOST_S, TIMEOUT_S = 6, 12.0
"""A sweep that does not come to its end goes on the next time."""
_MOST = 64
"""Leftovers of a kind that are removed in one sweep."""

# $1 days, $2 seconds in all; then `keep` with jobs and runs that are not over, and `over` with jobs that are.
# What another login owns is not looked at. A carrier of layers goes where the image that it was for has come.
_FILES = r"""
days=$1 most=$2; shift 3; keep=' ' over=' ' jobs=0 marks=0 folders=0 readers=0 carriers=0
while [ $# -gt 0 ] && [ "$1" != over ]; do keep="$keep$1 "; shift; done
[ $# -eq 0 ] || shift; for i do over="$over$i "; done
read -r t _ </proc/uptime; end=$((${t%.*} + most))
late(){ read -r t _ </proc/uptime; [ "${t%.*}" -ge "$end" ]; }
lives(){ [ -n "$1" ] && [ "$(cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null)" = "$2" ]; }
old(){ [ -n "$(find "$1" -maxdepth 0 -mtime "+$days" 2>/dev/null)" ]; }
is(){ case "$1" in *" $2 "*) return 0;; esac; return 1; }
own(){ [ -O "$1" ] && [ ! -L "$1" ]; }

all=${XDG_STATE_HOME:-$HOME/.local/state}/sparkconsole/jobs
for d in "$all"/*/; do
  d=${d%/} i=${d##*/}; own "$d" && [ -d "$d" ] && ! is "$keep" "$i" || continue
  [ $jobs -lt MOST ] && ! late || break
  p= s=; [ ! -e "$d/pid" ] || read -r p s <"$d/pid"; lives "$p" "$s" && continue
  f=status; [ -e "$d/$f" ] || f=log; is "$over" "$i" || { old "$d" && old "$d/$f"; } || continue
  rm -rf "$d" && jobs=$((jobs+1))
done
rmdir "$all" "${all%/*}" 2>/dev/null

for f in /tmp/sparkconsole-mark-*; do
  own "$f" && [ -f "$f" ] && old "$f" && ! is "$keep" "${f##*-mark-}" || continue
  [ $marks -lt MOST ] && ! late || break
  p= b=; read -r p b _ <"$f"; lives "$p" "$b" && continue
  rm -f "$f" && marks=$((marks+1))
done
for d in /tmp/sparkconsole-????????; do
  own "$d" && [ -d "$d" ] && old "$d" && ! late || continue
  rm -rf "$d" && folders=$((folders+1))
done
""".replace("MOST", str(_MOST))
_ENGINE = r"""
c=; command -v docker >/dev/null && ! late &&
if c=$(timeout 3 docker ps -a --filter name=sparkconsole- --format '{{.Names}}'); then
  for c in $c; do
    i=${c#sparkconsole-}; is "$over" "$i" && [ ! -d "$all/$i" ] && ! late || continue
    timeout 5 docker rm -f "$c" >/dev/null && readers=$((readers+1))
  done
  l=org.sparkconsole.checkpoint
  for c in $(timeout 3 docker images -q --no-trunc --filter "label=$l" --filter dangling=true); do
    ! late || break
    has='{{json .RootFS.Layers}}' each="{{index .Config.Labels \"$l\"}}"
    seen=$(timeout 3 docker image inspect --format "$each#$has" -- "$c")
    has=$(timeout 3 docker image inspect --format "$has" -- "${seen%%#*}") || continue
    part=${seen#*#}; case $has in "${part%]}"[],]*) ;; *) continue;; esac
    timeout 5 docker rmi --no-prune "$c" >/dev/null && carriers=$((carriers+1))
  done
fi 2>/dev/null
"""
_COUNTS = 'echo "$jobs $marks $folders $readers $carriers"\n'
_KINDS = (
    "job folder", "old mark", "temporary folder", "container of a copy", "carrier of layers"
)  # fmt: skip


async def sweep(shell: Shell, keep: Iterable[str], over: Iterable[str], *, engine: bool) -> str:
    """What was removed, in words; empty when nothing was.

    `keep`: the ids of jobs and runs that are not known to be over, `over`: of jobs whose run has an end.
    `engine`: what is left in the container engine too; to find that one may take a while.
    """
    text = _FILES + (_ENGINE if engine else "") + _COUNTS
    words = (str(OLD_DAYS), str(MOST_S), "keep", *keep, "over", *over)
    done = (await shell.run(script(text, "sweep", *words), timeout=TIMEOUT_S)).checked()
    found = re.fullmatch(r"(\d{1,4}) " * 4 + r"(\d{1,4})\s*", done.text)
    return swept(tuple(map(int, found.groups()))) if found else ""


def swept(counts: tuple[int, ...]) -> str:
    """`3 job folders and one carrier of layers`."""
    pairs = ((count, kind) for count, kind in zip(counts, _KINDS, strict=True) if count)
    parts = [f"one {kind}" if count == 1 else f"{count} {_many(kind)}" for count, kind in pairs]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _many(kind: str) -> str:
    first, of, rest = kind.partition(" of ")
    return f"{first}s{of}{rest}"
