"""Runs the model program on a node: looks, and the commands of the jobs that move models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.cached import CachedModel
from sparkconsole.model.checkpoint.files import CheckpointFiles, MissingFiles
from sparkconsole.model.checkpoint.weights import Checkpoint
from sparkconsole.model.transfer.ends import PROGRAMS, Receiver, ssh_argv
from sparkconsole.parse.checkpoint.files import OWNER_HINT, parse_checkpoint, parse_holding, parse_models
from sparkconsole.remote.checkpoint.hf_cache import hf_cache
from sparkconsole.remote.foreseen_shell import NotBefore, then_on
from sparkconsole.remote.model_program.__main__ import text
from sparkconsole.remote.shell import Shell

FOLDER = Path(__file__).parent.parent / "model_program"
"""What a job is given; `python3 programs` runs it."""
SEND = ("python3", PROGRAMS, "send", "manifest")
LIST = ("python3", "-", "model", "list")
"""Reads the program from standard input, as `look_argv` does."""
LOOK_S, HASH_S = 120.0, 7200.0


@cache
def program() -> bytes:
    """The whole program as one text."""
    return text(str(FOLDER)).encode()


def look_argv(
    model: str, revision: str = "", *, hashing: bool = False, beside: bool = False
) -> tuple[str, ...]:
    """The command that reads the program from standard input."""
    depth = ("all" if beside else "hash") if hashing else "-"
    return ("python3", "-", "model", "look", model, revision, depth)


async def holding(
    shell: Shell, model: str, revision: str = "", *, hashing: bool = False, beside: bool = False
) -> CheckpointFiles:
    """What the node has of the model; with `hashing` every file of the revision is read, those `beside` it
    too. SparkError when it cannot say."""
    argv = (await hf_cache(shell)).with_folders(look_argv(model, revision, hashing=hashing, beside=beside))
    found = parse_holding(await _output(shell, argv, HASH_S if hashing else LOOK_S))
    if found.error:
        raise SparkError(f"the model's files cannot be read: {found.error}", hint=OWNER_HINT, node=shell.node)
    return then_on(shell).holding(model, found)


async def cached_models(shell: Shell) -> tuple[CachedModel, ...]:
    """Every model in the login's cache, which the containers share, as a copy would find it; SparkError when
    the node cannot say."""
    return parse_models(await _output(shell, (await hf_cache(shell)).with_folders(LIST), LOOK_S))


def headers_argv(model: str) -> tuple[str, ...]:
    """The command that reads the headers of its weights."""
    return ("python3", "-", "model", "headers", model)


async def checkpoint(shell: Shell, model: str) -> Checkpoint:
    """What the node has of the model, and its memory; without a folder when it has nothing. SparkError when
    it cannot say."""
    if then_on(shell).has_model(model):
        raise NotBefore(f"what is in the files of {model} is known once they are there", node=shell.node)
    argv = (await hf_cache(shell)).with_folders(headers_argv(model))
    found = parse_checkpoint(await _output(shell, argv, 60, "read the headers"))
    if found.error:
        hint = "who owns the cache? sparkconsole check"
        raise SparkError(f"the model's files cannot be read: {found.error}", hint=hint, node=shell.node)
    return replace(found, memory=then_on(shell).memory(found.memory) if found.memory else None)


async def _output(shell: Shell, argv: tuple[str, ...], limit: float, purpose: str = "look") -> str:
    done = await shell.run(argv, stdin=program(), timeout=limit)
    if done.status == 127:
        raise SparkError(f"there is no python3 to {purpose} with", hint="install it", node=shell.node)
    return done.checked().text


def manifest(
    receiver: Receiver, source: CheckpointFiles, target: CheckpointFiles, what: MissingFiles, streams: int
) -> str:
    """What is sent, a line of JSON each: how the receiver is reached, files, links, names of the revision."""
    head = {"ssh": ssh_argv(receiver), "root": source.root, "to": target.root, "streams": streams}
    files = (
        {"file": path, "name": source.name_of(path), "size": count}
        | ({"again": True} if path in what.again else {})
        for path, count in what.files.items()
    )
    links = ({"path": path, "link": to} for path, to in what.links.items())
    texts = ({"path": path, "text": words} for path, words in what.texts.items())
    return "".join(f"{json.dumps(row)}\n" for row in (head, *files, *links, *texts))


@dataclass(frozen=True, slots=True)
class FileTransfer:
    """How a model travels to one receiver: the files that it lacks, then links and names of the revision."""

    what: MissingFiles
    manifest: str

    folder, program = str(FOLDER), "models"

    @property
    def sentence(self) -> str:
        """How much goes."""
        return self.what.words

    def files(self, receiver: Receiver) -> Mapping[str, str]:
        """What goes."""
        return {"manifest": self.manifest}

    def argv(self, name: str, receiver: Receiver) -> tuple[str, ...]:
        """The program; receiver and model stand there for whoever lists processes."""
        return (*SEND, receiver.target, name)


def download_argv(model: str, revision: str, endpoint: str, streams: int) -> tuple[str, ...]:
    """The job that downloads."""
    return ("python3", PROGRAMS, "download", model, revision, endpoint, str(streams))
