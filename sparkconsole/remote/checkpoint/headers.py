"""A model's headers, configuration and the node's memory by one command; nothing is downloaded or kept."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.weights import Checkpoint
from sparkconsole.parse.checkpoint.files import parse_checkpoint
from sparkconsole.remote.checkpoint.hf_cache import hf_cache
from sparkconsole.remote.foreseen_shell import NotBefore, then_on
from sparkconsole.remote.shell import Shell


@cache
def program() -> bytes:
    """What the node's python3 is given to run."""
    return (files("sparkconsole.remote.checkpoint") / "headers_program.py").read_bytes()


def headers_argv(model: str) -> tuple[str, ...]:
    """The command that reads its program from standard input."""
    return ("python3", "-", "model-headers", model)


async def checkpoint(shell: Shell, model: str) -> Checkpoint:
    """What the node has of the model; without a folder when it has nothing. SparkError when it cannot say."""
    if then_on(shell).has_model(model):
        raise NotBefore(f"what is in the files of {model} is known once they are there", node=shell.node)
    done = await shell.run(
        (await hf_cache(shell)).with_folders(headers_argv(model)), stdin=program(), timeout=60
    )
    if done.status == 127:
        raise SparkError("there is no python3 to read the headers with", hint="install it", node=shell.node)
    found = parse_checkpoint(done.checked().text)
    if found.error:
        raise SparkError(
            f"the model's files cannot be read: {found.error}",
            hint="who owns the cache? sparkconsole check",
            node=shell.node,
        )
    memory = then_on(shell).memory(found.memory) if found.memory else None
    return replace(found, memory=memory)
