"""Lines of a server's own log after which its engine gives no token any more, though its API answers on.

What users wrote is quoted in logs: only what the program says itself counts. Spellings: vLLM 0.8 to 0.33,
Ray 2, c10d of PyTorch 2, NCCL, the kernel, and this project's memory guard.
"""

from __future__ import annotations

import re

from sparkconsole.parse.diagnose.log_frame import framed

_ENDS = (
    r"(?:[A-Za-z_]\w{0,40}\.){0,8}(?:ActorDiedError|RayActorError|NodeDiedError|WorkerCrashedError|"
    r"EngineDeadError|AsyncEngineDeadError|MQEngineDeadError|BackgroundLoopHasDied)\b",
    r"The actor (?:is dead|died)",
    r"(?:RayWorkerProc|Worker proc|WorkerProc|Engine core proc|EngineCore proc|EngineCore|Engine "
    r"process)\b.{0,80}\bdied\b",
    r"EngineCore\S{0,20} (?:encountered|failed|hit|died)|Engine (?:loop has died|process failed)",
    r"Engine core (?:initialization failed|died)|Failed core proc|AsyncLLM output_handler failed",
    r"(?:Ray)?WorkerProc (?:hit an exception|initialization failed|failed to start)|Executor failed",
    r"A worker died or was killed while executing|[Tt]he worker died unexpectedly",
    r"API ?[Ss]erver\S{0,20} .{0,40}\bexited\b|Process APIServer\S{0,20} .{0,40}\bdied\b",
)
"""Where such words stand behind others, an error's own line says them."""
_THROWN = (
    r"(?:[A-Za-z_]\w{0,40}\.){0,8}\w{0,40}Error: (?:CUDA (?:driver )?error|NCCL (?:communicator|error)|CUDA "
    r"out of memory)",
    r"(?:[A-Za-z_]\w{0,40}\.){0,8}(?:DistBackendError|AcceleratorError)\b",
)
_FIRST = (
    *_ENDS,
    *_THROWN,
    r"(?:CUDA|NCCL) error\b.{0,200}(?:illegal|launch failure|unhandled|ECC|misaligned|device-side)",
    r"Fatal Python error: |Segmentation fault|Bus error|Aborted\b|Killed$|terminate called after throwing|"
    r"double free or corruption|!+ *Segfault encountered",
    r"(?:Memory cgroup o|O)ut of memory: Kill(?:ed)? process",
    r"(?:\[PG .{0,120}\] )?.{0,60}(?:Process group watchdog thread terminated|[Tt]o avoid data "
    r"inconsistency, we are taking the entire process down)",
    r"(?:\[Rank \d+\] )?Watchdog caught collective operation timeout",
    r"sparkconsole guard: ",
)
"""Only where the message begins with them."""
_ANYWHERE = re.compile("|".join(rf"(?:^|[\s:(|])(?:{p})" for p in (*_ENDS, *_THROWN)))
_BEGINS = re.compile("|".join(rf"(?:{p})" for p in _FIRST))
_LEVEL = re.compile(r"^(TRACE|DEBUG|INFO|WARN(?:ING)?|ERR(?:OR)?|CRITICAL|FATAL)\b:? *")
_CALM = ("TRACE", "DEBUG", "INFO", "WARN", "WARNING")
_MARGIN = re.compile(r"^[\s|+>-]*")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|“[^”]{0,600}”|‘[^’]{0,600}’")
_USERS = re.compile(
    r"(?i)\b(?:received request|prompt(?:_token_ids)?\s?[:=]|messages\s?[:=]|content\s?[:=]|input\s?[:=]|"
    r"request body|body\s?[:=]|generated(?: response)?\b.{0,60}\boutput)|\b(?:GET|POST|PUT|DELETE|HEAD) /|"
    r"quoted? |(?:earlier|previous|last|old) (?:server|run|start|log)"
)
"""From here on a line gives what somebody else wrote."""
_STARTS = re.compile(
    r"vLLM (?:API )?server version|non-default args|^Application startup complete\.|"
    r"Initializing a V1 LLM engine"
)


def tells_of_death(line: str) -> bool:
    """It says itself that the engine or one of its ranks ended: whatever answers, no token comes any more."""
    level, text = _named(line)
    if not text or level in _CALM:
        return False
    text = _own(text)
    return bool(_BEGINS.match(text) or (level and _ANYWHERE.search(text)))


def tells_of_start(line: str) -> bool:
    """A server starts or came up: what the log said before is of another one."""
    level, text = _named(line)
    return level in ("", "INFO") and bool(_STARTS.search(text))


def message(line: str) -> str:
    """What it says, without tags, times and its level."""
    return _named(line)[1]


def _named(line: str) -> tuple[str, str]:
    """Its level, also where the logger gives no time, and its message."""
    one = framed(line)
    text = _MARGIN.sub("", one.text)
    found = _LEVEL.match(text)
    return (one.level or found[1], text[found.end() :]) if found else (one.level, text)


def _own(text: str) -> str:
    """What the program says, without what it quotes."""
    found = _USERS.search(text)
    return _QUOTED.sub("…", text[: found.start()] if found else text)
