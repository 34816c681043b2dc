"""Logs that are files or commands on a node: the kernel's and Ray's, followed until nobody reads any more."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sparkconsole.remote.lines import lines_of
from sparkconsole.remote.shell import Shell

# A silent `tail` or `journalctl` would outlive a lost connection: it is ended when its input closes.
UNTIL_EOF = """
exec 3<&0
"$@" </dev/null 3<&- & p=$!
{ while read -r _ <&3; do :; done; kill $p; } >/dev/null 2>&1 & w=$!
wait $p; r=$?; kill $w 2>/dev/null; exit $r
"""
KERNEL = """
f=; [ "$1" = follow ] && f=-f
if journalctl -k -n 1 >/dev/null 2>&1; then
  exec journalctl -k --no-pager -q -o short-iso-precise -n "$2" $f
fi
[ "$1" = follow ] && exec dmesg --time-format iso --follow
dmesg --time-format iso | tail -n "$2"
"""
# Each file's lines are known by the header that tail prints; a worker's own prints are in vLLM's log already.
RAY = """
cd /tmp/ray/session_latest/logs 2>/dev/null || { echo "Ray has no logs here: it does not run" >&2; exit 3; }
f=; [ "$1" = follow ] && f=-F
set -- "$2" $f raylet.out raylet.err gcs_server.out gcs_server.err monitor.log dashboard.log
exec tail -v -n "$@" 2>/dev/null
"""


def kernel_argv(*, follow: bool, tail: int) -> tuple[str, ...]:
    """The kernel's log, each line stamped in ISO 8601 (journald's, else the ring buffer's)."""
    inside = ("sh", "-c", KERNEL, "kernel-log", "follow" if follow else "once", str(tail))
    return ("sh", "-c", UNTIL_EOF, "until-eof", *inside)


def ray_argv(container: str, *, follow: bool, tail: int) -> tuple[str, ...]:
    """Ray's own logs in the container, under `==> FILE <==` headers."""
    inside = ("sh", "-c", RAY, "ray-log", "follow" if follow else "once", str(tail))
    return ("docker", "exec", "-i", container, "sh", "-c", UNTIL_EOF, "until-eof", *inside)


async def followed(shell: Shell, argv: tuple[str, ...]) -> AsyncIterator[str]:
    """The lines that a command prints, as they come; CommandFailed when it ends with a status but 0."""
    pipe = await shell.pipe(argv)
    try:
        async for line in lines_of(pipe):
            yield line
        (await pipe.wait()).checked()
    finally:
        await pipe.kill()
