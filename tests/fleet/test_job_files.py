"""What goes into a job's folder is read back there, and a container is gone only when its engine says so.

In real shells; the engine is a few lines that say what Docker says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.errors import CommandFailed
from sparkconsole.fleet.execute_plan import fed, verify
from sparkconsole.fleet.jobs import folder_step, text_step
from sparkconsole.model.launch.steps import removal_steps
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.plan import Step
from sparkconsole.remote.local import LocalShell

JOB = Job(id="build-1", node="here", kind=JobKind.BUILD, argv=("true",))


class Placed(LocalShell):
    """This machine with a home, and programs, of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__("here")
        self.folder = folder

    async def _process(self, argv: Sequence[str], *rest: Any, **more: Any) -> Any:
        place = (f"HOME={self.folder}", f"PATH={self.folder}:{os.environ['PATH']}", "XDG_STATE_HOME=")
        return await super()._process(("env", *place, *argv), *rest, **more)


async def done(shell: LocalShell, step: Step) -> None:
    (await shell.run(step.argv, stdin=await fed(step))).checked()


async def test_a_text_that_arrived_is_known_by_its_hash(tmp_path: Path) -> None:
    shell, step = Placed(tmp_path), text_step("keys", JOB, "known_hosts", "a ssh-ed25519 AAAA\n", "send it")
    with pytest.raises(CommandFailed, match="known_hosts arrived whole: not so"):
        await verify(shell, step)
    await done(shell, step)
    await verify(shell, step)
    await done(shell, replace(step, stdin="a ssh-ed25519 AAA"))
    with pytest.raises(CommandFailed, match="not so"):
        await verify(shell, step)


async def test_a_folder_that_arrived_has_all_of_its_files(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe"
    (recipe / "deep").mkdir(parents=True)
    for name in ("Dockerfile", "deep/patch one"):
        (recipe / name).write_text("x")
    (recipe / "link").symlink_to("Dockerfile")
    shell, step = Placed(tmp_path), folder_step("context", JOB, "context", recipe, "send it")
    with pytest.raises(CommandFailed, match="every file of it arrived: not so"):
        await verify(shell, step)
    await done(shell, step)
    await verify(shell, step)
    next((tmp_path / ".local/state/sparkconsole/jobs").rglob("patch one")).unlink()
    with pytest.raises(CommandFailed, match="not so"):
        await verify(shell, step)


@pytest.mark.parametrize(
    ("says", "gone"),
    [
        ("echo 'Error: No such container: vllm_node' >&2; exit 1", True),
        ("echo 'Error: No such object: vllm_node' >&2; exit 1", True),
        ("echo 4f66ad9a0b2e", False),
        ("echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1", False),
        ("exit 1", False),
        ("echo 'permission denied while trying to connect' >&2; exit 1", False),
    ],
    ids=["gone", "gone, said otherwise", "there", "engine down", "nothing said", "not permitted"],
)
async def test_an_engine_that_does_not_answer_has_not_removed_a_container(
    tmp_path: Path, says: str, gone: bool
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$2" = inspect ] || exit 0\n{says}\n')
    docker.chmod(0o755)
    shell, (_, remove) = Placed(tmp_path), removal_steps("here", "vllm_node")
    assert (await shell.run(remove.argv)).ok is gone
    if gone:
        await verify(shell, remove)
    else:
        with pytest.raises(CommandFailed, match="vllm_node is gone: not so"):
            await verify(shell, remove)
