"""How processes, services and containers end, where nothing says more."""

from sparkconsole.parse.known.known import cause, end
from sparkconsole.parse.known.numbered.cuda_errors import CUDA_ERRORS
from sparkconsole.parse.known.numbered.errnos import ERRNOS
from sparkconsole.parse.known.numbered.exit_codes import EXIT_CODES, SERVICE_CODES, SERVICE_RESULTS, SIGNALS

_CODE = r"(?:12[5-9]|1[34]\d|15\d|255|-(?:[1-9]|[12]\d|3[01]))"
"""Docker's and shells' own, 128 and a signal, ssh's; negative: a signal, as Python tells it."""

PROCESS = {
    "cuda-error-number": cause(
        r"(?:CUDA|[Cc]uda)\w{0,30} (?:error|failure|Error|Failure|driver error)[ :(=]{1,3}(?:code[ :=]{1,2})?"
        r"(?P<code>\d{1,3})\b|cudaError(?:_t)?[ (:=]{1,2}(?P<code2>\d{1,3})\b|"
        r"cuda\w{0,30}\(\).{0,60} Error (?P<code3>8\d\d)\b",
        "CUDA failed: {code_means}",
        "the number is CUDA's own",
        "look it up in CUDA's cudaError list; sparkconsole doctor driver",
        "RuntimeError: CUDA driver error: 222",
        numbers={"code": CUDA_ERRORS},
    ),
    "port-not-permitted": cause(
        r"\bbind\b.{0,120}[Pp]ermission denied",
        "a program may not listen on that port",
        "ports below 1024 are for root only",
        "choose a port above 1023: serve --port",
        "PermissionError: [Errno 13] error while attempting to bind on address ('0.0.0.0', 80): permission "
        "denied",
    ),
    "not-permitted": cause(
        r"PermissionError: (?:\[Errno (?:1|13)\])?[^'\"]{0,60}['\"](?P<path>[^'\"]{1,300})|"
        r"['\"‘]?(?P<path2>/[^'\"’:]{1,300})['\"’]?: Permission denied|"
        r"\[Errno 30\] Read-only file system: ['\"](?P<path3>[^'\"]{1,300})",
        "permission denied for a file or folder: {path}",
        "it belongs to another user (root, from a container), or is mounted read-only",
        "ls -ld it on the node; sudo chown it to the one who runs this, or mount it without :ro",
        "PermissionError: [Errno 13] Permission denied: '/data/models/x'",
    ),
    "process-exited": end(
        rf"\b[Ee]xit(?:ed|s|ing)?(?: with)?(?: a)?(?: non-zero)?(?: exit)?[ _-]?(?:[Cc]ode|[Ss]tatus|value)"
        rf"[:= (]{{1,3}}(?P<code>{_CODE})\b|"
        rf"\b[Ee]xited(?: with)?[:= (]{{1,3}}(?P<code2>{_CODE})\b(?! of\b)|"
        rf"\bexit:? \(?(?P<code3>{_CODE})\)?\.?$",
        "a process ended: {code_means}",
        "from 128 on the status is a signal's number and 128",
        "its last lines say why",
        "vllm_node exited with code 139",
        numbers={"code": EXIT_CODES},
    ),
    "service-failed": end(
        r"(?<![\w@.-])(?P<unit>[\w@.-]{1,80}): (?:(?:Main|Control) process exited, code=(?:killed|dumped), "
        r"status=(?P<signal>\d+)/|(?:Main|Control) process exited, code=\w+, status=(?P<status>\d+)/|Failed "
        r"with result '(?P<result>[\w-]+)'|Start request repeated too quickly)",
        "a service failed: {unit}, {result_means}{signal_means}{status_means}",
        "systemd ended or gave up on it",
        "journalctl -u with its name, on the node",
        "docker.service: Failed with result 'exit-code'.",
        numbers={"signal": SIGNALS, "status": SERVICE_CODES, "result": SERVICE_RESULTS},
    ),
    "errno": end(
        r"\(errno:? (?P<errno>\d{1,3})\b|\bwith errno (?P<errno2>\d{1,3})\b|"
        r"\b[Ee]rrno(?: ?[=:] ?| )(?P<errno3>\d{1,3})\b",
        "a call to the system failed: {errno_means}",
        "the number is Linux's own",
        "read the lines around it",
        "bind failed (errno: 99)",
        numbers={"errno": ERRNOS},
    ),
}
