"""`image prune` and `image rollback` on machines with real shells and an engine of a few lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import nobody
from sparkconsole.model.work.plan import plan_lines
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.docker import engine as docker
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.image.list import list_images
from sparkconsole.verbs.image.prune import prune
from sparkconsole.verbs.image.rollback import rollback
from tests import pretend_docker
from tests.pretend_docker import PretendNode, PretendWorld

OURS = "LABEL org.sparkconsole.recipe=vllm-node\n"
BUILDS = [f"vllm-node:202601{day:02}-0000" for day in range(1, 6)]


class Stage:
    """Two nodes: the first built five times, the second has what the name means."""

    def __init__(self, folder: Path) -> None:
        self.world, self.off = PretendWorld(folder), set[str]()
        self.one, self.two = (self.world.node(f"spark{n}", f"10.0.0.{n}") for n in (1, 2))
        for tag in BUILDS:
            self.one.put(tag, tag)
        for node in (self.one, self.two):
            node.put("vllm-node:latest", BUILDS[-1])
        self.cluster = Cluster(nodes=tuple(Node(name=n, address=n) for n in self.world.nodes))

    async def connect(self, node: Node) -> Shell:
        if node.name in self.off:
            raise Unreachable("no route to host", node=node.name)
        return self.world.nodes[node.name]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name in ("images", "every_image", "containers", "disk_usage"):
        monkeypatch.setattr(docker, name, getattr(pretend_docker, name))
    return Stage(tmp_path)


@pytest.fixture
async def session(stage: Stage, tmp_path: Path) -> AsyncIterator[Session]:
    clock = RealClock()
    async with Fleet(stage.cluster, stage.connect, clock) as fleet:
        yield Session(Options(), Inventory(), stage.cluster, fleet, Journal(tmp_path / "state", clock))


async def planned(result: Answer | PlannedAction) -> PlannedAction:
    assert isinstance(result, PlannedAction), result
    return result


def commands(action: PlannedAction) -> list[tuple[str, str]]:
    return [(s.node, s.shown()) for s in action.plan.steps]


def lose_name(node: PretendNode, content: str) -> None:
    node.put(f"{pretend_docker.NAMELESS}{len(content)}", content)


async def test_the_plan_shows_who_has_what_and_the_exact_commands_and_nothing_has_happened(
    stage: Stage, session: Session
) -> None:
    stage.one.keep_cache(old=70, young=50)
    action = await planned(await prune(session))
    assert commands(action) == [
        ("spark1", "docker rmi vllm-node:20260102-0000"),
        ("spark1", "docker rmi vllm-node:20260101-0000"),
        ("spark1", "docker builder prune --force --filter until=72h"),
    ]
    assert (action.plan.tier, action.plan.word) == (Tier.COSTLY, "prune")
    text = "\n".join(plan_lines(action.plan))
    assert "goes: older than the newest 3 builds" in text
    assert "stays: what the name means" in text
    assert text.index("stays or goes") < text.index("docker rmi")
    assert stage.one.tags() == {*BUILDS, "vllm-node:latest"}


async def test_what_went_is_read_back_with_the_bytes_given_back(stage: Stage, session: Session) -> None:
    stage.one.keep_cache(old=70, young=50)
    answer = await (await planned(await prune(session, keep=1))).execute(nobody)
    assert answer.exit_code == 0
    assert stage.one.tags() == {BUILDS[-1], "vllm-node:latest"}
    done = answer.data["nodes"]["spark1"]
    assert done["gone"] == [*reversed(BUILDS[:-1]), "build cache"]
    assert done["given_back_bytes"] == 4 * len(BUILDS[0]) + 70
    assert done["after"]["cache_bytes"] == 50
    assert (stage.one.engine / "builder.argv").read_text().split()[-1] == "until=72h"
    assert isinstance(await prune(session, keep=1), Answer), "nothing is left to do"


async def test_nothing_to_prune_is_an_answer_with_the_matrix(stage: Stage, session: Session) -> None:
    stage.one.keep_cache(old=70)
    answer = await prune(session, keep=5, cache_until="none")
    assert isinstance(answer, Answer)
    assert answer.exit_code == 0
    sheet = answer.parts[0]
    assert isinstance(sheet, Sheet)
    assert [row[0] for row in sheet.rows] == [
        "vllm-node",
        *(tag.partition(":")[2] for tag in reversed(BUILDS)),
    ]
    assert answer.data["images"][0]["name"] == "vllm-node:latest"


async def test_what_a_container_uses_since_the_plan_stays_and_the_others_go(
    stage: Stage, session: Session
) -> None:
    action = await planned(await prune(session, keep=1))
    stage.one.use(BUILDS[2])
    answer = await action.execute(nobody)
    assert answer.exit_code == 1
    assert stage.one.tags() == {BUILDS[2], BUILDS[4], "vllm-node:latest"}
    stays = answer.data["nodes"]["spark1"]["stays"]
    assert stays[BUILDS[2]] == "the container c9 on spark1 uses it"


async def test_a_refusal_of_docker_is_told_in_its_words(
    stage: Stage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(_: Shell) -> tuple[()]:
        return ()

    monkeypatch.setattr(docker, "containers", none)
    stage.one.use(BUILDS[2])
    answer = await (await planned(await prune(session, keep=1))).execute(nobody)
    assert answer.exit_code == 1
    assert stage.one.tags() == {BUILDS[2], BUILDS[4], "vllm-node:latest"}
    assert "a container is using it" in answer.data["nodes"]["spark1"]["stays"][BUILDS[2]]


async def test_what_docker_says_is_gone_and_is_not_stays(stage: Stage, session: Session) -> None:
    stage.one.break_("rmi", "builder")
    stage.one.keep_cache(old=70)
    answer = await (await planned(await prune(session))).execute(nobody)
    assert answer.exit_code == 1
    done = answer.data["nodes"]["spark1"]
    assert done["gone"] == []
    assert set(done["stays"]) == {*BUILDS[:2], "build cache"}
    assert done["stays"][BUILDS[0]] == "docker removed it, it says, and it is still there"
    assert "no builder" in done["stays"]["build cache"]
    assert done["given_back_bytes"] == 0


async def test_what_got_a_name_since_the_plan_stays(stage: Stage, session: Session) -> None:
    lose_name(stage.two, f"{OURS}earlier")
    action = await planned(await prune(session, keep=5))
    ((_, command),) = commands(action)
    assert command.startswith("docker image rm sha256:")
    stage.two.put("mine:1", f"{OURS}earlier")
    answer = await action.execute(nobody)
    assert answer.exit_code == 1
    assert "mine:1" in stage.two.tags()
    assert list(answer.data["nodes"]["spark2"]["stays"].values()) == ["mine:1 means it"]


async def test_nameless_builds_and_what_arrived_of_copies(stage: Stage, session: Session) -> None:
    lose_name(stage.two, f"{OURS}earlier")
    lose_name(stage.two, "LABEL org.sparkconsole.checkpoint=vllm-node\narrived")
    lose_name(stage.two, "LABEL org.sparkconsole.checkpoint=other\narrived for another name")
    usual, every = await prune(session, keep=5), await prune(session, keep=5, dangling=True)
    assert len(commands(await planned(usual))) == 1
    assert len(commands(await planned(every))) == 2
    assert isinstance(await prune(session, keep=5, dangling=False), Answer)
    answer = await (await planned(every)).execute(nobody)
    assert answer.exit_code == 0
    (left,) = (stage.two.engine / "images").glob(f"{pretend_docker.NAMELESS}*")
    assert "another name" in left.read_text()


async def test_a_node_that_cannot_be_asked_is_unknown_and_the_others_go_on(
    stage: Stage, session: Session
) -> None:
    stage.off.add("spark2")
    action = await planned(await prune(session))
    assert "spark2 is unknown, nothing is done there: no route to host" in action.plan.notes
    answer = await action.execute(nobody)
    assert answer.exit_code == 3
    assert stage.one.tags() == {*BUILDS[2:], "vllm-node:latest"}
    assert set(answer.data["unknown"]) == {"spark2"}
    again = await prune(session)
    assert isinstance(again, Answer)
    assert again.exit_code == 3


async def test_a_node_lost_since_the_plan_is_unknown(stage: Stage, session: Session) -> None:
    stage.off.add("spark2")
    action = await planned(await prune(session))
    session.fleet.lost("spark1")
    stage.off.add("spark1")
    answer = await action.execute(nobody)
    assert answer.exit_code == 3
    assert set(answer.data["nodes"]["spark1"]["unknown"].values()) == {"no route to host"}
    assert stage.one.tags() == {*BUILDS, "vllm-node:latest"}


async def test_an_engine_that_cannot_say_what_it_takes_up_keeps_its_cache(
    stage: Stage, session: Session
) -> None:
    stage.one.keep_cache(old=70)
    stage.one.break_("usage")
    action = await planned(await prune(session))
    assert not any("builder" in command for _, command in commands(action))
    assert any("its build cache stays" in note for note in action.plan.notes)
    answer = await action.execute(nobody)
    assert (answer.exit_code, answer.data["nodes"]["spark1"]["given_back_bytes"]) == (0, None)


async def test_words_that_make_no_sense_are_refused(stage: Stage, session: Session) -> None:
    with pytest.raises(WrongUsage, match="--keep takes 0 or more"):
        understand(("image", "prune", "--keep", "-1"))
    with pytest.raises(WrongUsage, match="no duration"):
        await prune(session, cache_until="soon")
    with pytest.raises(WrongUsage, match="no image's name"):
        await prune(session, "--all")


# --- list


async def test_the_list_says_versions_and_what_docker_takes_up(stage: Stage, session: Session) -> None:
    commit = f"LABEL org.sparkconsole.vllm.commit={'a41c0de' + '0' * 33}\n"
    stage.two.put("vllm-node:latest", f"{OURS}{commit}LABEL org.sparkconsole.vllm.ref=main\n")
    stage.one.keep_cache(young=2000)
    stage.two.break_("usage")
    answer = await list_images(session)
    versions, disk = (part for part in answer.parts[1:] if isinstance(part, Sheet))
    assert [row[2:] for row in versions.rows] == [("spark2", "main@a41c0de", "recipe vllm-node")]
    assert disk.columns == ("node", "images", "build cache", "free")
    assert [row[2:] for row in disk.rows] == [("2.0 kB", "1.0 TB"), ("unknown", "unknown")]
    assert "spark2: docker's disk is unknown: docker gave no answer for 10 s" in answer.parts
    assert answer.data["usage"]["spark1"]["cache_bytes"] == 2000
    assert answer.exit_code == 0


# --- rollback


async def test_a_build_without_a_name_is_gone_back_to_and_both_keep_their_dates(
    stage: Stage, session: Session
) -> None:
    """A copy gives a receiver no dates, and the next one takes the name of what it had."""
    lose_name(stage.two, BUILDS[-2])
    answer = await (await planned(await rollback(session))).execute(nobody)
    assert (answer.exit_code, answer.data["other"]) == (0, [])
    assert stage.two.tags() == {"vllm-node:latest", *BUILDS[-2:]}
    assert (stage.two.engine / "images/vllm-node:latest").read_text() == BUILDS[-2]
    again = await (await planned(await rollback(session, to="20260105-0000"))).execute(nobody)
    assert again.exit_code == 0, "and forth"


async def test_builds_of_any_node_can_be_gone_back_to(stage: Stage, session: Session) -> None:
    """The head need not be where it was built."""
    stage.two.put("vllm-node:20251224-0000", BUILDS[0])
    (stage.one.engine / "images" / BUILDS[0]).rename(stage.one.engine / "images" / "nameless-1")
    action = await planned(await rollback(session, to="20251224-0000"))
    assert (await action.execute(nobody)).exit_code == 0
    assert "vllm-node:20251224-0000" in stage.one.tags()


async def test_a_node_without_the_build_is_named_with_what_to_do(stage: Stage, session: Session) -> None:
    with pytest.raises(Refused, match="does not have vllm-node:20260104-0000") as refused:
        await rollback(session)
    assert refused.value.node == "spark2"
    assert "image copy vllm-node:20260104-0000 --to spark2" in refused.value.hint
