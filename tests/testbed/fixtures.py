"""For pytest: real nodes for a session, or why there are none; and an image that needs no registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.testbed.places import Places
from tests.testbed.testbed import Testbed

TOOLS = ("dockerd", "docker-init", "sshd", "ssh-keygen", "ip", "tc", "nsenter", "unshare", "python3")
TINY = "tiny:1"
_TINY_TOOLS = ("/bin/sh", "/bin/cat", "/bin/sleep", "/bin/date")


def missing() -> list[str]:
    """What this machine lacks for real nodes."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return [tool for tool in TOOLS if not shutil.which(tool, path=path)] + (["root"] if os.geteuid() else [])


def session_prefix(usual: str = "spark") -> str:
    """TESTBED_PREFIX or the usual one, and for each worker of a parallel run nodes of its own."""
    prefix = os.environ.get("TESTBED_PREFIX", usual)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    letters = "".join(chr(ord("a") + int(digit)) for digit in worker.removeprefix("gw"))
    return f"{prefix}-{letters}" if letters else prefix


def require_machine() -> None:
    """Skips with the reason where real nodes cannot be; fails there with SPARKCONSOLE_REQUIRE_TESTBED=1."""
    lacking = missing()
    if lacking and os.environ.get("SPARKCONSOLE_REQUIRE_TESTBED") == "1":
        pytest.fail(f"real nodes are required and {', '.join(lacking)} is missing")
    if lacking:
        pytest.skip(f"real nodes need {', '.join(lacking)} (apt: docker.io openssh-server iproute2)")


def nodes_for_a_session(places: Places, count: int) -> Iterator[Testbed]:
    """Brings nodes up and takes away what it brought; nodes that were up before are tidied and stay."""
    require_machine()
    bed = Testbed(places)
    found, had_disk = any(bed.pid(index) for index in bed.indices()), places.disk.exists()
    if not found:
        bed.down()
    try:
        bed.up(count)
        bed.tidy(range(1, count + 1))
        yield bed
    finally:
        if not found:
            bed.down()
        if not had_disk:
            bed.clean()


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Testbed]:
    """Two real nodes of the testbed that TESTBED_PREFIX names, `spark1` and `spark2` without it."""
    yield from nodes_for_a_session(Places(session_prefix()), 2)


def import_tiny_image(bed: Testbed, index: int, tag: str = TINY) -> None:
    """An image with a shell, cat, sleep and date out of the machine's own files."""
    linked = subprocess.run(("ldd", *_TINY_TOOLS), capture_output=True, text=True, check=True, timeout=60)
    libraries = set(re.findall(r"(/\S+) \(0x", linked.stdout))
    files = [path.removeprefix("/") for path in (*_TINY_TOOLS, *sorted(libraries))]
    pack = ("tar", "-C", "/", "--dereference", "-c", *files)
    packed = subprocess.run(pack, capture_output=True, check=True, timeout=60).stdout
    bed.exec(index, "docker", "import", "-", tag, stdin=packed)
