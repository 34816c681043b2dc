"""Exit statuses: of POSIX shells, Docker (125 to 127), 128 with a signal, systemd (systemd.exec(5)) and curl;
and the signals."""

from sparkconsole.parse.known.known import NumberMeaning

_LOGS = "see what it did last: sparkconsole logs"
_VICTIM = "sparkconsole logs kernel names the victim; lower --gpu-memory-utilization"
_SIGNALS = (
    (1, "SIGHUP", "its terminal or its SSH session ended", "start it detached from the session"),
    (2, "SIGINT", "interrupted by ctrl+c", ""),
    (3, "SIGQUIT", "ended by ctrl+\\, or by hand", ""),
    (4, "SIGILL", "an instruction that this processor does not have", "an image for this machine"),
    (5, "SIGTRAP", "a trap: a debugger's, or an assertion in native code", _LOGS),
    (6, "SIGABRT", "the program gave up by itself", "its last lines say why"),
    (7, "SIGBUS", "most often a full /dev/shm", "start the container with --ipc host or --shm-size"),
    (8, "SIGFPE", "a number was divided by zero, or overflowed", _LOGS),
    (9, "SIGKILL", "out of memory, or killed by hand", _VICTIM),
    (10, "SIGUSR1", "a signal that the program does not handle", ""),
    (11, "SIGSEGV", "native code crashed", _LOGS),
    (12, "SIGUSR2", "a signal that the program does not handle", ""),
    (13, "SIGPIPE", "who read its output ended", ""),
    (14, "SIGALRM", "a timer of its own ran out", ""),
    (15, "SIGTERM", "it was told to end", "who stopped it: sparkconsole runs list"),
    (16, "SIGSTKFLT", "", ""),
    (17, "SIGCHLD", "", ""),
    (18, "SIGCONT", "", ""),
    (19, "SIGSTOP", "it was stopped", ""),
    (20, "SIGTSTP", "it was stopped by ctrl+z", ""),
    (21, "SIGTTIN", "it read a terminal from the background", ""),
    (22, "SIGTTOU", "it wrote to a terminal from the background", ""),
    (23, "SIGURG", "", ""),
    (24, "SIGXCPU", "it used more processor time than its limit", "ulimit -t"),
    (25, "SIGXFSZ", "it wrote a larger file than its limit", "ulimit -f"),
    (26, "SIGVTALRM", "a timer of its own ran out", ""),
    (27, "SIGPROF", "a timer of its own ran out", ""),
    (28, "SIGWINCH", "", ""),
    (29, "SIGIO", "", ""),
    (30, "SIGPWR", "the power failed", ""),
    (31, "SIGSYS", "a call to the kernel was forbidden: seccomp", "the container's security profile"),
)

SIGNALS = {str(number): NumberMeaning(name, words, remedy=remedy) for number, name, words, remedy in _SIGNALS}
"""signal(7) of Linux on arm64 and x86: a console on another system numbers its own otherwise."""

_STATUSES = (
    ("125", "docker run itself failed", "sparkconsole launch; docker's own words say why"),
    ("126", "the program may not be executed", "its rights, or its #! line"),
    ("127", "the program was not found", "another image, or its full path"),
    ("128", "a fatal error, as git calls it, or a status that is none", ""),
    ("255", "ssh itself, or the program, failed", ""),
)

EXIT_CODES = {
    **{code: NumberMeaning(code, words, remedy=remedy) for code, words, remedy in _STATUSES},
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

_CURL = (
    (3, "the address is malformed"),
    (5, "the proxy's name cannot be resolved"),
    (6, "the host's name cannot be resolved"),
    (7, "no connection to the host"),
    (18, "it ended too early"),
    (22, "the server answered with an error"),
    (23, "it could not be written: is the disk full?"),
    (28, "it took too long"),
    (35, "TLS could not be agreed on"),
    (47, "too many redirects"),
    (52, "the server said nothing"),
    (55, "sending failed"),
    (56, "receiving failed"),
    (60, "the certificate was not accepted: is the clock right?"),
    (77, "the certificates of this machine cannot be read"),
    (92, "an HTTP/2 stream failed"),
)

CURL_CODES = {str(number): NumberMeaning(f"curl {number}", words) for number, words in _CURL}
"""What curl ends with: the exit codes of its manual."""
