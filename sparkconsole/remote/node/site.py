"""One look at where a launch happens, or at an end of a copy: it changes nothing, slow tools have a limit."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.docker_host import ENGINE_S
from sparkconsole.model.foresight.forecast import NodeForecast
from sparkconsole.model.launch.site import Site
from sparkconsole.model.transfer.ends import CopySite
from sparkconsole.parse.machine.site import parse_site
from sparkconsole.parse.transfer import ends
from sparkconsole.remote.foreseen_shell import then_on
from sparkconsole.remote.shell import Shell

# Listeners are read from the kernel: `ss` is not on every machine. What docker says comes last and whole.
_LOOK = r"""
printf 'home %s\n' "$HOME"
awk '/^MemAvailable:/ {printf "available %.0f\n", $2 * 1024}' /proc/meminfo
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {n = split($2, a, ":"); print "listen", a[n]}'
timeout -k 1 "$2" docker top "$1" -eo pid 2>/dev/null | awk 'NR > 1 {print "pid", $1}' &
said=$(timeout -k 1 "$2" docker container inspect -- "$1" 2>&1); status=$?; wait
printf 'docker %s\n%s\n' "$status" "$said"
"""
# sshd says its own address and port in SSH_CONNECTION, whatever forwarding lies in between. The host keys
# come over the console's verified connection, so they are as sure as that one.
COPY_SITE = r"""
echo "login $(id -un)"; echo "docker_host ${DOCKER_HOST:-}"
set -- ${SSH_CONNECTION:-}; echo "address ${3:-}"; echo "port ${4:-}"
info=$(timeout 10 docker info --format 'folder {{.DockerRootDir}}
driver {{.Driver}}
status {{.DriverStatus}}
version {{.ServerVersion}}
architecture {{.Architecture}}' 2>/dev/null)
echo "$info"
root=$(echo "$info" | sed -n 's/^folder //p')
echo "python $(command -v python3)"
[ -n "$root" ] && echo "free $(df -B1 --output=avail "$root" 2>/dev/null | tail -n 1 | tr -d ' ')"
for f in /etc/ssh/ssh_host_*_key.pub; do [ -r "$f" ] && echo "key $(cut -d' ' -f1,2 "$f")"; done
exit 0
"""
_ALIVE = 'for p do [ -d "/proc/$p" ] && echo "$p"; done; :'
_LOG = 'timeout 20 docker logs --tail "$2" -- "$1" 2>&1'


async def look(shell: Shell, container: str) -> Site:
    """Home, memory, listeners and container of exactly that name; SparkError when docker cannot be asked."""
    asked = ("sh", "-c", _LOOK, "launch-site", container, f"{ENGINE_S:g}")
    done = await shell.run(asked, timeout=ENGINE_S + 10)
    return await _then(shell, parse_site(done.checked().text, shell.node, container), container)


async def _then(shell: Shell, now: Site, container: str) -> Site:
    """The same look, once what is planned before has been done."""
    then = then_on(shell)
    if not then.effects:
        return now
    from sparkconsole.remote.node.facts import memory_state

    total = (await memory_state(shell)).total if then.memory_changed else 0
    return then.site(container, now, await _held(shell, then, container), total)


async def _held(shell: Shell, then: NodeForecast, container: str) -> set[int]:
    """The ports on which the servers in today's containers listen."""
    from sparkconsole.parse.serve.vllm_serve import parse_ranks
    from sparkconsole.remote.foreseen_shell import now_on
    from sparkconsole.remote.serve.processes import look_argv

    held = set[int]()
    for name in {container, *then.renewed}:
        done = await now_on(shell).run(look_argv(name), timeout=ENGINE_S)
        if done.ok:
            held |= {rank.port for rank in parse_ranks(done.text, shell.node)}
    return held


async def still_alive(shell: Shell, pids: frozenset[int]) -> frozenset[int]:
    """Those of `pids` that still are processes of the node."""
    if not pids:
        return frozenset()
    done = await shell.run(("sh", "-c", _ALIVE, "still-alive", *map(str, sorted(pids))), timeout=15)
    return frozenset(int(p) for p in done.checked().text.split())


async def last_lines(shell: Shell, container: str) -> tuple[str, ...]:
    """The end of a container's log, for finding out why it ended."""
    done = await shell.run(("sh", "-c", _LOG, "last-lines", container, "200"), timeout=30)
    return tuple(done.text.splitlines())


async def copy_site(shell: Shell) -> CopySite:
    """What this machine says of itself as one end of a copy."""
    seen = ends.copy_site((await shell.run(("sh", "-c", COPY_SITE, "copy-site"))).checked().text)
    return replace(seen, free_bytes=None) if then_on(shell).storage_changed else seen
