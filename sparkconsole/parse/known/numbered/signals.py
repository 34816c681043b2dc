"""Signals of Linux on arm64 and x86: signal(7). A console on another system numbers its own otherwise."""

from __future__ import annotations

from sparkconsole.parse.known.known import NumberMeaning

_LOGS = "see what it did last: sparkconsole logs"
_ROWS = (
    (1, "SIGHUP", "its terminal or its SSH session ended", "start it detached from the session"),
    (2, "SIGINT", "interrupted by ctrl+c", ""),
    (3, "SIGQUIT", "ended by ctrl+\\, or by hand", ""),
    (4, "SIGILL", "an instruction that this processor does not have", "an image for this machine"),
    (5, "SIGTRAP", "a trap: a debugger's, or an assertion in native code", _LOGS),
    (6, "SIGABRT", "the program gave up by itself", "its last lines say why"),
    (7, "SIGBUS", "most often a full /dev/shm", "start the container with --ipc host or --shm-size"),
    (8, "SIGFPE", "a number was divided by zero, or overflowed", _LOGS),
    (
        9,
        "SIGKILL",
        "out of memory, or killed by hand",
        "sparkconsole logs kernel names the victim; lower --gpu-memory-utilization",
    ),
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

SIGNALS = {str(number): NumberMeaning(name, words, remedy=remedy) for number, name, words, remedy in _ROWS}
