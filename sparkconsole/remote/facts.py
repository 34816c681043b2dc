"""One look at a machine: one command, nothing written, every tool under a time limit."""

from __future__ import annotations

import secrets

from sparkconsole.model.facts import NodeFacts
from sparkconsole.parse.facts import parse_facts
from sparkconsole.remote.shell import Shell

# Sections are told apart by a word that no tool can guess. A tool that is absent leaves its section empty.
SCRIPT = r"""
PATH=$PATH:/usr/sbin:/sbin
say(){ printf '\n%s %s\n' "$1" "$2"; }
T=; command -v timeout >/dev/null && T='timeout 5'
say "$1" host; hostname; uname -r; uname -m; id -un; echo "$HOME"; date +%s.%N; id -Gn
say "$1" release; cat /etc/dgx-release 2>/dev/null
say "$1" ibdev2netdev; $T ibdev2netdev 2>/dev/null
say "$1" rdma
for p in /sys/class/infiniband/*/ports/*; do
  [ -e "$p/state" ] || continue
  d=${p%/ports/*}; n=$(cat "$p/gid_attrs/ndevs/0" 2>/dev/null || ls "$d/device/net" 2>/dev/null | head -1)
  echo "port ${d##*/} ${p##*/} ${n:--} $(cat "$d/sys_image_guid" 2>/dev/null || echo -)"
  echo "state $(cat "$p/state")"; echo "rate $(cat "$p/rate" 2>/dev/null)"
  for g in "$p"/gids/*; do
    i=${g##*/}; v=$(cat "$g" 2>/dev/null) || continue
    case $v in 0000:0000:0000:0000:0000:0000:0000:0000|'') continue;; esac
    echo "gid $i $v $(cat "$p/gid_attrs/types/$i" 2>/dev/null)"
    [ "$i" -lt 15 ] || break
  done
done
say "$1" ip; $T ip -j addr 2>/dev/null || $T ip -o addr 2>/dev/null
say "$1" links; for n in /sys/class/net/*; do
  echo "${n##*/} $(cat "$n/mtu" 2>/dev/null || echo -) $(cat "$n/carrier" 2>/dev/null || echo -)"; done
say "$1" gpu; q=name,uuid,utilization.gpu,power.draw,temperature.gpu,clocks.sm,driver_version
$T nvidia-smi --query-gpu=$q --format=csv,noheader,nounits 2>&1; echo "status $?"
say "$1" gpuapps; q=pid,process_name,used_gpu_memory
$T nvidia-smi --query-compute-apps=$q --format=csv,noheader,nounits 2>/dev/null
say "$1" memory; cat /proc/meminfo
say "$1" docker; command -v docker >/dev/null && echo installed
[ -S /var/run/docker.sock ] && echo socket; [ -w /var/run/docker.sock ] && echo permitted
r=; f='{{.ServerVersion}}|{{.Driver}}|{{.DockerRootDir}}'
[ -w /var/run/docker.sock ] && r=$($T docker info --format "$f" 2>/dev/null)
[ -n "$r" ] && echo "info $r"
say "$1" disk; r=${r##*|}; df -PB1 "${r:-/var/lib/docker}" 2>/dev/null | tail -1 | awk '{print "docker", $4}'
df -PB1 "$HOME" | tail -1 | awk '{print "home", $4}'
say "$1" cache; stat -c %U "$HOME/.cache/huggingface" 2>/dev/null
say "$1" listen
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {n = split($2, a, ":"); print a[n]}'
say "$1" end
"""


async def node_facts(shell: Shell) -> NodeFacts:
    """What the machine says of itself; Unreachable or TimedOut when it says nothing."""
    mark = f"section-{secrets.token_hex(8)}"
    done = await shell.run(("sh", "-s", mark), stdin=SCRIPT.encode(), timeout=45)
    return parse_facts(done.text, mark, shell.node)
