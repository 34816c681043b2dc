"""The transport that NCCL uses, from its own lines, whoever put tags in front of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.parse.diagnose.nccl import speaks_of_nccl, spoken_on, transport

RAY = "(EngineCore_DP0 pid=290) (RayWorkerWrapper pid=311, ip=192.168.177.12) "
BOTH = (
    "spark-02:311:311 [0] NCCL INFO NET/IB : Using [0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE [RO]; "
    "OOB enp1s0f1np1:192.168.177.12<0>"
)


def after(*lines: str) -> str:
    found = ""
    for line in lines:
        found = transport(line, found)
    return found


def test_both_halves_of_a_port_are_counted_and_the_choice_keeps_the_count() -> None:
    assert after(RAY + BOTH, RAY + "spark-02:311:311 [0] NCCL INFO Using network IB") == "NET/IB ×2"


def test_one_half_is_one() -> None:
    assert (
        after("NCCL INFO NET/IB : Using [0]rocep1s0f1:1/RoCE [RO]; OOB enp1s0f1np1:10.0.0.1<0>")
        == "NET/IB ×1"
    )


def test_sockets_win_over_what_was_only_found() -> None:
    found = after(
        "NCCL INFO NET/IB : No device found.",
        "NCCL INFO NET/Socket : Using [0]enP7s7:10.0.0.12<0> [1]enp1s0f1np1:192.168.177.12<0>",
        "NCCL INFO Using network Socket",
    )
    assert found == "NET/Socket"
    assert after(BOTH, "NCCL INFO Using network Socket") == "NET/Socket"


def test_a_plugin_of_the_same_kind_is_that_kind() -> None:
    line = RAY + "s:1:2 [0] NCCL INFO Channel 09/0 : 1[0] -> 0[0] [send] via NET/IBext_v10/1"
    assert after(line) == "NET/IB"
    assert after(BOTH, line) == "NET/IB ×2"


@pytest.mark.parametrize(
    "line",
    ["", "NCCL WARN NET/IB : Got completion", "vllm is using nccl==2.27.5", "Using network IB", "\x00[/x]"],
)
def test_other_lines_change_nothing(line: str) -> None:
    assert transport(line, "NET/IB ×2") == "NET/IB ×2"
    assert transport(line) == ""


def test_a_line_belongs_to_the_node_that_ray_names() -> None:
    assert spoken_on(RAY + BOTH) == "192.168.177.12"
    assert spoken_on("\x1b[36m(RayWorkerWrapper pid=311, ip=192.168.177.12)\x1b[0m x") == "192.168.177.12"
    assert spoken_on("(Worker_TP0 pid=12) " + BOTH) == ""
    assert spoken_on(BOTH) == ""


def test_lines_about_nccl_are_told_from_others() -> None:
    assert speaks_of_nccl(BOTH)
    assert not speaks_of_nccl("INFO Engine 000: Running: 4 reqs")


def test_real_starts_say_the_same(captures_of_others: Path) -> None:
    for name, expected in (
        ("two-spark-init-2.28.9-ib-both-halves.txt", "NET/IB ×2"),
        ("single-half-only.txt", "NET/IB ×1"),
        ("gdr-disabled-vllm-ranks.txt", "NET/IB ×2"),
        ("vllm-ray-worker-prefix-ibext_v10.txt", "NET/IB"),
    ):
        assert after(*(captures_of_others / "nccl" / name).read_text().splitlines()) == expected
