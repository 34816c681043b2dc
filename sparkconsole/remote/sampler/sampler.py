"""One long-lived process per node says what the node does, a line a second; nothing is installed there.

It lives exactly as long as the connection. What is not understood is handed on and never taken for a sample.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

from sparkconsole.errors import CommandFailed, SparkError, TooMuch, Unreachable
from sparkconsole.model.telemetry import Sample
from sparkconsole.parse.machine.telemetry import parse_sample
from sparkconsole.remote.lines import lines_of
from sparkconsole.remote.node_program import boot_argv, boot_input
from sparkconsole.remote.shell import AnswerMeter, Completed, Shell, end_pipe

_FILES = ("gpu_program.py", "kernel_program.py", "program.py")
_END_S = 2.0
"""How long a program whose input ended may take to end."""


MOST_LINES, REFILLED_S = 600, 30.0
"""Lines that a sampler may say at once, as after minutes in which nothing came through; and again in so

many seconds: twenty times what one with many devices does.
"""


class NoSampler(SparkError):
    """The node cannot run the sampler: no python3, or one that is too old."""


def argv(period_s: float, root: str = "") -> tuple[str, ...]:
    """The command that runs the program on a node; `root` stands for `/` there."""
    return boot_argv("sampler", f"{period_s:g}", *((root,) if root else ()))


def program() -> bytes:
    """What it is given to run: the three files as one."""
    return boot_input("sampler", *_FILES)


async def samples(
    shell: Shell, *, period_s: float = 1.0, garbage: Callable[[str], None] = lambda line: None, root: str = ""
) -> AsyncGenerator[Sample, None]:
    """The node's samples as they come; `garbage` is given every line that is none.

    Unreachable when the connection was lost, TooMuch when it floods, NoSampler when the program never gave a
    sample, CommandFailed when it ended later: it never ends by itself.
    """
    pipe = await shell.pipe(words := argv(period_s, root))
    sampled = False
    try:
        with contextlib.suppress(CommandFailed):
            # What does not read its program has ended: its end says why.
            await pipe.write(program())
        meter = AnswerMeter(MOST_LINES, REFILLED_S)
        async for line in lines_of(pipe):
            if not meter.fits(f"{line}\n".encode()):
                raise TooMuch("")
            sample = parse_sample(line)
            if sample is None:
                garbage(line)
                continue
            sampled = True
            yield sample
        raise _ended(await pipe.wait(), words, sampled=sampled)
    except TooMuch as error:
        text = "its sampler says too much and was ended"
        raise TooMuch(text, hint="what is its python3?", node=shell.node) from error
    finally:
        await end_pipe(pipe, _END_S)


def _ended(done: Completed, words: tuple[str, ...], *, sampled: bool) -> SparkError:
    if done.status is None:
        return Unreachable("the connection was lost", node=done.node)
    if sampled:
        return CommandFailed(words[:1], done.status, done.error_text, node=done.node)
    if done.status == 127:
        why = "python3 is not there"
    else:
        last = done.error_text.strip().splitlines()[-1:] or [f"it ended with status {done.status}"]
        why = f"python3 does not run the sampler: {last[0][:200]}"
    return NoSampler(why, hint="readings come more rarely, by its tools", node=done.node)
