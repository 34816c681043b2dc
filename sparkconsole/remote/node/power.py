"""Rebooting a node, and telling one life of it from the next."""

from __future__ import annotations

from contextlib import suppress

from sparkconsole.errors import Refused, TimedOut, Unreachable
from sparkconsole.remote.shell import Shell

REBOOT = ("sh", "-c", 'if [ "$(id -u)" = 0 ]; then reboot; else sudo -n reboot; fi', "reboot")

# The boot id alone would do on a machine; the start of PID 1 also tells the lives of a container apart.
_LIFE = 'cat /proc/sys/kernel/random/boot_id; sed "s/.*) //" /proc/1/stat | cut -d" " -f20'
_MAY = '[ "$(id -u)" = 0 ] || sudo -n true'


async def life(shell: Shell) -> str:
    """What is another after every boot."""
    return (await shell.run(("sh", "-c", _LIFE, "life"), timeout=10)).checked().text.strip()


async def may_reboot(shell: Shell) -> None:
    """Refused unless the login is root or sudo asks it for no password."""
    if not (await shell.run(("sh", "-c", _MAY, "may-reboot"), timeout=10)).ok:
        raise Refused(
            "this login may not reboot the machine: sudo asks for a password",
            hint='allow it there: echo "$USER ALL=(root) NOPASSWD: /usr/sbin/reboot" in /etc/sudoers.d',
            node=shell.node,
        )


async def reboot(shell: Shell) -> None:
    """Asks for it; the connection may go before the command's end is seen."""
    with suppress(Unreachable, TimedOut):
        done = await shell.run(REBOOT, timeout=20)
        if done.status is not None:
            done.checked()
