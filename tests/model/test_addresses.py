"""An address of a node is told with the node's name, and nothing else is."""

from __future__ import annotations

import pytest

from sparkconsole.model.text.addresses import names_of_addresses, with_node_names

KNOWN = (
    ("10.0.0.1", "spark-01"),
    ("192.168.177.12/24", "spark-02"),
    ("fd00:0:0::2", "spark-02"),
    ("172.17.0.1", "spark-01"),
    ("172.17.0.1", "spark-02"),
    ("127.0.0.1", "spark-01"),
    ("spark3.lan", "spark-03"),
)
NAMES = names_of_addresses(KNOWN)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("lost a node: 192.168.177.12", "lost a node: spark-02 (192.168.177.12)"),
        (
            "The node with node id: 6ced and address: 192.168.177.12 and node name: 192.168.177.12 has been "
            "marked dead",
            "The node with node id: 6ced and address: spark-02 (192.168.177.12) and node name: "
            "spark-02 (192.168.177.12) has been marked dead",
        ),
        ("connect to 10.0.0.1:6379 failed.", "connect to spark-01 (10.0.0.1):6379 failed."),
        ("gone: 10.0.0.1.", "gone: spark-01 (10.0.0.1)."),
        ("(pid=7, ip=10.0.0.1)", "(pid=7, ip=spark-01 (10.0.0.1))"),
        ("at fd00::2, and [fd00::2]:29500", "at spark-02 (fd00::2), and [spark-02 (fd00::2)]:29500"),
        ("at FD00:0:0:0:0:0:0:2", "at spark-02 (FD00:0:0:0:0:0:0:2)"),
        ("at fe80::1%enp1 and fd00::2%enp1", "at fe80::1%enp1 and spark-02 (fd00::2%enp1)"),
    ],
)
def test_it_is_named(text: str, wanted: str) -> None:
    assert with_node_names(text, NAMES) == wanted
    assert with_node_names(wanted, NAMES) == wanted, "once"


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.12 and 110.0.0.1 and 10.0.0.1.5 and 10.0.0.1a",
        "172.17.0.1 is on both",
        "127.0.0.1:8888",
        "http://10.0.0.1:8265/api and ssh ann@10.0.0.1 and /var/10.0.0.1/log",
        "fd00::21 and fd00::2:1 and 12:30:45 and ::",
        "vllm 0.11.0.1 at 9.9.9.9",
        "",
    ],
)
def test_what_is_no_nodes_stays(text: str) -> None:
    assert with_node_names(text, NAMES) == text


@pytest.mark.parametrize("pump", ["1", ":", "1.", "fd00:", "10.0.0.1 ", "999.999.999.999"])
def test_any_text_is_read_in_one_go(pump: str) -> None:
    assert with_node_names(pump * 20_000, NAMES).count("spark-01") == (20_000 if pump == "10.0.0.1 " else 0)
