"""What users ask of a model, as vLLM logs it: anybody's traceback, and nothing of this machine.

vLLM writes `Received request ID: prompt: '…', params: SamplingParams(…)` with `--enable-log-requests`.
"""

from __future__ import annotations

import re

from sparkconsole.parse.diagnose.log_frame import Framed

_BEGIN = re.compile(r"\bReceived request .{0,200}?\bprompt: ")
_END = re.compile(r"\bparams: (?:Sampling|Pooling|BeamSearch)Params\(|\blora_request: ")
MOST = 400
"""Lines that a prompt may have."""


class PromptDetector:
    """Fed with every line; knows whether it is a user's text."""

    def __init__(self) -> None:
        self._left, self._number = 0, 0

    def holds(self, number: int, line: Framed) -> bool:
        """Whether the line is a prompt, or part of one. `number`: pieces of a long line have one."""
        if number == self._number:
            return True
        if _BEGIN.search(line.text):
            self._number, self._left = number, 0 if _END.search(line.text) else MOST
            return True
        if not self._left:
            return False
        if line.level or _END.search(line.text):
            self._left = 0
            return not line.level
        self._left -= 1
        return True
