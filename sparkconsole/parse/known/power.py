"""When a machine goes off, to sleep, too hot, or stops doing anything: the kernel, systemd and logind."""

import re

from sparkconsole.parse.known.known import cause, end

OFF, ASLEEP = "machine-off", "machine-asleep"
BACK = re.compile(
    r"^Booting Linux on|^Linux version \d|PM: (?:hibernation: )?(?:suspend|hibernation) exit|"
    r"System returned from sleep|Waking up from system sleep|sleep: wake requested|^Finished systemd-suspend"
)
"""It runs again: what was said before is past."""

POWER = {
    "machine-too-hot": cause(
        r"critical temperature reached|reached (?:its )?critical temperature|"
        r"[Tt]hermal.{0,80}(?:shutting down|shutdown|power ?off)|"
        r"HARDWARE PROTECTION.{0,80}(?:[Ss]hutdown|[Ss]hutting|[Pp]ower)|"
        r"temperature.{0,60}(?:shutting down|emergency shutdown)",
        "the machine was too hot and switched itself off",
        "airflow, dust, or a fan that stands still",
        "let it cool, give it air, then switch it on; sparkconsole status shows the temperature",
        "thermal thermal_zone0: acpitz: critical temperature reached, shutting down",
        calm=True,
    ),
    ASLEEP: cause(
        r"PM: (?:hibernation: )?(?:suspend|hibernation) entry|"
        r"The system will (?:suspend|hibernate|sleep|hybrid-?sleep)\b|"
        r"Reached target .{0,40}\b(?:[Ss]leep|[Ss]uspend|[Hh]ibernat\w+)\b|Entering sleep state|"
        r"Performing sleep operation|Suspending system|^Starting systemd-(?:suspend|hibernate|hybrid-sleep)|"
        r"sleep: sleep requested|Automatic suspend: |^Suspending\.\.\.",
        "the machine went to sleep: it left the network",
        "its desktop suspends it when nobody uses the keyboard, or somebody pressed the key",
        "wake it; then on the node: sudo systemctl mask sleep.target suspend.target hibernate.target "
        "hybrid-sleep.target",
        "PM: suspend entry (s2idle)",
        calm=True,
    ),
    "kernel-stuck": cause(
        r"soft lockup.{0,20} (?P<cpu>CPU#?\d+) stuck for (?P<seconds>\d+)|soft lockup|hard LOCKUP|"
        r"rcu_\w{1,40} (?:self-)?detected (?:expedited )?stalls?|rcu.{0,60}kthread starved",
        "the kernel is stuck: a CPU does nothing else any more: {cpu}",
        "a driver or the firmware holds it; the machine may answer no more",
        "switch the machine off and on when it stays; sparkconsole logs kernel; the newest driver and "
        "firmware",
        "watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [python3:4242]",
        calm=True,
    ),
    "task-hung": end(
        r"\btask (?P<task>\S{1,80}):\d+ (?:<\w+> )?(?:is )?blocked(?: in \S{1,40} wait)? for more than "
        r"(?P<seconds>\d+) sec|hung_task: blocked tasks",
        "a process hangs in the kernel: {task}",
        "it has waited for a disk, a network file system or a device for {seconds} s",
        "look for errors of the disk or a device before it: sparkconsole logs kernel",
        "INFO: task VLLM::Worker:5521 blocked for more than 120 seconds.",
        calm=True,
    ),
    OFF: end(
        r"reboot: (?:Power down|System halted|Restarting system)|^Powering [Oo]ff|\bPower-Off\b|"
        r"(?:^|logind\[\d+\]: )(?:Power key pressed|Rebooting\.\.\.|System is (?:powering down|rebooting))|"
        r"logind\[\d+\]: Powering [Oo]ff|The system will (?:power off|reboot|halt)\b|"
        r"Reached target .{0,40}\b(?:[Pp]ower.?[Oo]ff|[Rr]eboot|[Hh]alt)\b",
        "the machine was switched off or restarted",
        "somebody, or something that was said before, ordered it",
        "switch it on, if nobody did; sparkconsole status shows when it is back",
        "reboot: Power down",
        calm=True,
    ),
}
