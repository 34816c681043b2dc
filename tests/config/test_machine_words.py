"""A machine as people write it, wherever an address may stand: taken apart once, where it enters."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sparkconsole.config.inventory import choose, parse
from sparkconsole.errors import WrongConfig
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.connect import is_local

FILE = Path("cluster.toml")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("10.0.0.7", (None, "10.0.0.7", None)),
        ("10.0.0.7:2222", (None, "10.0.0.7", 2222)),
        ("ann@spark.lan", ("ann", "spark.lan", None)),
        ("ssh://ann@spark.lan:2200", ("ann", "spark.lan", 2200)),
        ("ssh://[::1]:2200/", (None, "::1", 2200)),
        ("fe80::1", (None, "fe80::1", None)),
        ("[fe80::1]", (None, "fe80::1", None)),
    ],
)
def test_login_and_port_may_stand_in_the_address(
    address: str, parts: tuple[str | None, str, int | None]
) -> None:
    node = Node(name="a", address=address)
    assert (node.user, node.address, node.port) == parts


@pytest.mark.parametrize("address", ["10.0.0.7:0", "10.0.0.7:99999", "ssh://-x@h", "a@", "ssh://"])
def test_what_cannot_be_one_is_refused_where_it_enters(address: str) -> None:
    with pytest.raises(ValidationError):
        Node(name="a", address=address)
    with pytest.raises(WrongConfig, match="line 2"):
        parse(f'[clusters.c]\nnodes = [{{name = "a", address = "{address}"}}]\n', FILE)


def test_two_words_for_one_thing_are_refused() -> None:
    with pytest.raises(ValidationError, match="the address says user ann, and user says bob"):
        Node(name="a", address="ann@h", user="bob")
    with pytest.raises(ValidationError, match="the address says port 7, and port says 8"):
        Node(name="a", address="h:7", port=8)
    assert Node(name="a", address="ann@h:7", port=7, user="ann").port == 7


def test_two_machines_behind_one_address_have_a_port_each() -> None:
    """Port forwards, as of a rented cluster: 127.0.0.1:2201 and 127.0.0.1:2202."""
    text = (
        '[clusters.c]\nnodes = [{name = "a", address = "127.0.0.1:2201"},'
        ' {name = "b", address = "127.0.0.1", port = 2202}]\n'
    )
    cluster = parse(text, FILE).clusters["c"]
    assert [n.endpoint for n in cluster.nodes] == ["127.0.0.1:2201", "127.0.0.1:2202"]
    assert cluster.node("127.0.0.1:2202") == cluster.nodes[1]
    assert cluster.node("127.0.0.1") is None, "which of the two?"
    assert not any(map(is_local, cluster.nodes))
    both = choose(parse(text, FILE), nodes=["127.0.0.1:2202,a"])
    assert [n.name for n in both.nodes] == ["b", "a"]


@pytest.mark.parametrize("other", ["h:22", "ann@h:22", "ssh://h:22"])
def test_the_same_machine_twice_is_still_refused(other: str) -> None:
    with pytest.raises(WrongConfig, match="a node is listed once"):
        parse(
            f'[clusters.c]\nnodes = [{{name = "a", address = "h", port = 22}},'
            f' {{name = "b", address = "{other}"}}]\n',
            FILE,
        )
    with pytest.raises(ValidationError, match="each node is listed once"):
        Cluster(nodes=(Node(name="a", address="h:22"), Node(name="b", address=other)))


def test_a_file_saved_on_windows_is_read() -> None:
    """With a byte order mark and \\r\\n; a script had that already."""
    saved = Path.home() / "cluster.toml"
    saved.write_bytes(b'\xef\xbb\xbf[clusters.c]\r\nnodes = [{name = "a", address = "h"}]\r\n')
    from sparkconsole.config.inventory import load

    assert load(saved).clusters["c"].nodes[0].name == "a"


@pytest.mark.parametrize(
    ("target", "said"), [("cluster.toml", "symbolic links"), ("gone", "a link to a file that is not there")]
)
def test_a_link_that_leads_nowhere_is_told_as_one(target: str, said: str) -> None:
    from sparkconsole.config.inventory import load

    path = Path.home() / "cluster.toml"
    path.symlink_to(target)
    with pytest.raises(WrongConfig, match=said):
        load(path, needed=True)
