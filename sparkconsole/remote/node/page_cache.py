"""A node's free memory and page cache, and how this login may give the cache back; it changes nothing."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.page_cache import MemoryState
from sparkconsole.parse.machine.page_cache import parse_standing
from sparkconsole.remote.foreseen import then_on
from sparkconsole.remote.shell import Shell

_LOOK = r"""
grep -E '^(MemTotal|MemFree|MemAvailable|Cached|Buffers):' /proc/meminfo
[ -n "$1" ] || exit 0
if [ "$(id -u)" = 0 ]; then echo 'Way: root'
elif timeout 5 sudo -n true 2>/dev/null; then echo 'Way: sudo'
elif timeout 10 docker image inspect -- "$1" >/dev/null 2>&1; then echo 'Way: container'
else echo 'Way: none'; fi
"""


async def memory_standing(shell: Shell, image: str = "") -> MemoryState:
    """The memory now; with an image also by which way the cache can be dropped."""
    done = await shell.run(("sh", "-c", _LOOK, "memory-standing", image), timeout=30)
    now, then = parse_standing(done.checked().text, shell.node), then_on(shell)
    if then.memory_changed:
        now = replace(now, available=then.available(now.available, now.total))
    return replace(now, way=then.way_to_root(now.way, image)) if image else now
