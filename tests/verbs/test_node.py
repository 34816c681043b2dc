"""The machines' verbs: cluster.toml edited, host keys trusted, commands on all nodes, the subnet scanned."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config import edit
from sparkconsole.config.inventory import choose, load
from sparkconsole.errors import ChangedHostKey, Refused, SparkError, UnknownHostKey, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Node
from sparkconsole.model.finding import CONSOLE
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.news import nobody
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Shell
from sparkconsole.verbs import config
from sparkconsole.verbs.grammar import node_words, registry
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.registry import Request
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.logs import logs
from sparkconsole.verbs.logs.sources import KINDS
from sparkconsole.verbs.node import inventory as node
from sparkconsole.verbs.node import scan as node_scan
from sparkconsole.verbs.node import trust as node_trust
from tests.global_options import read_globals

TOML = """\
# the lab
default = "lab"
[clusters.lab]
user = "ada"
[[clusters.lab.nodes]]
name = "spark1"
address = "192.0.2.1"
[[clusters.lab.nodes]]
name = "spark2"
address = "192.0.2.2"
port = 2222
fabric_address = "127.0.0.5"
"""


async def local(node: Node) -> Shell:
    """Every node is this machine: the commands really run."""
    return LocalShell(node.name)


def session_of(path: Path, connect: object = local, **options: object) -> Session:
    given = Options(config=path, **options)  # type: ignore[arg-type]
    inventory = load(path)
    cluster = choose(inventory, cluster=given.cluster, nodes=given.nodes, user=given.user)
    fleet = Fleet(cluster, connect)  # type: ignore[arg-type]
    return Session(given, inventory, cluster, fleet, Journal(path.parent / "state", RealClock()))


def read(path: Path) -> str:
    return path.read_text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "cluster.toml"
    file.write_text(TOML)
    return file


async def carried(result: Answer | PlannedAction) -> Answer:
    assert isinstance(result, PlannedAction)
    return await result.execute(nobody)


def text_of(answer: Answer) -> str:
    return "\n".join(str(part) for part in answer.parts)


# --- list, add, remove


async def test_the_list_shows_what_each_node_inherits(path: Path) -> None:
    data = (await node.list_(session_of(path))).data
    assert [(n["name"], n["user"], n["head"]) for n in data["nodes"]] == [
        ("spark1", "ada", True),
        ("spark2", "ada", False),
    ]


async def test_an_unreachable_node_is_told_beside_the_others(path: Path) -> None:
    async def connect(node: Node) -> Shell:
        if node.name == "spark2":
            raise Unreachable("no route to host")
        return LocalShell(node.name)

    answer = await node.list_(session_of(path, connect), check=True)
    assert answer.exit_code == 3
    assert [n["reachable"] for n in answer.data["nodes"]] == [True, False]
    assert "no route to host" in text_of(answer)


async def test_no_nodes_says_how_to_add_one(tmp_path: Path) -> None:
    answer = await node.list_(session_of(tmp_path / "none.toml"))
    assert "node add" in text_of(answer)
    assert answer.exit_code == 0


async def test_adding_needs_no_yes_and_the_session_sees_the_node(path: Path) -> None:
    session = session_of(path)
    action = await node.add(session, "spark3", "192.0.2.3", port=22, head=True)
    assert action.plan.tier is Tier.LOOK
    assert read(path) == TOML
    answer = await action.execute(nobody)
    assert answer.data["nodes"] == ["spark3", "spark1", "spark2"]
    assert session.fleet.names == ("spark3", "spark1", "spark2")
    assert "# the lab" in read(path)


async def test_the_plan_shows_the_file_that_will_be_written(path: Path) -> None:
    action = await node.add(session_of(path), "spark3", "192.0.2.3")
    shown = action.plan.steps[0].stdin
    await action.execute(nobody)
    assert read(path) == shown


async def test_the_first_node_makes_the_file_and_its_cluster(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cluster.toml"
    session = session_of(path, user="eve")
    await carried(await node.add(session, "spark1", "192.0.2.1", to="lab"))
    inventory = load(path)
    assert inventory.default == "lab"
    assert inventory.clusters["lab"].nodes == (Node(name="spark1", address="192.0.2.1", user="eve"),)
    assert session.fleet.names == ("spark1",)


async def test_what_somebody_else_wrote_meanwhile_stays(path: Path) -> None:
    first = await node.add(session_of(path), "spark3", "192.0.2.3")
    second = await node.add(session_of(path), "spark4", "192.0.2.4")
    edit.change(path, lambda text: f"{text}# mine\n")
    await first.execute(nobody)
    answer = await second.execute(nobody)
    assert answer.data["nodes"] == ["spark1", "spark2", "spark3", "spark4"]
    assert "# mine" in read(path)


async def test_a_name_that_somebody_else_took_meanwhile_is_refused(path: Path) -> None:
    first = await node.add(session_of(path), "spark3", "192.0.2.3")
    second = await node.add(session_of(path), "spark3", "192.0.2.4")
    await first.execute(nobody)
    before = read(path)
    with pytest.raises(WrongUsage, match="name 'spark3' already"):
        await second.execute(nobody)
    assert read(path) == before


@pytest.mark.parametrize(
    ("name", "address", "port", "said"),
    [
        ("spark1", "x", None, "name 'spark1' already"),
        ("new", "192.0.2.2", None, "address '192.0.2.2' already"),
        ("a b", "x", None, "a name has letters"),
        ("all", "x", None, "name 'all' is wrong: where a node may stand, all means"),
        *((word, "x", None, "means something else") for word in (*logs.WORDS, *KINDS)),
        *((word, "x", None, "means something") for word in (node_words.ALL, node_trust.CONSOLE, CONSOLE)),
        ("new", "x", 70000, "port 70000 must be 65535 or less"),
        ("new", "", None, "must not be empty"),
    ],
)
async def test_a_node_that_cannot_be_is_refused(
    path: Path, name: str, address: str, port: int | None, said: str
) -> None:
    with pytest.raises(WrongUsage, match=said):
        await node.add(session_of(path), name, address, port=port)
    assert read(path) == TOML


async def test_removing_keeps_connections_to_the_others(path: Path) -> None:
    session = session_of(path)
    before = await session.fleet.shell("spark1")
    await carried(await node.remove(session, "spark2"))
    assert session.fleet.names == ("spark1",)
    assert await session.fleet.shell("spark1") is before
    with pytest.raises(WrongUsage, match="'sprak1'") as caught:
        await node.remove(session, "sprak1")
    assert "mean spark1?" in caught.value.hint


async def test_the_demo_never_edits_the_real_file(path: Path) -> None:
    with pytest.raises(Refused):
        await node.add(session_of(path, demo=2), "x", "y")


# --- exec, shell


async def test_equal_outputs_are_shown_once_and_arguments_arrive_exactly(path: Path) -> None:
    words = ("a b", '{"x": "$y"}', "ü", "--flag", "")
    code = "import sys; print(sys.argv[1:])"
    answer = await carried(await node.exec_(session_of(path), sys.executable, "-c", code, *words))
    assert answer.parts == (f"--- spark1, spark2\n{list(words)!r}",)
    assert answer.exit_code == 0


async def test_the_worst_exit_code_comes_back(path: Path) -> None:
    async def connect(node: Node) -> Shell:
        if node.name == "spark2":
            raise Unreachable("no route to host")
        return LocalShell(node.name)

    command = ("sh", "-c", "echo out; echo err >&2; exit 2")
    answer = await carried(await node.exec_(session_of(path, connect), *command))
    assert answer.exit_code == 3
    assert answer.data["nodes"]["spark1"] == {"status": 2, "stdout": "out\n", "stderr": "err\n"}
    assert "no route to host" in text_of(answer)
    alone = await carried(await node.exec_(session_of(path, connect), *command, node=("spark1",)))
    assert (alone.exit_code, alone.parts) == (2, ("out\nerr (exit 2)",))


async def test_a_command_for_nobody_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no node is called 'spark9'"):
        await node.exec_(session_of(path), "true", node=("spark9",))
    with pytest.raises(WrongUsage, match="was given no command"):
        understand(["node", "exec"])
    with pytest.raises(WrongUsage, match="no nodes"):
        await node.exec_(session_of(tmp_path / "none.toml"), "true")


async def test_a_shell_is_the_systems_ssh_and_needs_a_terminal(path: Path) -> None:
    action = await node.shell(session_of(path), "spark2")
    assert action.plan.steps[0].argv == ("ssh", "-p", "2222", "-l", "ada", "--", "192.0.2.2")
    with pytest.raises(Refused, match="needs a terminal"):
        await action.execute(nobody)


@pytest.fixture
def grammar(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Sequence[str]], Request]]:
    """The grammar with the modules of this file's verbs: what is tested here stands without the others."""
    alone = {first: registry.MODULES[first] for first in ("node", "runs", "config")}
    monkeypatch.setattr(registry, "MODULES", alone)
    registry.load.cache_clear()
    registry.application.cache_clear()
    yield understand
    registry.load.cache_clear()
    registry.application.cache_clear()


