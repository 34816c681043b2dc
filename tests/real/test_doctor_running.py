"""What the doctor says of what runs on real nodes, and what it mends by copying.

There is no RDMA, systemd or second kind of power here: the GIDs are the testbed's files, the journal's end is
a stand-in's, the power cut and what Docker says after it are real. Ranks are real processes with a server's
words.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.conftest import Operator, assert_nothing_left
from tests.real.test_doctor import CACHE, MODEL, asked, found, put_model, wrong
from tests.testbed.testbed import Testbed

pytestmark = pytest.mark.usefixtures("image")
NAME, SMALL = "vllm_node", "small:1"
JOURNAL = '#!/bin/sh\necho "a line of the kernel\'s"\n'
RANK = "import time; time.sleep(600)"
SERVED = ("vllm", "serve", "o/m", "--nnodes", "2", "--master-addr", "192.168.177.11", "--max-model-len")


@pytest.fixture(autouse=True)
def _tidy(bed: Testbed) -> Iterator[None]:
    """Both nodes on, without containers, models and stand-ins."""
    yield
    for index in (1, 2):
        bed.boot(index)
        bed.exec(index, "sh", "-c", "docker ps -aq | xargs -r docker rm -f", check=False)
        bed.exec(index, "docker", "rmi", SMALL, check=False)
        bed.exec(index, "rm", "-rf", CACHE, "/usr/local/bin/journalctl", "/home/spark/.local")


def started(bed: Testbed, index: int, *words: str) -> None:
    """A container of the cluster's name, by hand."""
    bed.exec(index, "docker", "run", "-d", "--init", "--network", "host", "--name", NAME, *words,
             "vllm-node", "sleep", "infinity")  # fmt: skip


def sentences(answer: dict[str, Any]) -> str:
    return " ".join(f["sentence"] for f in answer["findings"] if f["severity"] != "ok")


def test_variables_that_do_not_suit_and_ranks_with_other_words(bed: Testbed, operator: Operator) -> None:
    started(bed, 1, "-e", "NCCL_IB_GID_INDEX=3", "-e", "VLLM_HOST_IP=192.168.177.11")
    started(bed, 2, "-e", "NCCL_IB_GID_INDEX=9", "-e", "VLLM_HOST_IP=192.168.177.99")
    answer = asked(operator, "settings")
    assert {(check, node) for check, _, node in wrong(answer)} == {("settings", "spark2")}
    assert "GID 9 of rocep1s0f1 is empty" in sentences(answer)
    assert "192.168.177.99, and no interface here has that address" in sentences(answer)
    for index, length in ((1, "8192"), (2, "4096")):
        words = (*SERVED, length, "--node-rank", str(index - 1))
        bed.exec(index, "docker", "exec", "-d", NAME, "python3", "-c", RANK, *words)
    answer = asked(operator, "engine")
    assert wrong(answer) == [("engine", "fail", "spark2")]
    assert "--max-model-len 4096 (--max-model-len 8192)" in sentences(answer)
    bed.exec(2, "docker", "exec", NAME, "pkill", "-f", "time.sleep")
    assert "rank 1 of 2 does not run" in sentences(asked(operator, "engine"))


def test_power_that_went_while_a_container_ran(bed: Testbed, operator: Operator) -> None:
    started(bed, 2)
    bed.kill(2)
    bed.boot(2)
    for words, wanted in (("echo tokens", [("power", "warn", "spark2")]), ("echo 'Journal stopped'", [])):
        script = f"{JOURNAL}{words}\n".encode()
        place = "/usr/local/bin/journalctl"
        bed.exec(2, "sh", "-c", 'cat >"$1"; chmod 755 "$1"', "put", place, stdin=script)
        assert found(operator, "power") == wanted
    bed.exec(2, "docker", "rm", NAME)


def small_image() -> bytes:
    """A file system of one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    return packed.getvalue()


def test_what_another_node_has_is_copied_when_asked(bed: Testbed, operator: Operator) -> None:
    bed.exec(1, "docker", "import", "-", SMALL, stdin=small_image())
    put_model(bed, 1)
    words = ("doctor", "image", "model", "--tag", SMALL, "--model", MODEL)
    answer = operator.ask(*words)
    assert wrong(answer) == [("image", "warn", "spark2"), ("model", "fail", "spark2")]
    mended = operator.ask("--yes", *words, "--fix", timeout=180)
    assert [(m["check"], m["result"]) for m in mended["mended"]] == [("image", "mended"), ("model", "mended")]
    assert wrong(mended) == []
    assert "small" in bed.exec(2, "docker", "images", "--format", "{{.Repository}}")
    assert_nothing_left(bed)
