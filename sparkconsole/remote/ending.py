"""How a command or a job is ended with all that it started, also with what has left its process group.

Each has a name of its own in the environment of its processes (`NAME`), which what it starts inherits: a
daemon that `setsid` or a double fork made is known by it. What has another name belongs to something else: a
job is none of the command that started it.
"""

from __future__ import annotations

NAME = "SPARKCONSOLE_COMMAND"
STAYS = 20
"""The status of `end` where something does not go."""

# A process is of it that has the name, is in the group or session `$p` (`-`: none), was started by such a
# one, or was so a look ago: whose parent has ended has lost it. Zombies do not count: where PID 1 is `ray
# start`, nobody reaps them. What belongs to somebody else (sudo) is seen, and cannot be signalled.
# dash refuses `kill -TERM -- -PGID`: the group is named by its negative number alone. Not every grep has -z.
_LOOK = r"""
command -v grep sed tr cat >/dev/null || exit 21
named(){
  if printf 'x\0' | grep -azq '^x$' 2>/dev/null; then
    grep -azH '^NAME=[[:alnum:]._-]*$' /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n'
  else for environ in /proc/[0-9]*/environ; do
    tr '\0\n' '\n ' <"$environ" 2>/dev/null | sed -n "s|^NAME=[[:alnum:]._-]*$|$environ:&|p"
  done; fi | sed -n 's|^/proc/\([0-9]*\)/environ:NAME=\(.*\)|\1=\2|p'
}
look(){
  others=' ' kin=' ' inside=' ' outside=' ' more=1 number='\([0-9]*\)'
  for each in $(named); do
    if [ "${each#*=}" = "$m" ]; then kin="$kin${each%%=*} "; else others="$others${each%%=*} "; fi
  done
  set -- $(cat /proc/[0-9]*/stat 2>/dev/null |
    sed -n "s|^$number .*) [^ZX] $number $number $number \([-0-9]* \)\{15\}$number .*|\1/\6/\2/\3/\4/|p")
  while [ "$more" ]; do
    more=
    for each; do
      pid=${each%%/*} rest=${each#*/}; start=${rest%%/*} rest=${rest#*/}; parent=${rest%%/*} rest=${rest#*/}
      case $others$kin in *" $pid "*) continue;; esac
      case /$rest$kin in
        */"$p"/*|*" $parent "*) ;;
        *) case $seen in *" $pid/$start "*) ;; *) continue;; esac;;
      esac
      kin="$kin$pid " more=1
    done
  done
  seen=' '
  for each; do
    pid=${each%%/*} rest=${each#*/}; start=${rest%%/*}
    case $kin in *" $pid "*) seen="$seen$pid/$start ";; *) continue;; esac
    case ${rest#*/*/} in "$p"/*) inside="$inside$pid ";; *) outside="$outside$pid ";; esac
  done
}
now(){ read -r uptime _ </proc/uptime; uptime=${uptime%.*}${uptime#*.}; }
"""


def end_of_all(kill_after_s: float, most_s: float) -> str:
    """For `sh`: `end` ends what has the name `$m` and the process group `$p` (`-`: none), and looks until all
    of it is gone; status STAYS where something does not go. It uses variables of more than one letter alone.

    The group is asked first: it may still need what it started outside, to say goodbye over a connection.
    """
    kill, most = round(kill_after_s * 100), round(most_s * 100)
    soon = kill * 7 // 10
    return (
        _LOOK.replace("NAME", NAME)
        + f"""
end(){{
  seen=' ' sent=' ' asked=; now; began=$uptime
  while look; [ "$kin" != ' ' ]; do
    now
    if [ $((uptime - began)) -ge {kill} ]; then kill -KILL $kin 2>/dev/null; else
      [ "$asked" ] || kill -TERM -"$p" 2>/dev/null
      asked=1
      if [ "$inside" = ' ' ] || [ $((uptime - began)) -ge {soon} ]; then
        for pid in $outside; do case $sent in *" $pid "*) ;; *) kill -TERM "$pid" 2>/dev/null;; esac; done
        sent="$sent$outside"
      fi
    fi
    [ $((uptime - began)) -lt {most} ] || exit {STAYS}; sleep 0.1
  done
}}
"""
    )


def end_of_command(kill_after_s: float = 2, most_s: float = 2.5) -> str:
    """For `sh`: ends the command of the name `$1`, and the process group of `$2`, its first process."""
    return (
        end_of_all(kill_after_s, most_s)
        + r"""
m=$1 p=$(sed 's/.*) [A-Za-z] [0-9]* \([0-9]*\) .*/\1/' "/proc/$2/stat" 2>/dev/null) || p=$2
[ "$p" -gt 1 ] 2>/dev/null || p=-
end
"""
    )
