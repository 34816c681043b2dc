"""Exit statuses: of POSIX shells, Docker (125 to 127), 128 with a signal, and systemd (systemd.exec(5))."""

from __future__ import annotations

from sparkconsole.parse.known.known import NumberMeaning
from sparkconsole.parse.known.numbered.signals import SIGNALS

_ROWS = (
    ("125", "docker run itself failed", "sparkconsole launch; docker's own words say why"),
    ("126", "the program may not be executed", "its rights, or its #! line"),
    ("127", "the program was not found", "another image, or its full path"),
    ("128", "a fatal error, as git calls it, or a status that is none", ""),
    ("255", "ssh itself, or the program, failed", ""),
)

EXIT_CODES = {
    **{code: NumberMeaning(code, words, remedy=remedy) for code, words, remedy in _ROWS},
    **{
        key: NumberMeaning(f"{key}, {m.name}", m.words, remedy=m.remedy)
        for number, m in SIGNALS.items()
        for key in (str(128 + int(number)), f"-{number}")
    },
}

_SYSTEMD = (
    (2, "INVALIDARGUMENT", "a wrong argument"),
    (3, "NOTIMPLEMENTED", "not implemented"),
    (4, "NOPERMISSION", "no permission"),
    (5, "NOTINSTALLED", "not installed"),
    (6, "NOTCONFIGURED", "not configured"),
    (7, "NOTRUNNING", "not running"),
    (200, "CHDIR", "its working folder is not there"),
    (201, "NICE", "its niceness could not be set"),
    (203, "EXEC", "its program is not there or may not be executed"),
    (205, "LIMITS", "its limits could not be set"),
    (206, "OOM_ADJUST", "its OOM score could not be set"),
    (208, "STDIN", "its standard input could not be set up"),
    (209, "STDOUT", "its standard output could not be set up"),
    (214, "SETSCHEDULER", "its scheduling could not be set"),
    (215, "CPUAFFINITY", "its CPU affinity could not be set"),
    (216, "GROUP", "its group is not there"),
    (217, "USER", "its user is not there"),
    (218, "CAPABILITIES", "its capabilities could not be set"),
    (219, "CGROUP", "its cgroup could not be set up"),
    (224, "PAM", "PAM refused its session"),
    (225, "NETWORK", "its network could not be set up"),
    (226, "NAMESPACE", "its mounts or namespaces could not be set up"),
    (228, "SECCOMP", "its system call filter could not be set"),
    (233, "RUNTIME_DIRECTORY", "its runtime folder could not be made"),
    (238, "STATE_DIRECTORY", "its state folder could not be made"),
    (239, "CACHE_DIRECTORY", "its cache folder could not be made"),
    (240, "LOGS_DIRECTORY", "its log folder could not be made"),
    (243, "CREDENTIALS", "its credentials could not be set up"),
)
SERVICE_CODES = {
    **EXIT_CODES,
    **{str(number): NumberMeaning(f"{number}, {name}", words) for number, name, words in _SYSTEMD},
}
"""The same for a unit of systemd: `code=exited, status=203/EXEC`."""

_JOURNAL = "journalctl -u with its name, on the node"
_RESULTS = (
    ("oom-kill", "memory ran out, and the kernel killed a process of it", "lower --gpu-memory-utilization; "
     "sparkconsole logs kernel names the victim"),
    ("timeout", "it did not start or stop in time", "TimeoutStartSec= of its unit; " + _JOURNAL),
    ("exit-code", "its program ended with an error", _JOURNAL),
    ("signal", "its program was killed by a signal", _JOURNAL),
    ("core-dump", "its program crashed", "coredumpctl on the node"),
    ("watchdog", "it no longer answered systemd", _JOURNAL),
    ("start-limit-hit", "it failed so often that systemd gave up", "systemctl reset-failed, after its cause"),
    ("resources", "systemd lacked what it needs to start it", _JOURNAL),
    ("protocol", "it did not say that it is ready", _JOURNAL),
    ("dependency", "a service that it needs failed", "systemctl list-dependencies with its name"),
)  # fmt: skip
SERVICE_RESULTS = {key.upper(): NumberMeaning(key, words, remedy=remedy) for key, words, remedy in _RESULTS}
"""How a unit of systemd ended: `Failed with result 'oom-kill'`."""
