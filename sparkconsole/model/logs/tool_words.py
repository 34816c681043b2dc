"""In what words tools, shells, kernels and runtimes fail that use none of a logger's."""

from __future__ import annotations

import re

FAILS = re.compile(
    # the C and C++ runtimes, and what a shell says of a signal
    r"\blibc\+\+abi: terminating\b|\b(?:malloc|free|realloc|calloc|munmap_chunk|malloc_consolidate)\(\): \w"
    r"|\bFloating point exception\b|\bTrace/breakpoint trap\b|\bBad system call\b|\bIllegal instruction\b"
    r"|\bterminated by signal \d|\bkilled by signal \d|\bMPI_ABORT was invoked\b"
    r"|\b(?:PRTE|ORTE|PMIX) has lost communication\b"
    # shells
    r"|\b[Cc]ommand not found(?:: \S|\.$)|\bUnknown command: \S|^su: \w|^sudo: \S"
    # ssh, archives, mounts
    r"|^Timeout, server \S{1,100} not responding|^lost connection$"
    r"|: not in \w{2,8} format\b|^mount: |^umount: "
    # docker, runc, kubectl
    r"|^docker: |^OCI runtime |\bstarting container process caused\b|^Error from server\b"
    r"|\bExited \([1-9]\d{0,2}\)|\bRestarting \([1-9]\d{0,2}\)|\"ExitCode\": ?-?[1-9]"
    # packages and builds
    r"|^Err:\d+ |^404 +Not Found\b|^dpkg: dependency problems\b|^configure: .{0,80}\b(?:no|not|"
    r"cannot|error)\b"
    r"|^npm (?:error|ERR!)"
    # perftest
    r"|\bCompletion with error\b|\bFailed status [1-9]"
    # the kernel, its hardware, systemd
    r"|\btask \S{1,60} blocked for more than\b|\bself-detected stall\b|\bdetected stalls on\b|"
    r"\bsoft lockup\b|"
    r"\bhard LOCKUP\b"
    r"|\bSError Interrupt\b|\[Hardware Error\]: event severity: (?:fatal|recoverable)|"
    r"\bEDAC \w{1,12}: [1-9]\d* UE\b"
    r"|\bDevice not ready\b|\bUnable to handle kernel\b|^Dependency failed for\b|\bNVRM: .{0,80}[Aa]ssert"
)
QUOTATION = re.compile(
    r"^\++ \S"  # a shell's trace of what it runs
    r"|^-{1,2}[A-Za-z][\w-]{0,60}(?:[ ,=]|$)"  # an option and its help
    r"|^(?:export |declare -x |ENV |ARG )?[A-Z][A-Z0-9_]{1,60}=[\w./:,\"-]*$"  # a setting
    r"|^(?:HEAD is now at|Previous HEAD position was) [0-9a-f]{6}"  # the title of a commit
    r"|^(?:Installing collected packages|Requirement already satisfied|Would install|"
    r"Successfully installed)\b"
)
"""Text that a log quotes: commands, options, settings, titles and names of others."""
AT_INFO = re.compile(
    r"(?<!if )\bdied\b|\bcrash(?:ed|es)\b(?! (?:if|when))|(?:ed|ing|s) unexpectedly\b"
    r"|\bhandshake (?:rejected|failed)\b|\bunrecoverable\b|\bstopped responding\b|\b[Ll]ost connection\b"
    r"|\b(?:worker|engine|rank|node|peer) failed\b"
    r"|\b(?:[Cc]onnection|[Pp]eer|[Ww]orker|[Nn]ode|[Rr]ank|[Hh]eartbeat)\b.{0,60}\b(?:lost|rejected)\b"
    r"|\b[Ff]ailed to (?:transfer|send|receive|connect|reach|start|allocate|respond|register|join|recover|"
    r"complete)\b"
    r"|\b(?:connect|send|recv|transfer|request|handshake)(?:ion)? failed\b|\bstate mismatch\b"
)
"""What means failure though its logger only informs."""
NCCL_RESULT = re.compile(
    r"^(?:\S{1,20} )?\S{1,60}\.(?:cc|h|cu):\d{1,6} -> [1-9]\b"
    r"|NCCL INFO \S{1,60}\.(?:cc|h|cu):\d{1,6} -> [1-9]\b"
)
"""NCCL hands a result code up through its functions: 0 would be success."""
_RECOVERS = re.compile(
    r"\b[Ww]ait(?:ing|s|ed)?\b|\b[Aa]waiting\b|\b[Rr]etr(?:y|ying|ies)\b|\b[Aa]ttempt \d|\b[Tt]rying again\b"
    r"|\bnot (?:yet )?ready\b|\btimed out\b|\b[Ss]till\b"
)
"""A wait or another try: what goes on after it shows that it ended well."""
_GIVES_UP = re.compile(
    r"\b(?:[Pp]anic|PANIC|panicked|[Ff]atal|FATAL|terminate|BUG|[Aa]borting)\b|\b[Gg](?:iving|ave|ives) up\b"
    r"|(?:^|[\s\]])(?:ERROR|[Ee]rror): |\bexceeded\b"
)


def recovers(text: str) -> bool:
    """Whether what goes on after the line shows that it ended well: a wait or a try that is not the last."""
    return bool(_RECOVERS.search(text)) and not _GIVES_UP.search(text)


_GOES_ON = re.compile(
    r"\b(?:disabl(?:ed|ing)\b|[Ff]all(?:s|ing)? back\b|instead\b|[Dd]efault(?:s|ing) to\b|[Ss]kipp(?:ed|"
    r"ing)\b|[Ii]gnor(?:ed|ing)\b|[Oo]verrid(?:den|ing|es)\b|will (?:use|be (?:used|disabled|ignored|skipped|"
    r"overridden))\b|[Ss]etting \w{1,60} ?(?:=|to)|\b[Uu]sing (?:the )?(?:default|native)\b|[Pp]roceeding\b|"
    r"[Cc]ontinuing\b|[Ss]witching to\b)"
)


def goes_on(text: str) -> bool:
    """Whether a warning says itself what is done instead."""
    return _GOES_ON.search(text) is not None
