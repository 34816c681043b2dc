"""Edits of cluster.toml keep what the person wrote, are whole or absent, and never leave an invalid file."""

from __future__ import annotations

import errno
import stat
from functools import partial
from pathlib import Path

import pytest

from sparkconsole.config import edit
from sparkconsole.config.inventory import load, parse
from sparkconsole.config.locked import locked
from sparkconsole.config.settings import load_settings
from sparkconsole.errors import SparkError, WrongConfig, WrongUsage
from sparkconsole.model.cluster import Node

TABLES = """\
# our lab
default = "lab"   # the usual one

[clusters.lab]
user = "ada"

# under the desk
[[clusters.lab.nodes]]
name = "spark1"
address = "192.0.2.1"  # do not change

[[clusters.lab.nodes]]
name = "spark2"
address = "192.0.2.2"
"""
INLINE = """\
[clusters.lab]
nodes = [
  { name = "spark1", address = "192.0.2.1" },  # desk
  { name = "spark2", address = "192.0.2.2" },
]
image = "vllm-node"
"""
NEW = Node(name="spark3", address="192.0.2.3", port=2222)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conf" / "sparkconsole" / "cluster.toml"


def put(path: Path, text: str) -> None:
    edit.change(path, lambda _: text)


def nodes(path: Path, cluster: str = "lab") -> list[str]:
    return [n.name for n in load(path).clusters[cluster].nodes]


def test_the_first_node_makes_file_folder_and_cluster(path: Path) -> None:
    put(path, edit.with_node(path, "lab", NEW))
    assert load(path).clusters["lab"].nodes == (NEW,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["cluster.toml"]


@pytest.mark.parametrize("text", [TABLES, INLINE, TABLES.rstrip("\n")])
def test_a_node_is_added_last_or_as_head_in_either_spelling(path: Path, text: str) -> None:
    put(path, text)
    put(path, edit.with_node(path, "lab", NEW))
    assert nodes(path) == ["spark1", "spark2", "spark3"]
    put(path, edit.with_node(path, "lab", Node(name="boss", address="192.0.2.9"), head=True))
    assert nodes(path) == ["boss", "spark1", "spark2", "spark3"]


def test_comments_and_order_are_kept(path: Path) -> None:
    put(path, TABLES)
    put(path, edit.with_node(path, "lab", NEW))
    text = path.read_text()
    assert text.startswith(TABLES)
    put(path, edit.without_node(path, "lab", "spark3"))
    assert path.read_text().strip() == TABLES.strip()


@pytest.mark.parametrize("text", [TABLES, INLINE])
def test_a_node_is_removed_and_the_last_one_too(path: Path, text: str) -> None:
    put(path, text)
    put(path, edit.without_node(path, "lab", "spark1"))
    assert nodes(path) == ["spark2"]
    put(path, edit.without_node(path, "lab", "spark2"))
    assert nodes(path) == []
    put(path, edit.with_node(path, "lab", NEW))
    assert nodes(path) == ["spark3"]


def test_another_cluster_is_made_beside_the_first(path: Path) -> None:
    put(path, TABLES)
    put(path, edit.with_node(path, "attic", NEW))
    assert nodes(path) == ["spark1", "spark2"]
    assert nodes(path, "attic") == ["spark3"]


@pytest.mark.parametrize(
    ("node", "what"),
    [(Node(name="spark1", address="x"), "name"), (Node(name="x", address="192.0.2.2"), "address")],
)
def test_a_node_that_is_there_is_refused(path: Path, node: Node, what: str) -> None:
    put(path, TABLES)
    with pytest.raises(WrongUsage, match=f"has a node with the {what}"):
        edit.with_node(path, "lab", node)


def test_the_last_node_of_a_file_that_we_made_can_be_removed_and_another_one_added(path: Path) -> None:
    put(path, edit.with_node(path, "lab", NEW))
    put(path, edit.without_node(path, "lab", NEW.name))
    assert nodes(path) == []
    assert load(path).default == "lab"
    put(path, edit.with_node(path, "lab", NEW))
    assert nodes(path) == [NEW.name]


@pytest.mark.parametrize(
    "text",
    [
        'default = "lab"\n[clusters.lab] # mine\n# by the window\nnodes = [{ name = "a", address = "x" }]\n',
        '[clusters.lab]\n# by the window\n[[clusters.lab.nodes]]\nname = "a"\naddress = "x"\n',
        '# by the window\n[clusters]\n[[clusters.lab.nodes]]\nname = "a"\naddress = "x"\n[clusters.other]\n',
    ],
)
def test_removing_the_last_node_keeps_what_was_written_around_it(path: Path, text: str) -> None:
    put(path, text)
    put(path, edit.without_node(path, "lab", "a"))
    assert nodes(path) == []
    assert "# by the window" in path.read_text()


def test_removing_a_stranger_names_the_nearest(path: Path) -> None:
    put(path, TABLES)
    with pytest.raises(WrongUsage, match="no node 'sprak2'") as caught:
        edit.without_node(path, "lab", "sprak2")
    assert "spark2?" in caught.value.hint


def test_an_invalid_text_is_never_written(path: Path) -> None:
    put(path, TABLES)
    with pytest.raises(WrongConfig):
        put(path, TABLES.replace("user", "usr"))
    assert path.read_text() == TABLES


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text(TABLES)
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    put(path, edit.with_node(path, "lab", NEW))
    assert path.is_symlink()
    assert len(parse(real.read_text(), real).clusters["lab"].nodes) == 3


def test_settings_are_validated_the_same_way(path: Path) -> None:
    assert load_settings(path).theme is None
    path.parent.mkdir(parents=True)
    path.write_text('theme = "dark"\n[keys]\nquit = "q"\n')
    assert load_settings(path).keys == {"quit": "q"}
    path.write_text('thme = "dark"\n')
    with pytest.raises(WrongConfig, match="line 1: thme is not a known key") as caught:
        load_settings(path)
    assert "theme?" in caught.value.hint


def test_a_file_that_another_console_holds_is_left_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, TABLES)
    monkeypatch.setattr("sparkconsole.config.edit.locked", partial(locked, patience_s=0))
    with locked(path), pytest.raises(SparkError, match="another sparkconsole has been writing") as caught:
        put(path, INLINE)
    assert (caught.value.exit_code, caught.value.hint) == (1, "wait for it or end it, then do it again")
    assert path.read_text() == TABLES


def test_a_file_does_not_grow_by_who_comes_and_goes(path: Path) -> None:
    edit.change(path, lambda _: TABLES)
    for name in ("spark2", "spark1", "spark2"):
        address = load(path).clusters["lab"].member(name).address
        edit.change(path, lambda _, n=name: edit.without_node(path, "lab", n))
        edit.change(path, lambda _, n=name, a=address: edit.with_node(path, "lab", Node(name=n, address=a)))
    first = path.read_text()
    for _ in range(3):
        edit.change(path, lambda _: edit.without_node(path, "lab", "spark2"))
        edit.change(path, lambda _: edit.with_node(path, "lab", Node(name="spark2", address="192.0.2.2")))
    assert path.read_text() == first


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EROFS, "mount its disk"),
        (errno.EBUSY, "mount its folder"),
        (1, "your login"),
    ],
)
def test_what_a_disk_refuses_is_answered_with_what_it_needs(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    edit.change(path, lambda _: TABLES)
    monkeypatch.setattr(edit, "write_private", refuse)
    with pytest.raises(WrongConfig) as caught:
        edit.change(path, lambda _: INLINE)
    assert hint in caught.value.hint
    assert path.read_text() == TABLES
