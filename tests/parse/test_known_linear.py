"""No line costs more than its length: nothing repeats within a repetition, and lines are cut before."""

from __future__ import annotations

import re
import re._constants as sre
import re._parser as parser
import subprocess
import sys
from typing import Any

import pytest

from sparkconsole.model.logs import severity, tool_words
from sparkconsole.parse.diagnose import explain, log_frame, nccl, recovery, signs_of_life, stall
from sparkconsole.parse.diagnose import line as diagnose
from sparkconsole.parse.known import KNOWN

MODULES = (
    tool_words,
    severity,
    diagnose,
    explain,
    log_frame,
    nccl,
    signs_of_life,
    stall,
    recovery,
)
PATTERNS = {
    **{k.id: k.pattern for k in KNOWN},
    **{f"{m.__name__}.{n}": p for m in MODULES for n, p in vars(m).items() if isinstance(p, re.Pattern)},
    **{f"pair {i}.{j}": p for i, pair in enumerate(recovery._PAIRS) for j, p in enumerate(pair)},
    **{f"head {i}": p for i, p in enumerate(log_frame._HEADS)},
    **{f"stage {i}": p for i, (_, p) in enumerate(signs_of_life._STAGES)},
}
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def nested(parsed: Any, within: bool = False) -> bool:
    """Whether something is repeated without a limit within such a repetition."""
    for op, argument in parsed:
        if op in REPEATS:
            _, most, body = argument
            endless = most is sre.MAXREPEAT
            if (endless and within) or nested(body, within or endless):
                return True
        elif op is sre.BRANCH:
            if any(nested(branch, within) for branch in argument[1]):
                return True
        elif op in (sre.SUBPATTERN, sre.ASSERT, sre.ASSERT_NOT) and nested(argument[-1], within):
            return True
    return False


@pytest.mark.parametrize("name", PATTERNS)
def test_nothing_repeats_endlessly_within_a_repetition(name: str) -> None:
    assert not nested(parser.parse(PATTERNS[name].pattern))


def test_the_test_sees_what_it_looks_for() -> None:
    assert nested(parser.parse(r"(?:a+)+b"))
    assert nested(parser.parse(r"x|(?:(?:ab*)?c)*"))
    assert not nested(parser.parse(r"a+b+(?:c{1,9})+"))


PUMPS = (
    "['x', 'a ', '/a', 'A_', '1', '.', ':', '1.', 'a:', '(a', '[a', '\"a', 'error: ', 'failed ', 'NCCL "
    "WARN ', 'E1']"
)
PUMPED = f"""
from sparkconsole.parse.diagnose.explain import explain, explain_line
from sparkconsole.model.logs.line import log_line
for size in (10_000, 100_000):
    for pump in {PUMPS}:
        line = pump * (size // len(pump))
        explain([line]), explain_line(line), log_line(line)
"""


@pytest.mark.programs  # a Python of its own, which can be ended
def test_pumped_lines_of_any_length_end() -> None:
    """Minutes where a pattern is not linear, seconds where all are: the process is ended in between."""
    subprocess.run([sys.executable, "-c", PUMPED], timeout=120, check=True)
