"""cluster.toml: what it may say, what is answered to what it may not say, and whom the options mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.config.inventory import ad_hoc_node, choose, load, parse
from sparkconsole.config.toml_lines import places
from sparkconsole.errors import WrongConfig, WrongUsage
from sparkconsole.remote.ssh_config.place import SshDestination

GOOD = """\
default = "lab"

[clusters.lab]
user = "ada"
ib_if = ["rocep1s0f0", "roceP2p1s0f0"]

[[clusters.lab.nodes]]   # the head
name = "spark1"
address = "192.0.2.1"

[[clusters.lab.nodes]]
name = "spark2"
address = "192.0.2.2"
user = "root"
port = 2222

[clusters.attic]
nodes = [
  { name = "old1", address = "198.51.100.1" },
]
"""
HERE = Path("cluster.toml")


def test_a_missing_file_is_an_empty_inventory(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml").clusters == {}


def test_nodes_inherit_what_they_do_not_say_themselves() -> None:
    lab = parse(GOOD, HERE).clusters["lab"]
    head, second = (lab.effective(n) for n in lab.nodes)
    assert (lab.name, head.name, head.user, head.port) == ("lab", "spark1", "ada", None)
    assert (second.user, second.port, second.ib_if) == ("root", 2222, ("rocep1s0f0", "roceP2p1s0f0"))


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("default = \n", "line 1, column 11: not TOML", "correct that line"),
        ('[clusters.lab]\nuser = "a', "line 2, ", "correct that line"),
        (
            '[clusters.lab]\nusr = "a"\n',
            "line 2: clusters.lab.usr is not a known key",
            "did you mean user?",
        ),
        ('clusters.lab.imagge = "a"\n', "line 1: clusters.lab.imagge is not a known key", "mean image?"),
        ("colour = 3\n", "line 1: colour is not a known key", "allowed here: default, clusters"),
        (
            GOOD.replace("port = 2222", "prt = 2222"),
            "line 15: clusters.lab.nodes[2].prt is not a known key",
            "did you mean port?",
        ),
        (
            GOOD.replace('old1", address', 'old1", adress'),
            "line 19: clusters.attic.nodes[1].",
            "address",
        ),
        (GOOD.replace("2222", "70000"), "line 15: clusters.lab.nodes[2].port must be 65535 or less", "70000"),
        (
            GOOD.replace("2222", '"ssh"'),
            "line 15: clusters.lab.nodes[2].port must be a whole number",
            "'ssh'",
        ),
        (GOOD.replace("2222", "true"), "nodes[2].port must be a whole number", "says true now"),
        (GOOD.replace("2222", "22.0"), "nodes[2].port must be a whole number", "22.0"),
        (GOOD.replace("port = 2222", "local = 1"), "nodes[2].local must be true or false", "1"),
        (
            GOOD.replace("user =", "port = false\nuser =", 1),
            "clusters.lab.port must be a whole number",
            "says false now",
        ),
        (
            GOOD.replace("spark2", "all"),
            "line 12: clusters.lab.nodes[2].name is wrong: where a node",
            "'all'",
        ),
        (
            GOOD.replace('"ada"', '"ada"\nhf_cache = "models"'),
            "clusters.lab.hf_cache is wrong: a folder on the nodes begins with / or ~, and has no ':'",
            "models",
        ),
        (GOOD.replace('"ada"', "7"), "line 4: clusters.lab.user must be text in quotes", "7"),
        (
            GOOD.replace('["rocep1s0f0", "roceP2p1s0f0"]', '"rocep1s0f0"'),
            "line 5: clusters.lab.ib_if must be a list",
            "rocep1s0f0",
        ),
        (GOOD.replace('"192.0.2.2"', '""'), "nodes[2].address must not be empty", "''"),
        (
            GOOD.replace('name = "spark2"', 'name = "a/b"'),
            "line 12: clusters.lab.nodes[2].name is wrong: a name has",
            "a/b",
        ),
        (
            GOOD.replace('address = "192.0.2.1"', ""),
            "line 7: clusters.lab.nodes[1].address is missing",
            "add `address",
        ),
        (
            GOOD.replace("spark2", "spark1"),
            "line 12: clusters.lab.nodes[2].name is 'spark1', as that of node 1",
            "remove",
        ),
        (
            GOOD.replace("192.0.2.2", "192.0.2.1").replace("port = 2222", ""),
            "line 13: clusters.lab.nodes[2].address is",
            "change the address",
        ),
        (
            GOOD.replace('default = "lab"', 'default = "lbb"'),
            "line 1: default names no cluster: 'lbb'",
            "mean lab?",
        ),
        ("clusters = 3\n", "line 1: clusters must be a table", "3"),
        ("[clusters]\nlab = 3\n", "line 2: clusters.lab must be a table", "3"),
        ('[clusters.lab]\nnodes = "spark1"\n', "line 2: clusters.lab.nodes must be a list", "spark1"),
        ('[clusters.lab]\nname = "x"\n', "line 2: clusters.lab.name must be 'lab'", "leave the name out"),
    ],
)
def test_what_cannot_be_is_told_with_file_line_and_key(text: str, where: str, hint: str) -> None:
    with pytest.raises(WrongConfig) as caught:
        parse(text, HERE)
    assert caught.value.cause.startswith("cluster.toml, line ")
    assert where in caught.value.cause
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_pydantic_is_not_heard() -> None:
    with pytest.raises(WrongConfig) as caught:
        parse('[clusters.lab]\nport = "x"\nusr = 1\n', HERE)
    assert "(and 1 more)" in caught.value.cause
    assert "input" not in str(caught.value).lower()


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_bytes(b'default = "x"\n# caf\xe9\n')
    with pytest.raises(WrongConfig, match="line 2: not UTF-8"):
        load(path)


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongConfig, match="cannot be read"):
        load(tmp_path)


def test_inline_tables_have_a_line_each() -> None:
    text = 'n = [\n  { port = 1 },\n  { name = "x" },\n  { port = 2 },\n]\n'
    found = places(text)
    assert (found["n", 0, "port"], found["n", 2, "port"]) == (2, 4)


def test_places_survive_long_strings_lists_and_quoted_keys() -> None:
    string = 'a = """\n[no.header]\nx = 1\n"""\n'
    listed = '[t."q.r"]\nb = [\n  1,\n  [2],\n]\n'
    text = string + listed + "[[t.l]]\n[[t.l]]\nc.d = 1\n[t.l.in]\ne = 1\n"
    found = places(text)
    assert found["a",] == 1
    assert found["t", "q.r", "b"] == 6
    assert found["t", "l", 1, "c", "d"] == 12
    assert found["t", "l", 1, "in", "e"] == 14
    assert ("no", "header") not in found


def names(*words: str, cluster: str | None = None, text: str = GOOD) -> list[str]:
    return [n.name for n in choose(parse(text, HERE), cluster=cluster, nodes=words).nodes]


def test_without_a_word_the_default_cluster_is_meant() -> None:
    assert names() == ["spark1", "spark2"]
    assert names(cluster="attic") == ["old1"]


def test_nodes_are_taken_in_the_order_given_head_first() -> None:
    assert names("spark2,spark1") == ["spark2", "spark1"]
    assert names("192.0.2.2", "spark1") == ["spark2", "spark1"]
    assert names("spark2 spark1") == ["spark2", "spark1"]


def test_a_word_that_no_file_knows_is_an_address() -> None:
    cluster = choose(parse("", HERE), nodes=("root@203.0.113.7", "fe80::1%eth0"))
    head, second = cluster.nodes
    assert (head.name, head.address, head.user) == ("203.0.113.7", "203.0.113.7", "root")
    assert (second.name, second.address) == ("fe80-1-eth0", "fe80::1%eth0")


@pytest.mark.parametrize("word", ["all", "root@ray", "kernel"])
def test_a_word_that_means_something_else_is_no_address(word: str) -> None:
    with pytest.raises(WrongUsage, match="names no node") as caught:
        choose(parse("", HERE), nodes=("spark1", word))
    assert "means something else" in caught.value.hint


def test_a_node_of_another_cluster_brings_what_that_cluster_says() -> None:
    text = GOOD.replace("[clusters.attic]", '[clusters.attic]\nuser = "grace"')
    node = choose(parse(text, HERE), nodes=("old1",)).nodes[0]
    assert (node.address, node.user) == ("198.51.100.1", "grace")


def test_the_user_of_the_command_line_beats_every_file() -> None:
    cluster = choose(parse(GOOD, HERE), user="eve")
    assert {cluster.effective(n).user for n in cluster.nodes} == {"eve"}


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"cluster": "lob"}, "no cluster is called 'lob'", "mean lab?"),
        ({"nodes": (",", " ")}, "the list of nodes is empty", "--nodes"),
        ({"nodes": ("spark1", "spark1")}, "twice", "once"),
        ({"nodes": ("spark1", "192.0.2.1")}, "twice", "once"),
        ({"nodes": ("//",)}, "cannot be an address", "host name"),
    ],
)
def test_options_that_mean_nobody_are_answered(options: dict[str, object], said: str, hint: str) -> None:
    with pytest.raises(WrongUsage, match=said) as caught:
        choose(parse(GOOD, HERE), **options)  # type: ignore[arg-type]
    assert hint in caught.value.hint


def test_several_clusters_without_a_default_ask_which() -> None:
    text = GOOD.replace('default = "lab"', "")
    with pytest.raises(WrongUsage, match="which cluster: lab, attic"):
        names(text=text)
    assert names("spark1", text=text) == ["spark1"]


def test_without_any_file_the_cluster_is_empty_and_has_the_asked_name() -> None:
    assert choose(parse("", HERE)).nodes == ()
    assert choose(parse("", HERE), cluster="new").name == "new"


HOSTILE = [
    "-oProxyCommand=id",
    "*",
    "a b",
    "a\tb",
    "a\nb",
    "a\u0085b",
    "a\u200bb",
    "a;id",
    "$(id)",
    "a,b",
    "x" * 300,
]


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize(
    "key", ["name", "address", "fabric_address", "user", "identity_file", "eth_if", "ib_if"]
)
def test_a_name_that_would_be_an_option_or_a_command_is_refused_by_its_key(key: str, word: str) -> None:
    if key in ("identity_file", "eth_if", "ib_if") and word.isprintable() and word[0] != "-":
        return  # a path may have spaces, and an interface has to be there
    value = [word] if key == "ib_if" else word
    fields = {"name": "a", "address": "192.0.2.1", key: value}
    table = ", ".join(f"{name} = {json.dumps(text)}" for name, text in fields.items())
    with pytest.raises(WrongConfig, match=rf"cluster.toml.*nodes.*{key}"):
        parse(f"[clusters.lab]\nnodes = [{{ {table} }}]\n", Path("cluster.toml"))


@pytest.mark.parametrize("word", ["-oProxyCommand=id", "*", "a;id", "-l@host", "$(id)@host", "a\u200bb"])
def test_a_word_of_nodes_is_no_option_either(word: str) -> None:
    with pytest.raises(WrongUsage, match="cannot be an address"):
        ad_hoc_node(word)


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "-oProxyCommand=id"},
        {"host": "a b"},
        {"user": "-l"},
        {"user": "a;id"},
        {"alias": "*"},
        {"jumps": ("-J@host",)},
        {"jumps": ("ok@host", "-oX")},
    ],
)
def test_sshs_configuration_leads_to_no_option(fields: dict[str, Any]) -> None:
    with pytest.raises(WrongConfig, match=r"^spark-01: ssh's configuration leads to"):
        SshDestination(**{"address": "spark-01", "host": "192.0.2.1", "port": 22, "user": "ada", **fields})