@pytest.mark.parametrize(
    ("line", "args", "kwargs"),
    [
        (
            "node exec --node a --node b -- ls -l --node --",
            ("ls", "-l", "--node", "--"),
            {"node": ("a", "b")},
        ),
        ("node add s 192.0.2.1 --head --fabric x", ("s", "192.0.2.1"), {"head": True, "fabric": "x"}),
        ("node scan 192.0.2.0/24", ("192.0.2.0/24",), {}),
        ("node trust a b", ("a", "b"), {}),
        ("node list --check", (), {"check": True}),
        ("runs show x --output", ("x",), {"output": True}),
        ("runs export a b", ("a", "b"), {}),
        ("runs list --limit 3", (), {"limit": 3}),
    ],
)
def test_words_reach_the_verbs_as_they_were_given(
    grammar: Callable[[Sequence[str]], Request], line: str, args: tuple[str, ...], kwargs: dict[str, object]
) -> None:
    request = grammar(line.split())
    assert (request.args, request.kwargs) == (args, kwargs)


def test_a_mistyped_option_never_runs_as_a_command(grammar: Callable[[Sequence[str]], Request]) -> None:
    for line in ("node exec --nod a -- true", "node exec --nod -- true", "node exec -x", "node exec ls -l"):
        with pytest.raises(WrongUsage):
            grammar(line.split())


