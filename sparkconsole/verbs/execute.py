"""`exec`: a command in a node's container; words, both outputs and the exit code arrive as they are."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import secrets
import shlex
import sys
import threading
from collections.abc import AsyncIterator
from typing import Annotated

from cyclopts import Parameter

from sparkconsole.errors import Refused, SparkError, WrongUsage
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.remote.docker.execute import end_exec, exec_argv, pieces, start_exec, status_of
from sparkconsole.remote.node.site import look
from sparkconsole.remote.shell import Pipe, Shell
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here


@verb("exec", ahead=True)
async def execute(
    session: Here,
    *command: Annotated[str, Parameter(show=True)],
    node: Annotated[str | None, Parameter(name="--node")] = None,
    name: Annotated[str | None, Parameter(name="--name")] = None,
    interactive: Annotated[bool | None, Parameter(name=["--interactive", "-i"])] = None,
) -> Answer | AsyncIterator[Row]:
    """Run a command in the head's container: exec -- CMD…

    Its arguments arrive unchanged, its output is passed through, and its exit code becomes ours.

    Parameters
    ----------
    command
        The command and its arguments, after `--`.
    node
        In this node's container instead of the head's.
    name
        The container's name, when it is not the cluster's.
    interactive
        Give it our standard input; without a word: when something is piped into it.
    """
    if not command:
        raise WrongUsage("exec needs a command", hint="sparkconsole exec -- nvidia-smi")
    if session.options.read_only:
        raise Refused("exec can change anything, and this session is read-only")
    member = session.member(node)
    container = name or session.cluster.container
    argv = exec_argv(container, command, stdin=bool(interactive))
    planned = Answer({"node": member, "argv": list(argv)}, (f"{member}: {shlex.join(argv)}",))
    if session.options.dry_run and not session.fleet.forecast.effects:
        return planned
    shell = await session.fleet.shell(member)
    if not (await look(shell, container)).running:
        hint = "start it: sparkconsole launch"
        raise SparkError(f"no container {container} runs here", hint=hint, node=member)
    if session.options.dry_run:
        return planned
    stdin = interactive if interactive is not None else _piped()
    return _rows(shell, member, container, command, stdin)


def _piped() -> bool:
    """Something is piped into us; a closed standard input counts as nothing."""
    try:
        return not sys.stdin.isatty()
    except (ValueError, AttributeError):
        return False


async def _rows(
    shell: Shell, node: str, container: str, command: tuple[str, ...], stdin: bool
) -> AsyncIterator[Row]:
    mark = secrets.token_hex(8)
    pipe = await start_exec(shell, container, command, mark=mark, stdin=stdin)
    feeding = asyncio.create_task(_feed(pipe)) if stdin else None
    ended = False
    try:
        if feeding is None:
            await pipe.close_input()
        decoders = {s: codecs.getincrementaldecoder("utf-8")("replace") for s in ("stdout", "stderr")}
        async for piece in pieces(pipe):
            text = decoders[piece.stream].decode(piece.data)
            yield Row({"node": node, "stream": piece.stream, "text": text}, text, node)
        status = await status_of(pipe, node)
        ended = True
        yield Row({"node": node, "exit": status}, "", node)
    finally:
        if feeding is not None:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
        if not ended:
            unended, this = getattr(shell, "unended", []), (command, 0.0)
            unended.append(this)  # cancelled once more meanwhile, nobody sees its end
            with contextlib.suppress(SparkError):  # a lost node cannot be asked to end anything
                await end_exec(shell, container, mark)
                await pipe.kill()
                unended.remove(this)


async def _feed(pipe: Pipe) -> None:
    """Standard input to the command. The thread may wait for ever; it never keeps the program alive."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue(4)

    def read() -> None:
        with contextlib.suppress(RuntimeError, OSError, ValueError):  # the loop or the input is closed
            while data := os.read(sys.stdin.fileno(), 65536):
                asyncio.run_coroutine_threadsafe(chunks.put(data), loop).result()
            asyncio.run_coroutine_threadsafe(chunks.put(b""), loop).result()

    threading.Thread(target=read, daemon=True).start()
    while data := await chunks.get():
        await pipe.write(data)
    await pipe.close_input()
