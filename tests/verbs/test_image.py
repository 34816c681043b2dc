"""`image build`, `copy` and `list` on machines with real shells and jobs, and an engine of a few lines."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cyclopts import App

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.image import build as building
from sparkconsole.fleet.image import copy_survey as copying
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.transfer import receivers
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job, RunState
from sparkconsole.model.work.news import Advance, News, Remark
from sparkconsole.remote.docker import engine as docker
from sparkconsole.remote.node import site
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.registry import _without_session
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.image.build_and_copy import build, copy, follow_build, follow_copy
from sparkconsole.verbs.image.list import list_images
from tests import pretend_docker
from tests.pretend_docker import PretendNode, PretendWorld

CONTENT = "one layer\n" * 1000
BUILD_LOG = """\
#4 [1/2] FROM docker.io/library/tiny:1
#4 DONE 0.9s
#5 [2/2] RUN make
#5 0.2 [1/2] Building
#5 0.3 [2/2] Linking
#5 DONE 1.0s
"""
FAIL_LOG = BUILD_LOG.replace(
    "#5 DONE 1.0s", "#5 0.4 cc1plus: fatal error: Killed signal\n#5 ERROR: exit code: 1"
)


class Stage:
    """Three nodes, a session over them, and what was reported."""

    def __init__(self, world: PretendWorld, session: Session) -> None:
        self.world, self.session = world, session
        self.news: list[News] = []
        self.advanced = asyncio.Event()
        self.off: set[str] = set()

    async def do(self, result: object) -> Answer:
        """Carries a deed out as the script face does."""
        if isinstance(result, Answer):
            return result
        assert isinstance(result, PlannedAction)
        self.session.run = self.session.journal.begin(("image",), "default", result.plan.as_data())
        return await result.execute(self.hear)

    def hear(self, news: News) -> None:
        self.news.append(news)
        if isinstance(news, Advance):
            self.advanced.set()

    def remarks(self) -> str:
        return "\n".join(n.text for n in self.news if isinstance(n, Remark))


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    world = PretendWorld(tmp_path)
    for i in (1, 2, 3):
        node = world.node(f"spark{i}", f"192.168.177.1{i}")
        (node.engine / "build.log").write_text(BUILD_LOG)
        (node.engine / "build.out").write_text(CONTENT)
    cluster = Cluster(nodes=tuple(Node(name=f"spark{i}", address=f"10.77.0.1{i}") for i in (1, 2, 3)))
    monkeypatch.setattr(docker, "image", pretend_docker.image)
    monkeypatch.setattr(docker, "images", pretend_docker.images)
    monkeypatch.setattr(docker, "digest_in_registry", pretend_docker.digest_in_registry)
    monkeypatch.setattr(docker, "every_image", pretend_docker.every_image)
    monkeypatch.setattr(docker, "disk_usage", pretend_docker.disk_usage)
    monkeypatch.setattr(site, "COPY_SITE", site.COPY_SITE.replace("/etc/ssh", str(tmp_path / "etc-ssh")))

    async def links(_: Fleet, name: str) -> Fabric:
        return _links(name[-1]) if name.startswith("spark") else Fabric()

    monkeypatch.setattr(receivers, "fabric_of", links)

    async def connect(node: Node) -> Shell:
        if node.name in stage.off or node.name not in world.nodes:
            raise Unreachable(f"{node.address}: no route to host", hint="is it on?", node=node.name)
        return world.nodes[node.name]

    clock = RealClock()
    async with Fleet(cluster, connect, clock) as fleet:
        stage = Stage(
            world, Session(Options(), Inventory(), cluster, fleet, Journal(tmp_path / "state", clock))
        )
        yield stage


def _links(digit: str) -> Fabric:
    netdev = Netdev("enp1s0f1np1", (f"192.168.177.1{digit}/24",), 9000, up=True)
    return Fabric((Hca("rocep1s0f1", "enp1s0f1np1", up=True),), (netdev,))


def _sender(stage: Stage) -> PretendNode:
    node = stage.world.nodes["spark1"]
    node.put("vllm-node:latest", CONTENT)
    return node


def _has(stage: Stage, name: str, tag: str = "vllm-node:latest") -> bool:
    file = stage.world.nodes[name].engine / "images" / tag
    return file.exists() and file.read_text() == CONTENT


def _states(answer: Answer) -> dict[str, str]:
    return {host["host"]: host["state"] for host in answer.data["hosts"]}


# --- build


async def test_a_build_is_planned_with_its_exact_command_and_nothing_has_happened(
    stage: Stage, tmp_path: Path
) -> None:
    action = await build(
        stage.session, recipe=_recipe(tmp_path), least_free=0, rebuild_vllm=True, build_jobs=3
    )
    assert isinstance(action, PlannedAction)
    upload, run = action.plan.steps
    assert (upload.node, upload.folder) == ("spark1", str(tmp_path / "recipe"))
    assert run.argv[:5] == ("env", "DOCKER_BUILDKIT=1", "docker", "build", "-t")
    assert run.argv[-2:] == ("--progress=plain", "context")
    assert "BUILD_JOBS=3" in run.argv
    assert sum("CACHEBUST" in word for word in run.argv) == 1
    assert stage.world.nodes["spark1"].jobs() == []


async def test_a_build_runs_what_was_shown_and_is_read_back(stage: Stage, tmp_path: Path) -> None:
    node = stage.world.nodes["spark1"]
    action = await build(stage.session, recipe=_recipe(tmp_path), least_free=0)
    assert isinstance(action, PlannedAction)
    answer = await stage.do(action)
    assert answer.exit_code == 0
    ran = (node.engine / "build.argv").read_text().splitlines()
    assert tuple(ran) == action.plan.steps[1].argv[3:]
    assert (node.engine / "build.context").read_text().split() == ["Dockerfile", "start.sh"]
    assert answer.data["dated"].startswith("vllm-node:2")
    assert _has(stage, "spark1")
    assert _has(stage, "spark1", answer.data["dated"])
    assert answer.data["vllm"]["check"] == "unknown"
    assert node.jobs() == []


async def test_progress_is_told_and_every_line_is_kept_once(stage: Stage, tmp_path: Path) -> None:
    await stage.do(await build(stage.session, recipe=_recipe(tmp_path), least_free=0))
    told = [(n.what, n.done, n.total) for n in stage.news if isinstance(n, Advance)]
    assert told[-2:] == [("steps of vllm-node", 2, 2), ("[2/2] RUN make", 2, 2)]
    assert ("[2/2] RUN make", 1, 2) in told
    assert stage.session.run is not None
    kept = stage.session.journal.output(stage.session.run)
    assert kept.count("[2/2] RUN make") == 1
    assert kept.count("Linking") == 1


async def test_a_failed_build_names_its_step_and_leaves_nothing(stage: Stage, tmp_path: Path) -> None:
    node = stage.world.nodes["spark1"]
    (node.engine / "build.log").write_text(FAIL_LOG)
    (node.engine / "build.rc").write_text("1")
    with pytest.raises(SparkError, match=r"\[2/2\] RUN make: exit code: 1") as failed:
        await stage.do(await build(stage.session, recipe=_recipe(tmp_path), least_free=0))
    assert "fewer --build-jobs" in failed.value.hint
    assert "cc1plus: fatal error: Killed signal" in stage.remarks()
    assert node.jobs() == []


async def test_a_build_that_says_0_and_leaves_no_image_failed(stage: Stage, tmp_path: Path) -> None:
    (stage.world.nodes["spark1"].engine / "build.rc").write_text("0")
    with pytest.raises(SparkError, match="left no image"):
        await stage.do(await build(stage.session, recipe=_recipe(tmp_path), least_free=0))


async def test_another_console_finds_the_build_and_ends_it(stage: Stage, tmp_path: Path) -> None:
    node, session = stage.world.nodes["spark1"], stage.session
    (node.engine / "build.wait").touch()
    action = await build(session, recipe=_recipe(tmp_path), least_free=0)
    first = asyncio.create_task(stage.do(action))
    async with asyncio.timeout(20):
        await stage.advanced.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    run = session.run
    assert run is not None
    again = await build(session, recipe=_recipe(tmp_path), least_free=0)
    assert isinstance(again, PlannedAction)
    assert again.plan.steps == ()
    assert run.jobs[0].id in again.plan.title
    (node.engine / "build.wait").unlink()
    answer = await follow_build(session, run, run.jobs[0], stage.news.append)
    assert answer.exit_code == 0
    assert session.journal.output(run).count("Linking") == 1
    after = await follow_build(session, run, run.jobs[0], stage.news.append)
    assert after.data["dated"] == answer.data["dated"]


async def test_a_fixed_reference_that_was_not_built_is_a_failure(stage: Stage) -> None:
    node = stage.world.nodes["spark1"]
    (node.engine / "build.out").write_text(f"LABEL org.sparkconsole.vllm.commit={'b' * 40}\n")
    job = Job(
        id="build-x", node="spark1", kind="build", argv=("true",),
        details={"tag": "vllm-node", "dated": "vllm-node:1", "commit": "a" * 40, "ref_kind": "commit"},
    )  # fmt: skip
    for tag in ("vllm-node:latest", "vllm-node:1"):
        node.put(tag, (node.engine / "build.out").read_text())
    run = stage.session.journal.begin(("image", "build"), "default", {})
    answer = await follow_build(stage.session, run, job, stage.news.append)
    assert (answer.exit_code, answer.data["vllm"]["check"]) == (1, "different")
    branch = job.model_copy(update={"details": {**job.details, "ref_kind": "branch"}})
    assert (await follow_build(stage.session, run, branch, stage.news.append)).exit_code == 0


async def test_too_little_room_is_refused_with_numbers(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"free in .*needs about 1000000.0 TB"):
        await build(stage.session, recipe=_recipe(tmp_path), least_free=1e9)


async def test_a_recipe_that_needs_buildkit_is_refused_without_it(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkconsole.remote.image import build as remote_building

    only = remote_building.BUILDER.replace("/usr/bin/docker /usr/local/bin/docker", "")
    monkeypatch.setattr(remote_building, "BUILDER", only)
    stage.world.nodes["spark1"].break_("buildx")
    _recipe(tmp_path)
    (tmp_path / "recipe" / "Dockerfile").write_text("FROM x\nRUN --mount=type=cache,target=/c true\n")
    with pytest.raises(SparkError, match="no BuildKit") as refused:
        await build(stage.session, recipe=str(tmp_path / "recipe"), least_free=0)
    assert "buildx" in refused.value.hint


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ({"copy_to": ["spark2", "10.77.0.12"]}, "spark2 is named twice"),
        ({"copy_to": ["spark2", "ann@10.77.0.12:22"]}, "spark2 is named twice"),
        ({"copy_to": ["spark1"]}, "spark1 is the sender"),
        ({"copy_to": ["a'b@10.77.0.9"]}, "names no node and cannot be an address"),
        ({"copy_to": ["10.77.0.9:99999"]}, "names no node and cannot be an address"),
        ({"tag": "No Such"}, "--tag: .*must be lower-case"),
        ({"build_jobs": 0}, "--build-jobs"),
        ({"recipe": "/no/such"}, "no recipe '/no/such'"),
        ({"on": "spark9"}, "no node is called 'spark9'"),
        ({"build_arg": ["x"]}, "not KEY=VALUE"),
    ],
)
async def test_words_that_make_no_sense_are_refused(
    stage: Stage, words: dict[str, object], cause: str
) -> None:
    with pytest.raises(WrongUsage, match=cause) as wrong:
        await build(stage.session, **words)  # type: ignore[arg-type]
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("--no-build", "--no-build without --copy-to"),
        ("--copy-to ,", "--copy-to names no host"),
        ("--copy-to ' ,'", "--copy-to names no host"),
    ],
)
def test_words_that_no_cluster_could_make_right_are_refused(line: str, cause: str) -> None:
    with pytest.raises(WrongUsage, match=cause):
        understand(["image", "build", *shlex.split(line)])


async def test_build_and_copy_in_one_go(stage: Stage, tmp_path: Path) -> None:
    hosts = ["spark2,", "spark3"]
    action = await build(
        stage.session, recipe=_recipe(tmp_path), least_free=0, copy_to=hosts, copy_parallel=True
    )
    assert isinstance(action, PlannedAction)
    assert [s.id for s in action.plan.steps] == [
        *("context", "build", "known_hosts-spark2", "copy-spark2", "known_hosts-spark3", "copy-spark3"),
    ]
    answer = await stage.do(action)
    assert answer.exit_code == 0
    assert _states(Answer(answer.data["copies"])) == {"spark2": "copied", "spark3": "copied"}
    assert _has(stage, "spark2")
    assert _has(stage, "spark3")
    times = answer.parts[-1]
    assert isinstance(times, Sheet)
    assert [row[0] for row in times.rows] == ["Docker Build", "Image Copy", "Total Time"]


def _recipe(tmp_path: Path) -> str:
    folder = tmp_path / "recipe"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM tiny:1\nRUN make\n")
    (folder / "start.sh").write_text("true\n")
    return str(folder)


# --- copy


async def test_a_copy_arrives_is_verified_and_leaves_nothing_behind(stage: Stage) -> None:
    sender = _sender(stage)
    action = await copy(stage.session, to=["spark2"])
    assert isinstance(action, PlannedAction)
    keys, run = action.plan.steps
    assert keys.stdin == "spark2 ssh-ed25519 AAAA\n"
    assert run.argv[-3].endswith("@192.168.177.12")
    assert sender.jobs() == []
    answer = await stage.do(action)
    assert (answer.exit_code, _states(answer)) == (0, {"spark2": "copied"})
    assert answer.data["hosts"][0]["bytes"] > len(CONTENT)
    assert _has(stage, "spark2")
    assert sender.jobs() == []
    assert stage.world.logins() == ["192.168.177.12"]
    assert "completed in 00:00:0" in stage.remarks()


def _graph_drivers(stage: Stage) -> None:
    """Every engine keeps images in a store whose layers can be read; no image has a python3 to read them."""
    for node in stage.world.nodes.values():
        (node.engine / "driver").write_text("overlay2")


async def test_a_store_that_is_not_known_gets_the_whole_image_and_the_plan_says_so(stage: Stage) -> None:
    _sender(stage)
    action = await copy(stage.session, to=["spark2"])
    assert isinstance(action, PlannedAction)
    assert "spark2 gets the whole image: the sender's image store is btrfs" in action.plan.notes


@pytest.mark.parametrize("whole", [False, True])
async def test_layers_are_sent_unless_the_whole_image_is_asked_for(stage: Stage, whole: bool) -> None:
    _sender(stage)
    _graph_drivers(stage)
    action = await copy(stage.session, to=["spark2"], whole=whole)
    assert isinstance(action, PlannedAction)
    *files, run = action.plan.steps
    assert ("1 of 1 layers by docker load" in run.sentence) is not whole
    assert (
        [step.folder.rpartition("/")[2] for step in files if step.folder] == []
        if whole
        else ["image_program"]
    )
    answer = await stage.do(action)
    assert _states(answer) == {"spark2": "copied"}
    assert ("python3" in answer.data["hosts"][0]["detail"]) is not whole


async def test_layers_that_cannot_be_read_are_followed_by_the_whole_image(stage: Stage) -> None:
    _sender(stage)
    _graph_drivers(stage)
    answer = await stage.do(await copy(stage.session, to=["spark2"]))
    assert _states(answer) == {"spark2": "copied"}
    detail = answer.data["hosts"][0]["detail"]
    assert detail.startswith("the whole image was sent: the layers cannot be read: ")
    assert "python3" in detail
    assert "spark2 gets the image by docker save" in stage.remarks()
    assert _has(stage, "spark2")


async def test_a_host_that_has_the_same_content_is_skipped(stage: Stage) -> None:
    _sender(stage)
    stage.world.nodes["spark2"].put("vllm-node:latest", CONTENT)
    answer = await stage.do(await copy(stage.session, to=["all"]))
    assert _states(answer) == {"spark2": "already there", "spark3": "copied"}
    again = await copy(stage.session, to=["all"])
    assert isinstance(again, Answer)
    assert _states(again) == {"spark2": "already there", "spark3": "already there"}
    assert stage.world.logins() == ["192.168.177.13"]


@pytest.mark.parametrize("parallel", [False, True])
async def test_one_failing_host_never_prevents_the_others(stage: Stage, parallel: bool) -> None:
    _sender(stage)
    stage.world.nodes["spark2"].break_("load")
    answer = await stage.do(await copy(stage.session, to=["spark2", "spark3"], parallel=parallel))
    assert (answer.exit_code, _states(answer)) == (1, {"spark2": "failed", "spark3": "copied"})
    assert "no space left on device" in answer.data["hosts"][0]["detail"]
    assert _has(stage, "spark3")


async def test_an_unreachable_host_is_unknown_and_the_others_get_their_copy(stage: Stage) -> None:
    _sender(stage)
    stage.off.add("spark2")
    answer = await stage.do(await copy(stage.session, to=["all"], parallel=True))
    assert (answer.exit_code, _states(answer)) == (1, {"spark2": "unknown", "spark3": "copied"})


async def test_the_only_host_unreachable_is_exit_3(stage: Stage) -> None:
    _sender(stage)
    stage.off.add("spark2")
    with pytest.raises(Unreachable) as lost:
        await copy(stage.session, to=["spark2"])
    assert lost.value.exit_code == 3


async def test_a_refused_login_says_how_to_allow_it(stage: Stage) -> None:
    _sender(stage)
    (stage.world.folder / "refused-192.168.177.12").touch()
    answer = await stage.do(await copy(stage.session, to=["spark2"]))
    detail = answer.data["hosts"][0]["detail"]
    assert answer.exit_code == 1
    assert "Permission denied" in detail
    assert "ssh-copy-id" in detail
    assert "@192.168.177.12" in detail
    assert "--through-console" in detail


async def test_what_arrived_otherwise_is_never_called_copied(stage: Stage) -> None:
    _sender(stage)
    stage.world.nodes["spark2"].break_("other")
    stage.world.nodes["spark3"].break_("create")
    answer = await stage.do(await copy(stage.session, to=["all"]))
    assert _states(answer) == {"spark2": "failed", "spark3": "failed"}
    assert "other content" in answer.data["hosts"][0]["detail"]
    assert "no container can be made" in answer.data["hosts"][1]["detail"]


async def test_too_little_room_at_the_receiver_is_refused_with_numbers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sender(stage)
    monkeypatch.setattr(copying, "loading_needs", lambda size: size * 10**12)
    with pytest.raises(Refused, match=r"spark2|free in .*are needed to load vllm-node") as refused:
        await copy(stage.session, to=["spark2"])
    assert refused.value.node == "spark2"
    assert stage.world.logins() == []


async def test_a_slow_way_is_said_before_it_is_taken(stage: Stage) -> None:
    _sender(stage)
    stage.world.node("office", "172.16.0.5")
    stage.world.nodes["172.16.0.5"] = stage.world.nodes["office"]
    action = await copy(stage.session, to=["spark2", "172.16.0.5"])
    assert isinstance(action, PlannedAction)
    warnings = [note for note in action.plan.notes if note.startswith("warning")]
    assert len(warnings) == 1
    assert "172.16.0.5 is not on a ConnectX-7 port" in warnings[0]
    answer = await stage.do(action)
    assert answer.exit_code == 0
    assert stage.session.fleet.names == ("spark1", "spark2", "spark3")


@pytest.mark.parametrize("host", ["ann@172.16.0.5:2222", "ssh://ann@172.16.0.5:2222"])
async def test_a_machine_outside_the_cluster_may_have_a_port_of_its_own(stage: Stage, host: str) -> None:
    _sender(stage)
    stage.world.node("172.16.0.5-2222", "172.16.0.5")
    action = await copy(stage.session, to=[host])
    assert isinstance(action, PlannedAction)
    receiver = next(step.job for step in action.plan.steps if step.job is not None).details["receiver"]
    assert isinstance(receiver, dict)
    assert (receiver["user"], receiver["address"], receiver["port"]) == ("ann", "172.16.0.5", 2222)
    assert receiver["fabric_address"] == "172.16.0.5"


async def test_a_fast_address_means_the_node_that_has_it(stage: Stage) -> None:
    _sender(stage)
    action = await copy(stage.session, to=["192.168.177.12"])
    assert isinstance(action, PlannedAction)
    assert action.plan.steps[-1].id == "copy-spark2"
    assert action.plan.steps[-1].argv[-3].endswith("@192.168.177.12")
    with pytest.raises(WrongUsage, match="spark2 is named twice"):
        await copy(stage.session, to=["192.168.177.12", "spark2"])
    with pytest.raises(WrongUsage, match="is the sender"):
        await copy(stage.session, to=["192.168.177.11"])


async def test_no_build_copies_what_is_there(stage: Stage) -> None:
    _sender(stage)
    answer = await stage.do(await build(stage.session, no_build=True, copy_to=["spark2 spark3"]))
    assert _states(answer) == {"spark2": "copied", "spark3": "copied"}


async def test_an_image_that_is_not_there_is_named(stage: Stage) -> None:
    with pytest.raises(SparkError, match="no image other to copy") as missing:
        await copy(stage.session, "other", to=["spark2"])
    assert "image list" in missing.value.hint


async def test_through_the_console_needs_no_login_between_nodes(stage: Stage) -> None:
    _sender(stage)
    stage.world.nodes["spark3"].break_("load")
    action = await copy(stage.session, through_console=True)
    assert isinstance(action, PlannedAction)
    assert [s.argv for s in action.plan.steps][:2] == [
        ("docker", "save", "vllm-node:latest"),
        ("docker", "load"),
    ]
    assert "slower" in action.plan.notes[0]
    answer = await stage.do(action)
    assert (answer.exit_code, _states(answer)) == (1, {"spark2": "copied", "spark3": "failed"})
    assert stage.world.logins() == []


async def test_a_copy_is_followed_again_after_its_end(stage: Stage) -> None:
    _sender(stage)
    await stage.do(await copy(stage.session, to=["spark2"]))
    run = stage.session.run
    assert run is not None
    again = await follow_copy(stage.session, run, run.jobs[0], stage.news.append)
    assert (again.exit_code, _states(again)) == (0, {"spark2": "copied"})
    (stage.world.nodes["spark2"].engine / "images/vllm-node:latest").unlink()
    lost = await follow_copy(stage.session, run, run.jobs[0], stage.news.append)
    assert (lost.exit_code, _states(lost)) == (1, {"spark2": "failed"})


async def test_jobs_are_written_down_before_they_start(stage: Stage) -> None:
    _sender(stage)
    await stage.do(await copy(stage.session, to=["all"]))
    run = stage.session.journal.runs()[0]
    assert [job.details["host"] for job in run.jobs] == ["spark2", "spark3"]
    assert run.state is RunState.RUNNING


# --- list


async def test_the_list_says_what_is_where_and_whether_it_is_the_same(stage: Stage) -> None:
    _sender(stage).put("extra:1", "x")
    stage.world.nodes["spark2"].put("vllm-node:latest", CONTENT)
    stage.world.nodes["spark3"].put("vllm-node:latest", "another")
    answer = await list_images(stage.session)
    assert answer.data["verdicts"] == {"extra:1": "missing on spark2, spark3", "vllm-node:latest": "differs"}
    sheet = answer.parts[0]
    assert isinstance(sheet, Sheet)
    assert sheet.columns == ("image", "spark1", "spark2", "spark3", "content")
    row = sheet.rows[1]
    assert row[1] == row[2] != row[3]


async def test_an_unreachable_node_is_unknown_in_the_list(stage: Stage) -> None:
    _sender(stage)
    stage.world.nodes["spark2"].put("vllm-node:latest", CONTENT)
    stage.off.add("spark3")
    answer = await list_images(stage.session, "vllm-node")
    assert answer.data["verdicts"] == {"vllm-node:latest": "same, spark3 unknown"}
    sheet = answer.parts[0]
    assert isinstance(sheet, Sheet)
    assert sheet.rows[0][3] == "unknown"
    assert answer.exit_code == 3


def test_the_shipped_recipes_are_found_by_name() -> None:
    with pytest.raises(WrongUsage, match="no recipe"):
        building.recipe_folder("vllm-node-of-nobody")


# --- the words


def _parsed(verb: Callable[..., Awaitable[Answer | PlannedAction]], *words: str) -> dict[str, object]:
    app = App(result_action="return_value", exit_on_error=False, print_error=False, version_flags=())
    app.default(_without_session(verb))
    _, bound, _ = app.parse_args(list(words), exit_on_error=False, print_error=False)[:3]
    return dict(bound.arguments)


@pytest.mark.parametrize("flag", ["-c", "--copy-to", "--copy-to-host", "--copy-to-hosts"])
def test_every_flag_of_the_seeds_build_script_is_accepted(flag: str) -> None:
    given = ["-t", "x", "--rebuild-deps", "--rebuild-vllm", "--triton-ref", "a", "--vllm-ref", "b", "-j", "4"]
    said = _parsed(build, *given, flag, "h1", "h2,h3", "--copy-parallel", flag, "h4", "--no-build")
    assert said == {
        "tag": "x",
        "rebuild_deps": True,
        "rebuild_vllm": True,
        "triton_ref": "a",
        "vllm_ref": "b",
        "build_jobs": 4,
        "copy_to": ["h1", "h2,h3", "h4"],
        "copy_parallel": True,
        "no_build": True,
    }


def test_the_long_forms_too() -> None:
    said = _parsed(build, "--tag", "x", "--build-jobs", "2", "--build-arg", "A=1", "--build-arg", "B=c d")
    assert said == {"tag": "x", "build_jobs": 2, "build_arg": ["A=1", "B=c d"]}


def test_a_flag_after_the_hosts_is_no_host() -> None:
    assert _parsed(build, "-c", "--copy-parallel") == {"copy_to": [], "copy_parallel": True}


def test_serial_is_the_other_word_of_parallel() -> None:
    assert _parsed(copy, "x", "--to", "a", "b", "--serial") == {
        "tag": "x",
        "to": ["a", "b"],
        "parallel": False,
    }
    assert _parsed(copy, "--from", "b", "--parallel") == {"from_": "b", "parallel": True}


async def test_a_name_that_no_image_can_have_is_refused(stage: Stage) -> None:
    with pytest.raises(WrongUsage, match="no image's name"):
        await copy(stage.session, "--output=/etc/passwd", to=["spark2"])