def test_global_options_before_the_command_are_heard_and_those_in_it_are_not() -> None:
    given, rest = read_globals(["node", "exec", "--read-only", "--", "ls", "--json"])
    assert (given.read_only, given.json, rest) == (True, False, ["node", "exec", "--", "ls", "--json"])


# --- trust


@asynccontextmanager
async def sshd(*keys: asyncssh.SSHKey, port: int = 0) -> AsyncIterator[int]:
    server = await asyncssh.listen("127.0.0.1", port, server_host_keys=list(keys), reuse_address=True)
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()


def at(path: Path, port: int) -> Session:
    path.write_text(f'[clusters.lab]\n[[clusters.lab.nodes]]\nname="s"\naddress="127.0.0.1"\nport={port}\n')
    return session_of(path)


async def test_a_new_key_is_shown_then_stored_then_known(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    known_hosts = Path.home() / ".ssh" / "known_hosts"
    async with sshd(key) as port:
        session = at(path, port)
        action = await node_trust.trust(session)
        assert isinstance(action, PlannedAction)
        assert action.plan.tier is Tier.RECOVERABLE
        assert key.get_fingerprint() in action.plan.steps[0].sentence
        assert "127.0.0.1" not in (known_hosts.read_text() if known_hosts.exists() else "")
        assert (await action.execute(nobody)).data["trusted"] == ["s"]
        assert known_hosts.read_text() == action.plan.steps[0].stdin
        again = await node_trust.trust(session)
        assert isinstance(again, Answer)
        assert again.data["already"] == ["s"]


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_changed_key_is_refused_whatever_its_kind(path: Path, kind: str) -> None:
    async with sshd(asyncssh.generate_private_key("ssh-ed25519")) as port:
        await carried(await node_trust.trust(at(path, port)))
    before = (Path.home() / ".ssh" / "known_hosts").read_text()
    async with sshd(asyncssh.generate_private_key(kind), port=port):
        with pytest.raises(ChangedHostKey, match="than the trusted one") as caught:
            await node_trust.trust(at(path, port))
    assert "ssh-keygen -R" in caught.value.hint
    assert (Path.home() / ".ssh" / "known_hosts").read_text() == before


async def test_a_second_kind_of_key_of_a_trusted_machine_asks_nothing(path: Path) -> None:
    first, second = (asyncssh.generate_private_key(k) for k in ("ssh-ed25519", "ecdsa-sha2-nistp256"))
    async with sshd(first) as port:
        await carried(await node_trust.trust(at(path, port)))
    async with sshd(first, second, port=port):
        assert isinstance(await node_trust.trust(at(path, port)), Answer)


async def test_a_machine_that_shows_nothing_is_told_and_is_no_success(path: Path) -> None:
    async with sshd(asyncssh.generate_private_key("ssh-ed25519")) as port:
        pass
    answer = await node_trust.trust(at(path, port))
    assert isinstance(answer, Answer)
    assert answer.exit_code == 3
    assert "not asked" in text_of(answer)


# --- scan


@asynccontextmanager
async def greeting(address: str, words: bytes, port: int = 0) -> AsyncIterator[int]:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, address, port)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def a_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine looks like a DGX Spark to whoever asks."""
    for name, says in (("nvidia-smi", "NVIDIA GB10"), ("hostname", "spark-7.lab")):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\necho '{says}'\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")


@pytest.mark.usefixtures("a_spark")
async def test_a_scan_says_of_everybody_who_answers_what_it_is(path: Path) -> None:
    async def connect(node: Node) -> Shell:
        if node.address == "127.0.0.10":
            raise UnknownHostKey("not trusted", fingerprint="SHA256:abc")
        if node.address == "127.0.0.11":
            raise Unreachable("it refused every key")
        return LocalShell(node.name)

    ssh = b"SSH-2.0-OpenSSH_9.6\r\n"
    async with (
        greeting("127.0.0.9", ssh) as port,
        greeting("127.0.0.10", ssh, port),
        greeting("127.0.0.11", ssh, port),
        greeting("127.0.0.12", b"220 mail\r\n", port),
    ):
        answer = await node_scan.scan(session_of(path, connect), "127.0.0.8/29", ssh_port=port)
    found = {c["address"]: c["reason"] for c in answer.data["found"]}
    assert list(found) == [f"127.0.0.{i}" for i in range(9, 15)]
    assert found["127.0.0.9"] == "DGX Spark (GB10)"
    assert found["127.0.0.10"] == "answers SSH, not checked: untrusted key SHA256:abc"
    assert found["127.0.0.11"] == "answers SSH, not checked: it refused every key"
    assert "not as SSH" in found["127.0.0.12"]
    assert "is closed" in found["127.0.0.13"]
    assert answer.data["add"] == ["sparkconsole node add spark-7 127.0.0.9"]
    assert answer.data["scanned_from"] == "this machine"
    assert read(path) == TOML


@pytest.mark.usefixtures("a_spark")
async def test_a_scan_offers_no_name_that_cannot_be_added(path: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "hostname").write_text("#!/bin/sh\necho ray.lab\n")
    async with greeting("127.0.0.9", b"SSH-2.0-OpenSSH_9.6\r\n") as port:
        answer = await node_scan.scan(session_of(path), "127.0.0.9/32", ssh_port=port)
    assert answer.data["add"] == ["sparkconsole node add 127.0.0.9 127.0.0.9"]


async def test_machines_of_the_cluster_and_other_machines_are_not_offered(path: Path) -> None:
    async with greeting("127.0.0.5", b"SSH-2.0-x\r\n") as port, greeting("127.0.0.6", b"SSH-2.0-x\r\n", port):
        answer = await node_scan.scan(session_of(path), "127.0.0.4/30", ssh_port=port)
    found = {c["address"]: c["reason"] for c in answer.data["found"]}
    assert found["127.0.0.5"] == "is node spark2 already"
    assert found["127.0.0.6"].startswith("no DGX Spark")
    assert answer.data["add"] == []


@pytest.mark.parametrize("subnet", ["10.0.0.0/21", "10.0.0.0/16"])
async def test_a_large_subnet_asks_first(path: Path, subnet: str) -> None:
    with pytest.raises(Refused, match="more than 1024") as caught:
        await node_scan.scan(session_of(path), subnet)
    assert "--yes" in caught.value.hint


@pytest.mark.parametrize("subnet", ["10.0.0.0/8", "fe80::/64", "lab", "1.2.3.4/99"])
async def test_what_cannot_be_scanned_is_refused(path: Path, subnet: str) -> None:
    with pytest.raises(WrongUsage):
        await node_scan.scan(session_of(path, yes=""), subnet)


async def test_without_a_subnet_those_of_the_fabric_interfaces_are_meant(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    links = "rocep1s0f0 port 1 ==> enp1s0f0np0 (Up)", "rocep1s0f1 port 1 ==> enp1s0f1np1 (Down)"
    shim = "#!/bin/sh\n" + "".join(f"echo '{link}'\n" for link in links)
    address = '#!/bin/sh\necho "2: $6    inet 127.1.2.1/30 brd 127.1.2.3 scope global $6"\n'
    for name, text in (("ibdev2netdev", shim), ("ip", address)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(SparkError, match="no fabric interface") as caught:
        await node_scan.scan(session_of(path))
    assert "node scan 192" in caught.value.hint
    (tmp_path / "bin" / "ip").write_text(address.replace("127.1.2.1/30", "192.0.2.1/30"))
    assert [str(s) for s in await node_scan._fabric(session_of(path))] == ["192.0.2.0/30"]


# --- config, opening


async def test_config_says_where_and_what_without_secrets(path: Path) -> None:
    session = session_of(path)
    assert (await config.path(session)).data["clusters and nodes"] == {"path": str(path), "exists": True}
    shown = await config.show(session)
    assert shown.data["cluster"]["nodes"][1]["user"] == "ada"
    assert 'name = "spark2"' in text_of(shown)
    schema = (await config.schema(session)).data
    assert "clusters" in schema["cluster.toml"]["properties"]


async def test_a_session_opens_without_any_file_and_talks_to_nobody() -> None:
    async with open_session(Options()) as session:
        assert session.cluster.nodes == ()
        assert session.journal.runs() == []
    async with open_session(Options(nodes=("192.0.2.7",), user="eve")) as session:
        assert session.fleet.names == ("192.0.2.7",)
        assert session.cluster.head.user == "eve"


async def test_a_session_reads_the_file_of_the_command_line(path: Path) -> None:
    edit.change(path, lambda _: TOML)
    async with open_session(Options(config=path, nodes=("spark2",))) as session:
        assert session.fleet.names == ("spark2",)


@pytest.mark.parametrize("empty", ["", ",", " , "])
async def test_an_empty_list_of_nodes_is_refused_never_taken_for_all(path: Path, empty: str) -> None:
    given, _ = read_globals(["--config", str(path), "--nodes", empty, "status"])
    with pytest.raises(WrongUsage, match="the list of nodes is empty"):
        async with open_session(given):
            pass
