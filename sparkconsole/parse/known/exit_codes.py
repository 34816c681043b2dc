"""Exit statuses: POSIX shells', Docker's own (125 to 127), and 128 with a signal's number."""

from __future__ import annotations

from sparkconsole.parse.known.known import Meaning

_ROWS = (
    ("125", "docker run itself failed", "sparkconsole launch; docker's own words say why"),
    ("126", "the program may not be executed", "its rights, or its #! line"),
    ("127", "the program was not found", "another image, or its full path"),
    ("130", "SIGINT: interrupted by ctrl+c", ""),
    ("132", "SIGILL: an instruction that this processor does not have", "an image for this machine"),
    ("134", "SIGABRT: the program gave up by itself", "its last lines say why"),
    ("135", "SIGBUS: often a full /dev/shm", "start the container with --ipc host or --shm-size"),
    ("136", "SIGFPE", ""),
    (
        "137",
        "SIGKILL: out of memory, or killed by hand",
        "sparkconsole logs kernel names the victim; lower --gpu-memory-utilization",
    ),
    ("139", "SIGSEGV: native code crashed", "see what it did last: sparkconsole logs"),
    ("141", "SIGPIPE: who read its output ended", ""),
    ("143", "SIGTERM: it was told to end", "who stopped it: sparkconsole runs list"),
    ("255", "ssh itself, or the program, failed", ""),
)
_SIGNALS = {
    "130": "2",
    "132": "4",
    "134": "6",
    "135": "7",
    "136": "8",
    "137": "9",
    "139": "11",
    "141": "13",
    "143": "15",
}

EXIT_CODES = {
    **{code: Meaning(code, words, remedy=remedy) for code, words, remedy in _ROWS},
    **{
        f"-{_SIGNALS[code]}": Meaning(code, words, remedy=remedy)
        for code, words, remedy in _ROWS
        if code in _SIGNALS
    },
}
