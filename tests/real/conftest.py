"""Two real nodes for a whole test session, an operator beside them, and what an image build needs offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from tests.real.package_index import build_line, package_index
from tests.testbed.fixtures import session_prefix
from tests.testbed.places import Places
from tests.testbed.testbed import Testbed, until

TINY = "/opt/sparkconsole/tiny-llama"
SERVE = f"serve {TINY} --served-model-name tiny --max-model-len 1024 --enforce-eager"
NAMES = ("spark1", "spark2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs real nodes. Two workers share three groups out: files that build the image
    themselves, files that need it, and the rest; so it is built twice at most. Whoever has nodes of its own
    names a group of its own."""
    real = [item for item in items if "/tests/real/" in str(item.path)]
    for item in real:
        item.add_marker(pytest.mark.real)
    needs = [(item.path, set(getattr(item, "fixturenames", ()))) for item in real]
    build = {path for path, fixtures in needs if "wheels" in fixtures and "image" not in fixtures}
    serve = {path for path, fixtures in needs if "image" in fixtures}
    for item in items:
        if item.get_closest_marker("real") and not item.get_closest_marker("xdist_group"):
            group = "build" if item.path in build else "serve" if item.path in serve else "transfer"
            item.add_marker(pytest.mark.xdist_group(group))


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers which file had a failure."""
    report = yield
    if report.failed and item.parent is not None:
        item.parent.stash[_FAILED] = True
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """What a failed file left on the nodes is no failure of the next file."""
    outcome = yield
    last = nextitem is not None and nextitem.parent is not item.parent
    bed = getattr(item, "funcargs", {}).get("bed")
    if last and bed is not None and item.parent is not None and item.parent.stash.get(_FAILED, False):
        bed.sweep()
    return outcome


def require_machine() -> None:
    """Skips where the engine, sshd or root are absent; fails there when they are required."""
    tools = [
        t
        for t in ("dockerd", "ip", "nsenter", "debootstrap")
        if shutil.which(t, path="/usr/sbin:/usr/bin:/sbin:/bin") is None
    ]
    missing = [
        *tools,
        *([] if Path("/usr/sbin/sshd").exists() else ["sshd"]),
        *([] if os.geteuid() == 0 else ["root"]),
    ]
    if missing and os.environ.get("SPARKCONSOLE_REQUIRE_TESTBED"):
        pytest.fail(f"real nodes are required and {', '.join(missing)} is missing")
    if missing:
        pytest.skip(f"real nodes need {', '.join(missing)}")


@dataclass
class Operator:
    """A person at a machine beside the nodes, with a home of their own."""

    bed: Testbed
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return self.bed.operator_environment(self.home)

    def run(
        self, *words: str, timeout: float = 900, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`sparkconsole WORDS` to its end."""
        return self.bed.operator((_program(), *words), self.environment, timeout=timeout, stdin=stdin)

    def start(self, *words: str, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """`sparkconsole WORDS`, left running; what it prints goes to `output`."""
        return subprocess.Popen(
            self.bed.operator_argv(_program(), *words), env=self.environment,
            stdin=subprocess.DEVNULL, stdout=output or subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(self, *words: str, timeout: float = 120) -> dict[str, Any]:
        """The answer of `sparkconsole --json WORDS`."""
        done = self.run("--json", *words, timeout=timeout)
        assert done.stdout.strip(), done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def ask_rows(self, *words: str, timeout: float = 120) -> list[dict[str, Any]]:
        """The rows of `sparkconsole --json WORDS`."""
        return [json.loads(line) for line in self.run("--json", *words, timeout=timeout).stdout.splitlines()]

    def script(self, text: str, *, timeout: float = 1500) -> subprocess.CompletedProcess[str]:
        """A script from standard input, agreed to beforehand."""
        return self.run("--yes", "--script", "-", stdin=text, timeout=timeout)

    def planned(self, text: str) -> list[dict[str, Any]]:
        """What a dry run of a script says of each line; nothing is done."""
        done = self.run("--dry-run", "--json", "--script", "-", stdin=text, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    def newest_runs(self, count: int) -> list[dict[str, Any]]:
        """The journal's last `count` runs with their plans, the oldest first."""
        newest = self.ask("runs", "list")["runs"][:count]
        return [self.ask("runs", "show", run["id"]) for run in reversed(newest)]

    def runs(self, first_words: str) -> list[dict[str, Any]]:
        """The journal's runs that begin with these words, newest first."""
        wanted = first_words.split()
        return [r for r in self.ask("runs", "list")["runs"] if list(r["words"])[: len(wanted)] == wanted]


def _program() -> str:
    return str(Path(sys.executable).parent / "sparkconsole")


@pytest.fixture(scope="session")
def bed() -> Iterator[Testbed]:
    """Two fresh nodes; away again afterwards."""
    require_machine()
    testbed = Testbed(Places(session_prefix("sparktest")))
    testbed.down()
    testbed.clean()
    testbed.up(2)
    try:
        yield testbed
    finally:
        testbed.down()
        testbed.clean()


@pytest.fixture(scope="session")
def wheels(bed: Testbed) -> Iterator[str]:
    """A package index that the nodes reach, and the base image on node 1: a build without internet."""
    with package_index(bed) as url:
        yield url


@pytest.fixture(scope="session")
def build_words(wheels: str) -> str:
    """The line that builds the CPU image without internet."""
    return build_line(wheels)


@pytest.fixture(scope="session")
def operator(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Knows the two nodes and trusts their keys."""
    person = Operator(bed, tmp_path_factory.mktemp("operator"))
    for index, name in enumerate(NAMES, 1):
        added = person.run("node", "add", name, bed.places.address(index), "--user", "spark")
        assert added.returncode == 0, added.stderr
    refused = person.run("node", "exec", "--", "true")
    assert refused.returncode == 3
    assert "node trust spark1" in refused.stdout + refused.stderr
    trusted = person.run("--yes", "node", "trust")
    assert trusted.returncode == 0, trusted.stderr
    return person


@pytest.fixture(scope="session")
def image(bed: Testbed, operator: Operator, build_words: str) -> None:
    """The image on both nodes; the main job of test_main_job has put it there when it ran first."""
    if "vllm-node:latest" not in _tags(bed, 1):
        built = operator.run("--yes", *build_words.split(), timeout=1500)
        assert built.returncode == 0, built.stderr[-3000:]
    if "vllm-node:latest" not in _tags(bed, 2):
        copied = operator.run("--yes", "image", "copy", "--to", "all", timeout=900)
        assert copied.returncode == 0, copied.stderr[-3000:]


def _tags(bed: Testbed, index: int) -> str:
    return bed.exec(index, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}")


def assert_nothing_left(bed: Testbed, indices: tuple[int, ...] = (1, 2)) -> None:
    """No container, no Ray or vLLM process, no port but sshd's, no file of a job or a copy."""
    for index in indices:
        assert bed.containers(index) == []
        until(partial(_nothing_runs, bed, index), f"no Ray or vLLM process on node {index}", 60)
        until(lambda i=index: bed.listening(i) == {"22"}, f"ports of node {index} are free", 20)  # type: ignore[misc]
        assert bed.leftovers(index) == []


def _nothing_runs(bed: Testbed, index: int) -> bool:
    """A console that has just closed may still ask about `vllm_node`: such a question ends by itself."""
    return bed.processes(index, "raylet|gcs_server|[v]llm|VLLM::") == []


def damage(bed: Testbed, index: int, path: str) -> None:
    """Other bytes in the middle of a file; one alone would be the right one once in 256 times."""
    written = f"printf 'not what was there' | dd of='{path}' bs=1 seek=5000 conv=notrunc"
    bed.exec(index, "sh", "-c", written)


@pytest.fixture
def third(bed: Testbed, operator: Operator) -> Iterator[int]:
    """One more node, known and trusted for as long as a test needs it; its index."""
    bed.up(3)
    operator.run("node", "add", "spark3", bed.places.address(3), "--user", "spark")
    try:
        trusted = operator.run("--yes", "node", "trust", "spark3")
        assert trusted.returncode == 0, trusted.stderr
        yield 3
    finally:
        operator.run("--yes", "node", "remove", "spark3")
        bed.kill(3)
