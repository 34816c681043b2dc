"""The first wrong word is the one that is named: nodes and files that are not there, before anything else is.

What a verb would say next (no image, nothing runs) stays unsaid; nothing is run and nobody is connected to.
"""

from __future__ import annotations

import inspect
import io
from pathlib import Path

import pytest

from sparkconsole.cli import run
from sparkconsole.verbs.grammar.node_words import ANYWHERE, MEMBERS, parameters
from sparkconsole.verbs.grammar.registry import load

LAB = """
[clusters.lab]
nodes = [{ name = "spark-01", address = "192.0.2.11" }, { name = "spark-02", address = "192.0.2.12" }]
"""
STRANGERS = [
    "image copy --to spark-09",
    "image copy --from spark-09 --to all",
    "image build --on spark-09",
    "image build -c spark-01,spark-09",
    "model copy org/m --to spark-01 spark-09",
    "model download org/m --on spark-09",
    "node restart spark-09",
    "node reboot spark-09",
    "node drop-caches spark-09",
    "node exec --node spark-09 -- true",
    "node shell spark-09",
    "node trust spark-09",
    "exec --node spark-09 -- true",
    "logs --node spark-09",
    "logs --nodes spark-09",
    "--nodes spark-01,spark-09 stop",
    "launch -n spark-09",
]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home without OpenSSH's configuration, and no name service: nobody else is called spark-09."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sparkconsole.remote.ssh_config.place._resolves", lambda name: name == "spark-07")


