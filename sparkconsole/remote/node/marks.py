"""Marks on a node: who is changing it, a line in a file, written before the deed and removed after it.

They lie in /tmp, where every login sees them: two operators need not share an account. A mark names the
process that carries its writer's connection there, so that a console which was killed is told from one at
work. What a console runs on a node has `WHOSE` in its environment, so that it is found when that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.job import ConsoleProcess, NodeMark
from sparkconsole.remote.foreseen_shell import now_on
from sparkconsole.remote.jobs import script
from sparkconsole.remote.shell import Shell

WHOSE = "SPARKCONSOLE_CONSOLE"
NO_MARK = 22
"""The status of `MARK` where the node cannot write one."""
TIMEOUT_S = 5.0

# noclobber: nobody else's file, and no link, is written through. sshd's process for the connection ends with
# it; without one it is the console itself.
MARK = r"""
f=/tmp/sparkconsole-mark-$1 p=$PPID n=0
while [ "$p" -gt 1 ] && [ $n -lt 8 ] && read -r c <"/proc/$p/comm"; do
  case $c in sshd*|python*|sparkconsole*) break;; esac; n=$((n+1))
  p=$(sed 's/.*) [A-Za-z] \([0-9]*\) .*/\1/' "/proc/$p/stat"); done
b=$(cut -d' ' -f22 "/proc/$p/stat" 2>/dev/null); t="$p ${b:--} $2"; shift 2; umask 022; set -C
for r do rm -f "/tmp/sparkconsole-mark-$r"; done; rm -f "$f"
printf '%s\n' "$t" | cat >"$f" || { rm -f "$f"; exit 22; }
"""
LOOK = r"""
for f in /tmp/sparkconsole-mark-*; do
  [ -f "$f" ] && [ ! -L "$f" ] || continue; t=$(head -c 2000 "$f") p=${t%% *} t=${t#* } b=${t%% *} c=false
  [ -r /proc/1/stat ] && [ "$p" -gt 1 ] && [ "$(cut -d' ' -f22 "/proc/$p/stat")" != "$b" ] && c=true
  printf '{"gone":%s,%s\n' "$c" "${t#*\{}" | head -n 1
done 2>/dev/null | head -n 64
"""
# Jobs have a folder and are looked for there. `timeout` is what we put before a command.
COMMANDS = r"""
for e in $(grep -lzxF "$1" /proc/[0-9]*/environ); do
  p=${e%/environ}; grep -qz '^JOB_DIR=' "$e" || grep -qx timeout "$p/comm" ||
    echo "${p#/proc/} $(tr '\0\n' '  ' <"$p/cmdline" | head -c 200)"
done 2>/dev/null
"""


def keep_console_at(shell: Shell, console: ConsoleProcess) -> None:
    """From now on what the shell runs is known to be that console's; a pretend machine does not mind."""
    if isinstance(known := getattr(shell, "environment", None), dict):
        known[WHOSE] = _whose(console)


def _whose(console: ConsoleProcess) -> str:
    return f"{console.host}/{console.pid}/{console.born}"


async def write_mark(shell: Shell, mark: NodeMark, over: Iterable[str] = ()) -> str:
    """Writes it, and removes those of the runs `over`; why the node cannot take it, empty when it did."""
    text = mark.model_dump_json(exclude={"node", "gone"})
    done = await shell.run(script(MARK, "mark-put", mark.run, text, *over), timeout=TIMEOUT_S)
    reason = done.error_text.strip().rpartition(":")[2].strip() or "it cannot be written"
    return reason if done.status == NO_MARK else ""


def mark_path(run: str) -> str:
    """Where the mark of a run lies on each of its nodes."""
    return f"/tmp/sparkconsole-mark-{run}"  # noqa: S108 - where every login of a node sees it


async def remove_mark(shell: Shell, run: str) -> None:
    """Takes it away again."""
    await shell.run(script('rm -f "/tmp/sparkconsole-mark-$1"', "mark-remove", run), timeout=TIMEOUT_S)


async def look_for_marks(shell: Shell) -> tuple[NodeMark, ...]:
    """Everybody's, as far as they can be read."""
    found: list[NodeMark] = []
    for line in (await now_on(shell).run(script(LOOK, "marks"), timeout=TIMEOUT_S)).text.splitlines():
        with suppress(ValueError):
            found.append(NodeMark.model_validate_json(line).model_copy(update={"node": shell.node}))
    return tuple(found)


async def commands_of(shell: Shell, console: ConsoleProcess) -> tuple[tuple[str, str], ...]:
    """What that console ran there and still runs, jobs aside: process number and command, one each."""
    argv = script(COMMANDS, "commands", f"{WHOSE}={_whose(console)}")
    done = await now_on(shell).run(argv, timeout=TIMEOUT_S)
    lines = (printable(line).strip().partition(" ") for line in done.text.splitlines())
    return tuple((pid, words) for pid, _, words in lines if pid.isdecimal() and words)
