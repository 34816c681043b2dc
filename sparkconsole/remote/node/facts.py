"""One look at a machine, or at its memory: one command, nothing written, every tool under a time limit."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.hf_cache import HfCache
from sparkconsole.model.docker_host import DockerHost
from sparkconsole.model.facts import NodeFacts
from sparkconsole.model.page_cache import MemoryState
from sparkconsole.model.probes import USUAL, Probe
from sparkconsole.parse.machine.facts import parse_facts, parse_memory_state
from sparkconsole.remote.checkpoint.hf_cache import hf_cache
from sparkconsole.remote.docker.host import docker_host
from sparkconsole.remote.foreseen_shell import then_on
from sparkconsole.remote.shell import Shell

# Sections are told apart by a word that no tool can guess. A tool that is absent leaves its section empty.
# It is functions to its last line: the shell has read them before the first tool could eat from its input.
# A part that was not asked for has no section; docker's comes before disk's, which looks where docker is.
# A journal whose kernel lines the login may not read would hide how it ended too: then nothing is said.
# sysfs is read without starting a process per file; a table of GIDs has 256 entries, the first 16 tell.
SCRIPT = r"""
say(){ printf '\n%s %s\n' "$M" "$1"; }
one(){ printf '%s\n' "$("$@" 2>/dev/null)"; }
r(){ V=; { IFS= read -r V <"$1"; } 2>/dev/null; }
yes(){ n=$1; shift; if "$@" >/dev/null 2>&1; then echo "$n yes"; else echo "$n no"; fi; }
engine(){ [ "$K" = tcp ] || [ -w "$K" ]; }
look(){
K=${4:-/var/run/docker.sock}
M=$1 s=0 i= PATH=$PATH:/usr/sbin:/sbin
T=; command -v timeout >/dev/null && T='timeout 5'
S=; command -v timeout >/dev/null && S='timeout 3'
say host; one uname -n; one uname -r; one uname -m; one $T id -un; echo "$HOME"; one date +%s.%N
one $T id -Gn
say release; cat /etc/dgx-release 2>/dev/null
say memory; cat /proc/meminfo
say listen
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {n = split($2, a, ":"); print a[n]}'
for part in ntp fabric gpu docker disk cache deep cuda listeners containers kernel boot; do
  case " $2 " in *" $part "*) "ask_$part" "$@" ;; esac
done
say end
}
ask_ntp(){ say ntp; $T timedatectl show -p NTPSynchronized --value 2>/dev/null; }
ask_fabric(){
say ibdev2netdev; $T ibdev2netdev 2>/dev/null
say rdma
for p in /sys/class/infiniband/*/ports/*; do
  [ -e "$p/state" ] || continue
  d=${p%/ports/*}; r "$p/gid_attrs/ndevs/0"; n=$V
  [ -n "$n" ] || for w in "$d"/device/net/*; do [ -e "$w" ] && n=${w##*/} && break; done
  r "$d/sys_image_guid"; echo "port ${d##*/} ${p##*/} ${n:--} ${V:--}"
  for k in state phys_state rate; do r "$p/$k"; echo "$k $V"; done
  for g in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    r "$p/gids/$g"; v=$V
    case $v in 0000:0000:0000:0000:0000:0000:0000:0000|'') continue;; esac
    r "$p/gid_attrs/types/$g"; echo "gid $g $v $V"
  done
done
say ip; $T ip -j addr 2>/dev/null || $T ip -o addr 2>/dev/null
say links
for n in /sys/class/net/*; do
  [ -d "$n" ] || continue
  l=${n##*/}; for k in mtu carrier operstate speed address; do r "$n/$k"; l="$l ${V:--}"; done
  echo "$l"
done
}
ask_gpu(){
say gpu; q=name,uuid,utilization.gpu,power.draw,temperature.gpu,clocks.sm,driver_version,pstate,compute_cap
$T nvidia-smi --query-gpu=$q --format=csv,noheader,nounits 2>/dev/null; s=$?; echo "status $s"
say gpulist; [ $s = 0 ] || [ $s -ge 124 ] || $T nvidia-smi -L 2>/dev/null
say gpuapps; q=pid,process_name,used_gpu_memory
[ $s -ge 124 ] || $T nvidia-smi --query-compute-apps=$q --format=csv,noheader,nounits 2>/dev/null
}
ask_docker(){
say docker; command -v docker >/dev/null && echo installed
f='{{.ServerVersion}}|{{.Driver}}|{{.DockerRootDir}}'
case $K in
  /*) [ -S "$K" ] && echo socket; [ -w "$K" ] && echo permitted ;;
  tcp) echo permitted ;;
esac
engine && i=$($T docker info --format "$f" 2>/dev/null)
[ -n "$i" ] && { echo "info $i"; [ "$K" != tcp ] || echo socket; }
}
ask_disk(){
say disk; i=${i##*|}; $T df -PB1 "${i:-/var/lib/docker}" 2>/dev/null | awk 'NR > 1 {print "docker", $4}'
$T df -PB1 "$HOME" 2>/dev/null | awk 'NR > 1 {print "home", $4}'
}
ask_cache(){ say cache; $T stat -c %U "$3" 2>/dev/null; }
ask_deep(){
say thorough; u=$(id -un); h=$3
echo "uid $(id -u)"; r /proc/uptime; echo "uptime ${V%% *}"
yes ssh [ -d "$HOME/.ssh" ]; yes hotplug [ -e /etc/nvidia/cx7-hotplug-enabled ]
yes reboot [ -e /var/run/reboot-required ]; yes updater [ -e /var/lib/dpkg/info/mlnx-fw-updater.list ]
[ ! -d /run/systemd/system ] || yes linger [ -e "/var/lib/systemd/linger/$u" ]
$S getent group docker 2>/dev/null | sed -n 's/^docker:[^:]*:[^:]*:/docker-group /p'
$S loginctl show-session -p KillUserProcesses -p RemoveIPC 2>/dev/null |
  sed -n 's/^\([A-Za-z]*\)=/login \1 /p'
for f in /sys/class/infiniband/*/fw_ver; do
  d=${f%/fw_ver}; r "$f"; [ -z "$V" ] || echo "firmware ${d##*/} $V"
done
$S ip -o route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/default \1/p'
for d in vllm flashinfer torch_compile; do
  t=$($S stat -f -c %T "$HOME/.cache/$d" 2>/dev/null); [ -z "$t" ] || echo "compile $d $t"
done
[ ! -d "$h" ] || $S find "$h" -maxdepth 2 -type d ! -writable -print 2>/dev/null | sed -n '1s/^/closed /p'
cat /run/motd.d/85-fwupd /run/motd.d/fwupd/* 2>/dev/null | sed -n '/[^ ]/{s/^/fwupd /p;q;}'
$S df -PB1 "$h" 2>/dev/null | awk 'NR > 1 {print "cache-free", $4}'
for f in /etc/systemd/system/*.service; do
  c=$(sed -nE '/nvidia-smi/s/.*(-lgc|--lock-gpu-clocks)[ =]*([0-9]+,)?([0-9]+).*/\3/p' "$f" 2>/dev/null)
  for e in /etc/systemd/system/*.wants/"${f##*/}"; do
    [ -z "$c" ] || ! [ -e "$e" ] || echo "clamp ${f##*/} ${c%%[!0-9]*}"
  done
