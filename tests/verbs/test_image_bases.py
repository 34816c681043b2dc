"""`image build` reads what its bases are on the node, shows it, builds from that, and keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.work.news import Remark
from sparkconsole.model.work.plan import plan_lines
from sparkconsole.remote.image import bases as reading
from sparkconsole.verbs.grammar.session import PlannedAction
from sparkconsole.verbs.image.build_and_copy import build
from tests.pretend_docker import PretendNode
from tests.verbs.test_image import BUILD_LOG, CONTENT, Stage, stage

__all__ = ["stage"]

NAME = "nvidia/cuda:13"
ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")
HELD = "ARG CUDA_BASE=nvidia/cuda:13\nFROM ${CUDA_BASE} AS base\nFROM base\nARG BASE_IMAGES=\nRUN make\n"
LITERAL = f"FROM {NAME}\nRUN make\n"


def node(stage: Stage) -> PretendNode:
    return stage.world.nodes["spark1"]


async def planned(stage: Stage, tmp_path: Path, text: str, **words: object) -> PlannedAction:
    folder = tmp_path / "recipe"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    action = await build(stage.session, recipe=str(folder), least_free=0, **words)  # type: ignore[arg-type]
    assert isinstance(action, PlannedAction)
    return action


def said_of_bases(action: PlannedAction) -> list[str]:
    return [note for note in action.plan.notes if note.startswith("base ")]


def argv(action: PlannedAction) -> list[str]:
    return [word for step in action.plan.steps if step.id == "build" for word in step.argv]


async def test_the_digest_of_a_registry_is_shown_built_from_and_kept(stage: Stage, tmp_path: Path) -> None:
    node(stage).registered[NAME] = ONE
    action = await planned(stage, tmp_path, HELD)
    assert said_of_bases(action) == [f"base {NAME} is {ONE}, read on spark1 from its registry"]
    shown = "\n".join(plan_lines(action.plan))
    assert f"CUDA_BASE={NAME}@{ONE}" in shown
    answer = await stage.do(action)
    ran = (node(stage).engine / "build.argv").read_text().splitlines()
    assert f"CUDA_BASE={NAME}@{ONE}" in ran
    assert f"BASE_IMAGES={NAME}@{ONE}" in ran
    assert f"org.sparkconsole.base={NAME}@{ONE}" in ran
    assert answer.data["bases"] == [{"name": NAME, "shown": ONE, "used": ONE, "check": "equal"}]
    (kept,) = stage.session.journal.runs()
    assert f"base {NAME} is {ONE}" in str(kept.plan)


async def test_what_is_given_is_what_is_read(stage: Stage, tmp_path: Path) -> None:
    node(stage).registered |= {NAME: ONE, "mine/cuda:1": OTHER}
    action = await planned(stage, tmp_path, HELD, build_arg=["CUDA_BASE=mine/cuda:1"])
    assert said_of_bases(action) == [f"base mine/cuda:1 is {OTHER}, read on spark1 from its registry"]
    assert [word for word in argv(action) if word.startswith("CUDA_BASE=")] == [
        f"CUDA_BASE=mine/cuda:1@{OTHER}"
    ]


async def test_without_a_registry_it_is_a_warning_and_the_build_goes_on(stage: Stage, tmp_path: Path) -> None:
    action = await planned(stage, tmp_path, HELD)
    (note,) = said_of_bases(action)
    assert note == (
        f'base {NAME}: its digest could not be read: Get "https://registry-1.docker.io/v2/": dial tcp: '
        "no such host again; built from the tag"
    )
    assert not any(word.startswith("CUDA_BASE=") for word in argv(action))
    assert f"org.sparkconsole.base={NAME}, digest not known" in argv(action)
    answer = await stage.do(action)
    assert answer.exit_code == 0
    assert answer.data["bases"] == [{"name": NAME, "shown": "", "used": "", "check": "unknown"}]
    (row,) = [row for row in answer.parts[0].rows if row[0] == "base"]  # type: ignore[union-attr]
    assert row[1] == f"{NAME}: what it was built from is not known"


async def test_what_is_on_the_node_is_taken_and_nobody_else_is_asked(stage: Stage, tmp_path: Path) -> None:
    node(stage).registered[NAME] = OTHER
    node(stage).put(NAME.replace("/", "-"), "")
    (node(stage).engine / "images" / "nvidia").mkdir()
    node(stage).put(NAME, f"DIGEST nvidia/cuda@{ONE}\n")
    action = await planned(stage, tmp_path, HELD)
    assert said_of_bases(action) == [f"base {NAME} is {ONE}, local on spark1"]
    assert f"CUDA_BASE={NAME}@{ONE}" in argv(action)


async def test_an_image_of_no_registry_is_named_by_its_id_and_looked_at_again(
    stage: Stage, tmp_path: Path
) -> None:
    node(stage).put("tiny:1", "imported")
    action = await planned(stage, tmp_path, "ARG BASE=tiny:1\nFROM $BASE\n")
    (note,) = said_of_bases(action)
    assert note.startswith("base tiny:1 is local on spark1: image sha256:")
    assert not any(word.startswith("BASE=") for word in argv(action))
    answer = await stage.do(action)
    assert answer.data["bases"][0]["check"] == "equal"
    again = await planned(stage, tmp_path, "ARG BASE=tiny:1\nFROM $BASE\n")
    node(stage).put("tiny:1", "another one, meanwhile")
    answer = await stage.do(again)
    assert (answer.exit_code, answer.data["bases"][0]["check"]) == (0, "different")
    assert "base tiny:1 was sha256:" in stage.remarks()


@pytest.mark.parametrize(
    ("used", "check", "remarks"),
    [(ONE, "equal", 0), (OTHER, "different", 1), ("", "unknown", 0)],
)
async def test_a_name_that_is_written_out_is_compared_with_what_the_builder_says(
    stage: Stage, tmp_path: Path, used: str, check: str, remarks: int
) -> None:
    node(stage).registered[NAME] = ONE
    action = await planned(stage, tmp_path, LITERAL)
    assert said_of_bases(action)[0].endswith("; built from the tag, and compared then")
    taken = f"docker.io/{NAME}@{used}" if used else f"docker.io/{NAME}"
    (node(stage).engine / "build.log").write_text(BUILD_LOG.replace("docker.io/library/tiny:1", taken))
    answer = await stage.do(action)
    assert answer.data["bases"] == [{"name": NAME, "shown": ONE, "used": used, "check": check}]
    warned = [n for n in stage.news if isinstance(n, Remark) and n.level == "warning"]
    assert len(warned) == remarks
    assert answer.exit_code == 0


async def test_a_newer_builder_is_held_to_it_by_a_context(stage: Stage, tmp_path: Path) -> None:
    node(stage).registered[NAME] = ONE
    (node(stage).engine / "buildx.help").write_text("      --build-context stringArray   Additional\n")
    (node(stage).engine / "version").write_text("28.2.2\n")
    action = await planned(stage, tmp_path, LITERAL)
    assert said_of_bases(action) == [f"base {NAME} is {ONE}, read on spark1 from its registry"]
    words = argv(action)
    assert words[words.index("--build-context") + 1] == f"{NAME}=docker-image://{NAME}@{ONE}"
    old = await planned(stage, tmp_path, f"# syntax=docker/dockerfile:1.2\n{LITERAL}")
    assert "--build-context" not in argv(old)
    (node(stage).engine / "version").write_text("20.10.24+dfsg1\n")
    assert "--build-context" not in argv(await planned(stage, tmp_path, LITERAL))


async def test_more_bases_than_anybody_has_are_not_all_asked_for(stage: Stage, tmp_path: Path) -> None:
    many = range(reading.MOST_BASES + 2)
    node(stage).registered |= {f"x/base:{i}": ONE for i in many}
    action = await planned(stage, tmp_path, "".join(f"FROM x/base:{i}\n" for i in many))
    notes = said_of_bases(action)
    assert len(notes) == len(many)
    assert sum("read on spark1" in note for note in notes) == reading.MOST_BASES
    assert "more than 16 bases are not looked at" in notes[-1]


async def test_a_failed_build_needs_no_base(stage: Stage, tmp_path: Path) -> None:
    node(stage).registered[NAME] = ONE
    (node(stage).engine / "build.rc").write_text("1")
    with pytest.raises(SparkError, match="the build of vllm-node failed"):
        await stage.do(await planned(stage, tmp_path, LITERAL))


async def test_a_job_of_before_that_knows_no_bases_is_followed(stage: Stage, tmp_path: Path) -> None:
    from sparkconsole.model.work.job import Job
    from sparkconsole.verbs.image.build_and_copy import follow_build

    for tag in ("vllm-node:latest", "vllm-node:1"):
        node(stage).put(tag, CONTENT)
    details = {"tag": "vllm-node", "dated": "vllm-node:1"}
    for bases in ({}, {"bases": "x"}, {"bases": [1, {}, {"name": "-rf", "way": "compared"}]}):
        job = Job(id="build-x", node="spark1", kind="build", argv=("true",), details={**details, **bases})
        run = stage.session.journal.begin(("image", "build"), "default", {})
        assert (await follow_build(stage.session, run, job, stage.news.append)).exit_code == 0
