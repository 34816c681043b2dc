"""The memory guard of a served model: a job beside it in its container, on every node that takes part.

It needs neither console nor connection. At the line it says why in the server's own log and in its own, ends
the server's processes on its node, and exits with FIRED; when the server has gone, it goes.
"""

from __future__ import annotations

FIRED = 3
"""How a guard ends that ended its server."""
SAYS = "sparkconsole guard:"

# MemAvailable and PSI are read by the shell itself: no process is started for that, but the pause's own.
# $1 is the line in kB, $2 the job whose group leads the server here; empty where only Ray's workers are.
SCRIPT = r"""
line=$1 job=$2 f=/tmp/sparkconsole-$2.pid n=0 seen=0 idle=0 low=0 psi=/proc/pressure/memory
group(){ g=; [ -n "$job" ] && [ -e "$f" ] && read -r g <"$f"; [ -n "$g" ]; }
titled(){ grep -la '^VLLM::' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }
end(){ [ -n "$g" ] && kill "$1" "-$g" 2>/dev/null; for p in $(titled); do kill "$1" "$p" 2>/dev/null; done; }
fire(){
  group; why="sparkconsole guard: MemAvailable is $free kB, the line is $line kB: \
the server is ended before the machine freezes"
  echo "$why"
  for p in $g $(titled); do echo "$why" >"/proc/$p/fd/1"; done 2>/dev/null
  end -TERM; sleep 3; end -KILL; exit 3
}
while :; do
  free=$line stalled=0
  while read -r key value _; do [ "$key" = MemAvailable: ] && free=$value; done </proc/meminfo
  [ ! -r $psi ] || while read -r kind ten _; do [ "$kind" = full ] && stalled=${ten#avg10=}; done <$psi
  if [ "$free" -lt "$line" ] || { [ "$free" -lt $((line * 3 / 2)) ] && [ "${stalled%%.*}" -ge 20 ]; }
  then low=$((low + 1)); else low=0; fi
  [ $low -lt 2 ] || fire
  n=$((n + 1))
  if [ $((n % 10)) -eq 0 ]; then
    if group || [ -n "$(titled)" ]; then seen=1 idle=0; else idle=$((idle + 1)); fi
    [ $seen = 1 ] && [ $idle -ge 2 ] && exit 0
    [ $seen = 0 ] && [ $n -ge 1800 ] && exit 0
  fi
  sleep 0.5
done
"""


def guard_argv(line_bytes: int, job: str) -> tuple[str, ...]:
    """The command, inside the container."""
    return ("sh", "-c", SCRIPT, "memory-guard", str(line_bytes // 1024), job)