done
}
ask_cuda(){
say cuda; [ $s -ge 124 ] || $S nvidia-smi 2>/dev/null | sed -n 's/.*CUDA Version: *\([0-9.]*\).*/cuda \1/p'
}
ask_listeners(){ say listeners; $S ss -Hltnp 2>/dev/null; }
ask_containers(){
say containers; f='{{.Names}}|{{.State}}|{{.Status}}|{{.Image}}|{{.Ports}}'
! engine || { $T docker ps -a --format "$f" 2>/dev/null && echo asked; }
}
ask_kernel(){
say kernel; k='NV_ERR_NO_MEMORY|CmpltTO|CMD_SYNC timeout|slot power capability was not advertised'
k="$k|NVRM: Xid|fallen off the bus|Out of memory: Killed"
$T journalctl -k -b -q --no-pager -o cat 2>/dev/null | grep -oE "$k" | sort | uniq -c
}
ask_boot(){
say boot
[ -n "$($S journalctl -k -b -1 -n 1 -q --no-pager -o cat 2>/dev/null)" ] || return 0
if $S journalctl -b -1 -n 40 -q --no-pager -o cat 2>/dev/null | grep -qE "$ORDERLY"; then
  echo 'ended orderly'
else
  echo 'ended abruptly'
fi
}
ORDERLY='Journal stopped|systemd-shutdown|[Rr]eached target.*([Rr]eboot|[Pp]ower|[Ss]hutdown|[Hh]alt)'
ORDERLY="$ORDERLY|Shutting down|System is (rebooting|powering down)"
look "$1" "$2" "$3" "$4" </dev/null
"""


_OF_DOCKER = frozenset({Probe.DOCKER, Probe.CONTAINERS})
_OF_THE_CACHE = frozenset({Probe.CACHE, Probe.DEEP})
_LOOK = r"""
grep -E '^(MemTotal|MemFree|MemAvailable|Cached|Buffers):' /proc/meminfo
[ -n "$1" ] || exit 0
if [ "$(id -u)" = 0 ]; then echo 'Way: root'
elif timeout 5 sudo -n true 2>/dev/null; then echo 'Way: sudo'
elif timeout 10 docker image inspect -- "$1" >/dev/null 2>&1; then echo 'Way: container'
else echo 'Way: none'; fi
"""


async def node_facts(shell: Shell, *, asked: Iterable[Probe] = USUAL) -> NodeFacts:
    """What the machine says of itself, as far as it was asked; an error when it does not say it.

    All of it is one command; what only the doctor needs takes some tenths of a second more.
    """
    mark = f"section-{secrets.token_hex(8)}"
    where = await hf_cache(shell) if _OF_THE_CACHE & set(asked) else HfCache("", "")
    engine = await docker_host(shell) if _OF_DOCKER & set(asked) else DockerHost()
    socket = "none" if engine.refused else engine.socket or "tcp"
    named = (socket,) if engine.named else ()
    words = ("sh", "-s", mark, " ".join(sorted(asked)), where.home, *named)
    done = await shell.run(words, stdin=SCRIPT.encode(), timeout=45)
    text = done.checked().text
    if f"\n{mark} end" not in text:
        raise SparkError(
            "what it says is not what was asked for",
            hint=f"does its shell print or end by itself? ssh {shell.node} echo well",
            node=shell.node,
        )
    seen = parse_facts(text, mark, shell.node)
    docker = replace(seen.docker, host=engine if engine.named else None)
    facts = replace(seen, hf_cache=where.home, docker=docker)
    return then_on(shell).facts(facts)


async def memory_state(shell: Shell, image: str = "") -> MemoryState:
    """The memory now; with an image also by which way the cache can be dropped."""
    done = await shell.run(("sh", "-c", _LOOK, "memory-standing", image), timeout=30)
    now, then = parse_memory_state(done.checked().text, shell.node), then_on(shell)
    if then.memory_changed:
        now = replace(now, available=then.available(now.available, now.total))
    return replace(now, way=then.way_to_root(now.way, image)) if image else now
