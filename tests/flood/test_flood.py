"""A few of the ways beside three healthy nodes; `make flood` measures all of them, and CPU and ages too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flood.cluster import SSHD
from tests.flood.measure import MOST_KEPT_MB, MOST_MB, measured
from tests.flood.ways import WAYS, Way
from tests.programs import need

SECONDS = 3.0
CHOSEN = ("every command: both outputs", "docker: 40,000 images", "node exec: yes")

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine"),
]


@pytest.mark.parametrize("way", [way for way in WAYS if way.name in CHOSEN], ids=lambda way: way.name)
async def test_a_node_that_says_too_much_is_named_and_costs_little(way: Way, tmp_path: Path) -> None:
    need("ssh-keygen", "yes", "timeout")
    found = await measured(tmp_path, way, SECONDS, apis=False)
    assert found.said, "a sentence names the node"
    assert 0 < found.memory_mb < MOST_MB
    assert 0 < found.line_mb < MOST_MB
    assert found.kept_mb < MOST_KEPT_MB


def test_each_chosen_way_is_one_of_them() -> None:
    assert len([way for way in WAYS if way.name in CHOSEN]) == len(CHOSEN)
