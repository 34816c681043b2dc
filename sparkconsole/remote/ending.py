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
  else for e in /proc/[0-9]*/environ; do
    tr '\0\n' '\n ' <"$e" 2>/dev/null | sed -n "s|^NAME=[[:alnum:]._-]*$|$e:&|p"
  done; fi | sed -n 's|^/proc/\([0-9]*\)/environ:NAME=\(.*\)|\1=\2|p'
}
look(){
  others=' ' k=' ' outside=' ' more=1
  for w in $(named); do
    if [ "${w#*=}" = "$m" ]; then k="$k${w%%=*} "; else others="$others${w%%=*} "; fi
  done
  d='\([0-9]*\)'
  set -- $(cat /proc/[0-9]*/stat 2>/dev/null |
    sed -n "s|^$d .*) [^ZX] $d $d $d \([-0-9]* \)\{15\}$d .*|\1/\6/\2/\3/\4/|p")
  while [ "$more" ]; do
    more=
    for w; do
      a=${w%%/*} r=${w#*/}; s=${r%%/*} r=${r#*/}; f=${r%%/*} r=${r#*/}
      case $others$k in *" $a "*) continue;; esac
      case /$r$k in */"$p"/*|*" $f "*) ;; *) case $seen in *" $a/$s "*) ;; *) continue;; esac;; esac
      k="$k$a " more=1
    done
  done
  seen=' '
  for w; do
    a=${w%%/*} r=${w#*/}; s=${r%%/*}
    case $k in *" $a "*) seen="$seen$a/$s ";; *) continue;; esac
    case ${r#*/*/} in "$p"/*) ;; *) outside="$outside$a ";; esac
  done
}
now(){ read -r t _ </proc/uptime; t=${t%.*}${t#*.}; }
"""


def end_of_all(kill_after_s: float, most_s: float) -> str:
    """For `sh`: `end` ends what has the name `$m` and the process group `$p` (`-`: none), and looks until all
    of it is gone; status STAYS where something does not go."""
    kill, most = round(kill_after_s * 100), round(most_s * 100)
    return (
        _LOOK.replace("NAME", NAME)
        + f"""
end(){{
  seen=' ' sent=' '; now; began=$t
  while look; [ "$k" != ' ' ]; do
    now
    if [ $((t - began)) -ge {kill} ]; then kill -KILL $k 2>/dev/null; else
      [ "$sent" != ' ' ] || kill -TERM -"$p" 2>/dev/null
      for a in $outside; do case $sent in *" $a "*) ;; *) kill -TERM "$a" 2>/dev/null;; esac; done
      sent="$sent$k"
    fi
    [ $((t - began)) -lt {most} ] || exit {STAYS}; sleep 0.1
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
