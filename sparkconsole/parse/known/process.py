"""How processes, services and containers end, where nothing says more."""

from __future__ import annotations

from sparkconsole.parse.known.cuda_errors import CUDA_ERRORS
from sparkconsole.parse.known.errnos import ERRNOS
from sparkconsole.parse.known.exit_codes import EXIT_CODES
from sparkconsole.parse.known.known import Known, cause, end

PROCESS: tuple[Known, ...] = (
    cause(
        "cuda-error-number",
        r"(?:CUDA|[Cc]uda)\w{0,30} (?:error|failure|Error|driver error)[ :(=]{1,3}(?:code[ "
        r":=]{1,2})?(?P<code>\d{1,3})\b|"
        r"cudaError(?:_t)?[ (:=]{1,2}(?P<other>\d{1,3})\b|"
        r"cuda\w{0,30}\(\).{0,60} Error (?P<third>8\d\d)\b",
        "CUDA failed: {code_means}{other_means}{third_means}",
        "the number is CUDA's own",
        "look it up in CUDA's cudaError list; sparkconsole doctor driver",
        "RuntimeError: CUDA driver error: 222",
        numbers={"code": CUDA_ERRORS, "other": CUDA_ERRORS, "third": CUDA_ERRORS},
    ),
    end(
        "process-exited",
        r"\b[Ee]xit(?:ed|s|ing)?(?: with)?(?: a)?(?: non-zero)?(?: exit)?[ _]?(?:[Cc]ode|[Ss]tatus)?[:= "
        r"(]{1,3}(?P<code>12[567]|13\d|"
        r"14[13]|-(?:[2-9]|1[15]))\b|"
        r"\bexit_?code[:=] ?(?P<other>12[567]|13\d|14[13]|-(?:[2-9]|1[15]))\b",
        "a process ended: {code_means}{other_means}",
        "from 128 on the status is a signal's number and 128",
        "its last lines say why",
        "vllm_node exited with code 139",
        numbers={"code": EXIT_CODES, "other": EXIT_CODES},
    ),
    end(
        "service-failed",
        r"(?<![\w@.-])(?P<unit>[\w@.-]{1,80}): (?:Main process exited, code=\w+, status=(?P<status>\d+)/|"
        r"Failed with result '(?P<result>[\w-]+)'|"
        r"Start request repeated too quickly)",
        "a service failed: {unit} {result}",
        "systemd ended or gave up on it",
        "journalctl -u with its name, on the node",
        "docker.service: Failed with result 'exit-code'.",
        numbers={"status": EXIT_CODES},
    ),
    end(
        "errno",
        r"\(errno:? (?P<errno>\d{1,3})\b|\bwith errno (?P<other>\d{1,3})\b|\berrno[ =](?P<third>\d{1,3})\b",
        "a call to the system failed: {errno_means}{other_means}{third_means}",
        "the number is Linux's own",
        "read the lines around it",
        "bind failed (errno: 99)",
        numbers={"errno": ERRNOS, "other": ERRNOS, "third": ERRNOS},
    ),
)