@pytest.mark.parametrize("line", STRANGERS)
@pytest.mark.parametrize("where", ["demo", "file"])
def test_a_node_that_is_not_there(
    line: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(LAB)
    front = ["--demo"] if where == "demo" else ["--config", str(tmp_path / "c.toml")]
    assert run([*front, "--yes=reboot" if "reboot" in line else "--yes", *line.split()]) == 2
    told = capsys.readouterr().err
    assert "no node is called 'spark-09'; did you mean spark-0" in told
    assert "nodes: spark-01, spark-02" in told


@pytest.mark.parametrize("line", ["demo fault spark-09 lost", "demo clear spark-09", "--nodes lab status"])
def test_a_machine_that_the_pretend_cluster_has_not(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--demo", *line.split()]) == 2
    assert "no node is called" in capsys.readouterr().err


@pytest.mark.parametrize(
    "word", ["192.0.2.77", "spark-07", "ann@192.0.2.13", "fe80::1", "spark-01.example.org"]
)
def test_an_address_or_a_name_that_resolves_is_no_stranger(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not in the file, and may be a machine all the same: `config show` says that it was taken."""
    (tmp_path / "c.toml").write_text(LAB)
    assert run(["--config", str(tmp_path / "c.toml"), "--nodes", word, "config", "show"]) == 0
    assert "no node is called" not in capsys.readouterr().err


def test_a_name_of_openssh_is_no_stranger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text(LAB)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host spark-0? other\n  User ann\n")
    assert run(["--config", str(tmp_path / "c.toml"), "--nodes", "spark-09", "config", "show"]) == 0
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User ann\n")
    assert run(["--config", str(tmp_path / "c.toml"), "--nodes", "spark-09", "config", "show"]) == 2


@pytest.mark.parametrize("line", ["status", "launch", "stop --yes", "config show", "image list", "logs"])
def test_an_inventory_that_is_not_there_is_named(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--config", "/nope", *line.split()]) == 2
    assert "there is no file /nope" in capsys.readouterr().err


def test_the_first_node_begins_a_new_inventory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.toml"
    assert run(["--config", str(path), "--yes", "node", "add", "spark-01", "192.0.2.11"]) == 0
    assert "spark-01" in path.read_text()


# --- a script, before its first line runs


def script(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "x.spark"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ("lanch", "there is no verb lanch; did you mean launch?"),
        ("image biuld", "there is no verb image biuld; did you mean image build?"),
        ("status --jsn", "there is no option --jsn; did you mean --json?"),
        ("logs --tail", "--tail needs a value"),
        ("logs --tail x", "--tail is a whole number, not 'x'"),
        ("serve", "serve needs MODEL"),
        ("image", "image needs one more word"),
        ("stop --nodes", "--nodes needs a value"),
        ("--config a status", "--config holds for a whole run, not in a script's line"),
        ("status --demo=4", "--demo holds for a whole run, not in a script's line"),
        ("serve org/m --port 'x", "a quote is opened and never closed"),
        ("serve ${NOT_SET_AT_ALL}", "${NOT_SET_AT_ALL} has no value"),
        ("image copy --to spark-09", "no node is called 'spark-09'; did you mean spark-0"),
        ("status --nodes spark-09", "no node is called 'spark-09'; did you mean spark-0"),
        ("node restart spark-9", "no node is called 'spark-9'; did you mean spark-0"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number_and_nothing_runs(
    wrong: str, cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(tmp_path, "demo fault spark-02 hot", "# a comment", wrong)
    assert run(["--demo", "--yes", "--script", path]) == 2
    told = capsys.readouterr()
    assert f"{path}:3: {cause}" in told.err
    assert told.out == ""


def test_every_wrong_line_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script(tmp_path, "lanch", "status", "stpo")
    assert run(["--demo", "--script", path]) == 2
    told = capsys.readouterr().err
    assert f"{path}:1: there is no verb lanch" in told
    assert f"{path}:3: there is no verb stpo; did you mean stop?" in told


def test_what_is_no_script_is_not_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(tmp_path, *["lanch"] * 5000)
    assert run(["--demo", "--script", path]) == 2
    told = capsys.readouterr().err
    assert told.count("there is no verb lanch") == 20
    assert "and 4980 more lines are wrong; nothing was run" in told


def test_the_echo_of_a_line_is_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script(tmp_path, "node exec -- 'a  b' '' c")
    assert run(["--demo", "--script", path]) == 127
    told = capsys.readouterr().err
    assert "[1] node exec -- 'a  b' '' c\n" in told
    assert "stopped at line 1: node exec -- 'a  b' '' c\n" in told


def test_a_line_of_standard_input_is_named_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"status\nlanch\n")))
    assert run(["--demo", "--script", "-"]) == 2
    assert "<stdin>:2: there is no verb lanch; did you mean launch?" in capsys.readouterr().err


def test_a_node_that_a_line_above_adds_is_no_stranger_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.toml").write_text(LAB)
    path = script(tmp_path, "node add spark-09 192.0.2.19", "config show --nodes spark-09")
    assert run(["--config", str(tmp_path / "c.toml"), "--yes", "--script", path]) == 0


def test_what_a_line_says_holds_for_that_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = script(
        tmp_path, "image build --dry-run", "status --json --nodes spark-02", "image list", "--version"
    )
    assert run(["--demo", "--script", path]) == 0
    told = capsys.readouterr()
    assert "docker buildx build" in told.out or "docker build" in told.out
    assert '"spark-02"' in told.out
    assert '"node": "spark-01"' not in told.out
    assert "sparkconsole 0." in told.out


def test_every_parameter_that_names_nodes_is_looked_at() -> None:
    """A verb that is added later is found by the names that its parameters have."""
    usual = {"node", "nodes", "on", "from_", "to", "copy_to", "names"}
    others = {("image", "rollback"), ("node", "add")}  # their --to is a build, and a cluster
    for words, entry in load().items():
        if words not in others:
            taken = usual & set(inspect.signature(entry.function).parameters)
            assert taken <= set(parameters(words)), words
    assert set(MEMBERS) | set(ANYWHERE) <= set(load())


WRONG_BY_WORDS = (
    "launch -t 'A B'", "launch --name 'x y'", "launch --solo --backend ray", "serve m -- --api-key x",
    "serve ''", "serve m --port 99999999", "serve m -tp -1", "node exec", "explain", "explain - -",
    "wait-for frobs",
    "wait-for server --timeout nan", "doctor nonsense", "node add x '*'", "demo fault spark-02 nonsense",
    "image build --recipe nope", "image build --build-arg x", "image build --no-build", "web",
)  # fmt: skip


@pytest.mark.parametrize("line", WRONG_BY_WORDS)
def test_what_no_cluster_could_make_right_is_named_before_the_first_line_runs(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "x.spark"
    script.write_text(f"image build\n{line}\n")
    assert run(["--demo", "--yes", "--script", str(script)]) == 2
    told = capsys.readouterr()
    assert f"{script}:2: " in told.err
    assert "[1]" not in told.err + told.out, "line 1 did not run"
