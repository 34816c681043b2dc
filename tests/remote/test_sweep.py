"""What ended consoles left on a node goes; what runs, may be needed or is somebody else's stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from sparkconsole.errors import TimedOut
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.node import sweep as sweeping
from sparkconsole.remote.node.sweep import OLD_DAYS, sweep, swept

pytestmark = pytest.mark.programs
LONG_AGO = time.time() - (OLD_DAYS + 2) * 86400
DOCKER = """#!/bin/sh
echo "$*" >>{folder}/asked
case "$*" in
"ps "*) cat {folder}/containers;;
"images "*) cat {folder}/carriers;;
"image inspect"*" -- "*) eval "n=\\${{$#}}"; [ -e "{folder}/image-$n" ] && cat "{folder}/image-$n" || exit 1;;
esac
"""


def folder(name: str, *, pid: str = "", ended: bool = True, age: float = LONG_AGO) -> Path:
    path = Path.home() / ".local/state/sparkconsole/jobs" / name
    path.mkdir(parents=True)
    (path / "pid").write_text(pid or "999999999 7")
    (path / "log").write_text("said")
    if ended:
        (path / "status").write_text("0")
    for each in (*path.iterdir(), path):
        os.utime(each, (age, age))
    return path


def this_process() -> str:
    """Its number and when it began, as files name a process."""
    born = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{os.getpid()} {born}"


async def swept_here(keep: tuple[str, ...] = (), over: tuple[str, ...] = (), *, engine: bool = False) -> str:
    return await sweep(LocalShell("spark1"), keep, over, engine=engine)


async def test_jobs_that_are_over_go() -> None:
    old, killed = folder("copy-old-1"), folder("copy-killed-1", ended=False)
    ours = folder("copy-ours-1", age=time.time())
    others, followed = folder("copy-others-1", age=time.time()), folder("copy-followed-1")
    running = folder("copy-running-1", pid=this_process(), ended=False)
    reused = folder("copy-reused-1", pid=f"{os.getpid()} 1", ended=False)
    said = await swept_here(("copy-followed-1",), ("copy-ours-1", "copy-running-1"))
    assert said == "4 job folders"
    assert not any(path.exists() for path in (old, killed, ours, reused))
    assert all(path.exists() for path in (others, followed, running))
    assert await swept_here(("copy-followed-1",)) == "", "there is nothing more"


async def test_a_link_in_the_folder_of_jobs_leads_nowhere(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "status").write_text("0")
    folder("copy-old-1")
    link = Path.home() / ".local/state/sparkconsole/jobs/copy-link-1"
    link.symlink_to(kept)
    os.utime(kept, (LONG_AGO, LONG_AGO))
    assert await swept_here(over=("copy-link-1",)) == "one job folder"
    assert (kept / "status").exists()


@pytest.fixture(autouse=True)
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of /tmp, where a console of another test may sweep at the same time."""
    folder = tmp_path / "shared"
    folder.mkdir()
    assert sweeping._FILES.count("/tmp/") == 2
    monkeypatch.setattr(sweeping, "_FILES", sweeping._FILES.replace("/tmp/", f"{folder}/"))
    return folder


async def test_marks_of_long_ago_go_where_nobody_is_connected(shared: Path) -> None:
    texts = dict.fromkeys(("gone", "young", "kept"), "999999999 7 {}") | {"here": f"{this_process()} {{}}"}
    paths = {which: shared / f"sparkconsole-mark-{which}" for which in texts}
    for which, path in paths.items():
        path.write_text(f"{texts[which]}\n")
        if which != "young":
            os.utime(path, (LONG_AGO, LONG_AGO))
    assert await swept_here(("kept",)) == "one old mark"
    assert [which for which, path in paths.items() if path.exists()] == ["young", "kept", "here"]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine's answers as files, and what it was asked."""
    (tmp_path / "docker").write_text(DOCKER.format(folder=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for empty in ("containers", "carriers", "asked"):
        (tmp_path / empty).touch()
    return tmp_path


def removed(docker: Path) -> list[str]:
    asked = (docker / "asked").read_text().splitlines()
    return [line.split()[-1] for line in asked if line.startswith(("rm ", "rmi "))]


async def test_readers_of_copies_that_are_over_go(docker: Path) -> None:
    (docker / "containers").write_text("sparkconsole-copy-a-1\nsparkconsole-copy-b-1\nsparkconsole-db\n")
    assert await swept_here(over=("copy-a-1",), engine=True) == "one container of a copy"
    assert removed(docker) == ["sparkconsole-copy-a-1"]


async def test_carriers_go_once_the_image_has_come(docker: Path) -> None:
    """What a copy that was cut goes on from stays, and another image of that name is not this one."""
    (docker / "carriers").write_text("sha256:part\nsha256:cut\nsha256:other\nsha256:tricky\n")
    layers = {"part": ["a", "b"], "cut": ["a"], "other": ["a", "x"], "tricky": ["a", "b"]}
    tags = {"part": "vllm:1", "cut": "never:1", "other": "vllm:1", "tricky": "--help"}
    for which, its in layers.items():
        (docker / f"image-sha256:{which}").write_text(
            f"{tags[which]}#{json.dumps(its, separators=(',', ':'))}\n"
        )
    (docker / "image-vllm:1").write_text('["a","b","c"]\n')
    assert await swept_here(engine=True) == "one carrier of layers"
    assert removed(docker) == ["sha256:part"]


async def test_an_engine_that_answers_nothing_holds_nobody_up(docker: Path) -> None:
    (docker / "docker").write_text("#!/bin/sh\nexec sleep 60\n")
    folder("copy-old-1")
    assert await swept_here(engine=True) == "one job folder"


def test_what_was_removed_is_said_in_words() -> None:
    assert swept((0, 0, 0, 0, 0)) == ""
    assert swept((3, 0, 0, 0, 1)) == "3 job folders and one carrier of layers"
    assert swept((1, 2, 1, 2, 2)) == (
        "one job folder, 2 old marks, one temporary folder, 2 containers of a copy and 2 carriers of layers"
    )


async def test_what_a_node_answers_otherwise_is_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "_COUNTS", "echo '[bold]99999 1 1 1 1'\n")
    assert await swept_here() == ""
    monkeypatch.setattr(sweeping, "_COUNTS", "sleep 60\n")
    monkeypatch.setattr(sweeping, "TIMEOUT_S", 0.5)
    with pytest.raises(TimedOut):
        await swept_here()
