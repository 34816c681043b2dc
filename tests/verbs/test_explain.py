"""The verb `explain`: any file, packed or not, of one node or of several; no cluster is asked."""

from __future__ import annotations

import gzip
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

BROKEN = "(EngineCore pid=1) ERROR 11-23 07:00:00 [x.py:1] CUDA out of memory\n"
KEYS = {"id", "severity", "node", "rank", "line", "text", "why", "remedy"}


def explained(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sparkconsole", "explain", *words]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def findings(*words: str, stdin: bytes = b"") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(explained(*words, "--json", stdin=stdin).stdout)["findings"]
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "serve.log"
    path.write_text(f"INFO fine\n{BROKEN}")
    return path


def test_a_finding_has_all_that_a_program_needs(log: Path) -> None:
    [found] = findings(str(log))
    assert found.keys() >= KEYS
    assert (found["id"], found["severity"], found["number"]) == ("gpu-out-of-memory", "error", 2)


def test_people_read_what_why_and_what_to_do(log: Path) -> None:
    done = explained(str(log))
    assert done.returncode == 1
    shown = (done.stdout + done.stderr).decode()
    assert all(
        word in shown for word in ("unified memory", "why", "--gpu-memory-utilization", "CUDA out of memory")
    )


def test_standard_input_packed_and_other_encodings_are_read(tmp_path: Path) -> None:
    packed, wide = tmp_path / "a.log.gz", tmp_path / "b.log"
    packed.write_bytes(gzip.compress(BROKEN.encode()))
    wide.write_bytes(BROKEN.encode("utf-16"))
    for words, stdin in (((str(packed),), b""), ((str(wide),), b""), (("-",), BROKEN.encode())):
        assert [d["id"] for d in findings(*words, stdin=stdin)] == ["gpu-out-of-memory"]


def test_a_hole_that_a_power_cut_left_costs_no_other_line(tmp_path: Path) -> None:
    holed = tmp_path / "holed.log"
    holed.write_bytes(BROKEN.encode() + b"\0" * 4096 + b"INFO fine again\n")
    assert [d["id"] for d in findings(str(holed))] == ["gpu-out-of-memory"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_two_bytes_a_character_need_no_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "wide.log").write_bytes(BROKEN.encode(encoding))
    (tmp_path / "plain.log").write_text(BROKEN)
    assert findings(str(tmp_path / "wide.log")) == findings(str(tmp_path / "plain.log")) != []


def test_a_line_without_an_end_is_looked_at_as_far_as_it_says_something(tmp_path: Path) -> None:
    endless = tmp_path / "endless.log"
    endless.write_text("x" * 40_000_000 + "\n" + BROKEN)
    assert [d["id"] for d in findings(str(endless))] == ["gpu-out-of-memory"]


def test_january_comes_after_december(tmp_path: Path) -> None:
    died = (
        "(EngineCore pid=1) ERROR {} [x.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate"
    )
    lost = "(EngineCore pid=1) ERROR {} [x.py:1] ValueError: No available memory for the cache blocks."
    text = f"{lost.format('12-31 23:59:58')}\n{died.format('01-01 00:00:03')}\n"
    (tmp_path / "b.log").write_text(text)
    (tmp_path / "a.log").write_text(f"{died.format('01-01 00:00:04')}\n")
    first = findings(f"a={tmp_path / 'a.log'}", f"b={tmp_path / 'b.log'}")[0]
    assert (first["node"], first["id"]) == ("b", "no-cache-blocks")


def test_logs_of_several_nodes_name_the_one_that_failed_first(tmp_path: Path, log: Path) -> None:
    first = tmp_path / "other.log"
    first.write_text("ERROR 11-23 06:59:00 [x.py:1] No space left on device\n")
    found = findings(f"spark-01={log}", f"spark-02={first}")
    assert [(d["node"], d["id"]) for d in found] == [
        ("spark-02", "disk-full"),
        ("spark-01", "gpu-out-of-memory"),
    ]


def test_a_healthy_log_ends_with_0(tmp_path: Path) -> None:
    calm = tmp_path / "calm.log"
    calm.write_text("INFO all is well\n")
    done = explained(str(calm))
    assert done.returncode == 0
    assert "nothing" in (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("kind", ["missing", "binary", "folder", "none"])
def test_what_is_no_log_is_refused(tmp_path: Path, kind: str) -> None:
    binary = tmp_path / "x.bin"
    binary.write_bytes(bytes(range(256)) * 64 + b"\0" * 4096)
    words = {"missing": ["/nowhere/x"], "binary": [str(binary)], "folder": [str(tmp_path)], "none": []}[kind]
    done = explained(*words)
    assert done.returncode == 2
    assert done.stderr


@pytest.mark.parametrize("words", ["explain /dev/zero", "explain - < /dev/zero", "explain /dev/full"])
def test_a_device_is_no_log(words: str) -> None:
    line = f"{shlex.quote(sys.executable)} -m sparkconsole {words}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is a device" in done.stderr


@pytest.mark.parametrize("damage", ["cut short", "bytes in the middle", "something behind it"])
def test_what_could_be_read_of_a_damaged_file_is_told(tmp_path: Path, damage: str) -> None:
    packed = gzip.compress((BROKEN + "".join(f"INFO step {n} x{n * n}\n" for n in range(30_000))).encode())
    half = len(packed) // 2
    broken = {
        "cut short": packed[:half],
        "bytes in the middle": packed[:half] + b"\xff" * 200 + packed[half + 200 :],
        "something behind it": packed + b"garbage",
    }[damage]
    (tmp_path / "x.gz").write_bytes(broken)
    done = explained(str(tmp_path / "x.gz"))
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1, said
    assert "CUDA out of memory" in said
    assert "cannot be read on from here" in said
    assert "defect" not in said


def test_what_is_packed_is_read_or_refused_with_the_way() -> None:
    assert findings("-", stdin=gzip.compress(BROKEN.encode()))[0]["id"] == "gpu-out-of-memory"
    refused = explained("-", stdin=b"\x28\xb5\x2f\xfd" + b"\x01" * 40)
    assert refused.returncode == 2
    assert b"zstd -dc" in refused.stderr


@pytest.mark.parametrize("words", [("-", "-"), ("-", "a=-"), ("",)])
def test_standard_input_is_read_once_and_a_file_has_a_name(words: tuple[str, ...]) -> None:
    done = explained(*words, stdin=BROKEN.encode())
    assert done.returncode == 2
    assert b"defect" not in done.stderr


def test_a_line_of_ten_megabytes_is_read_in_pieces(tmp_path: Path) -> None:
    huge = tmp_path / "huge.log"
    huge.write_text("x" * 10_000_000 + "\n" + BROKEN)
    assert [d["id"] for d in findings(str(huge))] == ["gpu-out-of-memory"]


def test_an_address_of_a_node_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "ray.log").write_text(
        "(raylet) ERROR The node with node id: 6ced and address: 10.0.0.2 and node name: 10.0.0.2 has been "
        "marked dead because the detector has missed too many heartbeats from it.\n"
    )
    config = tmp_path / "cluster.toml"
    config.write_text(
        '[clusters.lab]\nnodes = [{ name = "spark-01", address = "10.0.0.1" }, '
        '{ name = "spark-02", address = "192.0.2.2", fabric_address = "10.0.0.2" }]\n'
    )
    shown = explained(str(tmp_path / "ray.log"), "--config", str(config)).stdout.decode()
    assert "spark-02 (10.0.0.2)" in shown, shown
