"""A real server whose process is killed is served again by `serve keep`, and kept until it is stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.conftest import SERVE, Operator, assert_nothing_left
from tests.testbed.testbed import Testbed, until

pytestmark = pytest.mark.usefixtures("image")
SERVER = "[v]llm serve"


@pytest.fixture(autouse=True)
def _tidy(bed: Testbed) -> Iterator[None]:
    """Nothing runs before and after."""
    yield
    bed.exec(1, "sh", "-c", "docker ps -aq | xargs -r docker rm -f", check=False)
    bed.exec(1, "rm", "-rf", "/home/spark/.local", check=False)


def state(operator: Operator) -> str:
    return str(operator.ask("serve", "status")["state"])


def test_a_killed_server_is_served_again_until_it_is_stopped(bed: Testbed, operator: Operator) -> None:
    done = operator.script(f"launch --solo\n{SERVE}")
    assert done.returncode == 0, done.stderr[-2000:]
    keeper = operator.start("--yes", "serve", "keep", "--every", "2", "--misses", "2")
    try:
        first = bed.processes(1, SERVER)
        assert first
        bed.exec(1, "docker", "exec", "vllm_node", "pkill", "-9", "-f", "vllm")
        until(lambda: bed.processes(1, SERVER) not in ([], first), "it is started again", 120)
        until(lambda: state(operator) == "ready", "it completes tokens again", 300)
        assert keeper.poll() is None
        stopped = operator.run("--yes", "serve", "stop", timeout=120)
        assert stopped.returncode == 0, stopped.stderr[-2000:]
        assert keeper.wait(60) == 0, "a server that a person stopped is not started again"
        assert bed.processes(1, SERVER) == []
    finally:
        keeper.kill()
        keeper.wait(10)
    assert operator.run("--yes", "stop", timeout=120).returncode == 0
    assert_nothing_left(bed, (1,))
