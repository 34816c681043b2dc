"""Which of two causes a node's kernel points to when RDMA cannot register memory."""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.kernel import on_kernel, why_and_remedy
from sparkconsole.parse.diagnose.explain import explain

LINE = "NCCL WARN Call to ibv_reg_mr failed with error Cannot allocate memory"


@pytest.mark.parametrize(
    ("kernel", "command_line", "remedy"),
    [
        ("7.0.0-1019-nvidia", "", "kho=off"),
        ("7.0.0-31-generic", "root=/dev/nvme0n1p2 ro quiet", "kho=off"),
        ("7.0.0-1019-nvidia", "ro kho=off quiet", "memlock"),
        ("7.0.0-1020-nvidia", "", "memlock"),
        ("6.17.0-1014-nvidia", "", "memlock"),
        ("7.0.0-310-generic", "", "memlock"),
    ],
)
def test_the_remedy_is_the_nodes_own(kernel: str, command_line: str, remedy: str) -> None:
    [found] = explain([LINE])
    assert remedy in on_kernel(found, kernel, command_line).remedy
    assert kernel in on_kernel(found, kernel, command_line).why


def test_without_a_kernel_both_stand() -> None:
    [found] = explain([LINE])
    assert why_and_remedy("") is None
    assert on_kernel(found, "") == found


def test_other_findings_stay_as_they_are() -> None:
    [found] = explain(["CUDA out of memory"])
    assert on_kernel(found, "7.0.0-1019-nvidia") == found
