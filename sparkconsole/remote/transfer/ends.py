"""Asks a machine what it is as one end of a copy."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.transfer.ends import CopySite
from sparkconsole.parse.transfer.ends import copy_site
from sparkconsole.remote.foreseen_shell import then_on
from sparkconsole.remote.shell import Shell

# sshd says its own address and port in SSH_CONNECTION, whatever forwarding lies in between. The host keys
# come over the console's verified connection, so they are as sure as that one.
SITE = r"""
echo "login $(id -un)"; echo "docker_host ${DOCKER_HOST:-}"
set -- ${SSH_CONNECTION:-}; echo "address ${3:-}"; echo "port ${4:-}"
told=$(timeout 10 docker info --format 'folder {{.DockerRootDir}}
driver {{.Driver}}
status {{.DriverStatus}}
version {{.ServerVersion}}
architecture {{.Architecture}}' 2>/dev/null)
echo "$told"
root=$(echo "$told" | sed -n 's/^folder //p')
echo "python $(command -v python3)"
[ -n "$root" ] && echo "free $(df -B1 --output=avail "$root" 2>/dev/null | tail -n 1 | tr -d ' ')"
for f in /etc/ssh/ssh_host_*_key.pub; do [ -r "$f" ] && echo "key $(cut -d' ' -f1,2 "$f")"; done
exit 0
"""


async def site(shell: Shell) -> CopySite:
    """What this machine says of itself as one end of a copy."""
    seen = copy_site((await shell.run(("sh", "-c", SITE, "copy-site"))).checked().text)
    return replace(seen, free_bytes=None) if then_on(shell).storage_changed else seen
