"""The program that moves models, run by real python3s over folders as the hub's clients lay them out.

Instead of ssh a shell runs the receiving end: what travels is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sparkconsole.model.checkpoint.files import shipment
from sparkconsole.parse.checkpoint.files import MoveLog
from sparkconsole.remote.checkpoint.files import FOLDER, SEND, download_argv
from tests.model_caches import COMMIT, blob_name, hub_cache, plain_cache, shards
from tests.model_ends import MODEL, content, copy, environment, homes, job, look

pytestmark = pytest.mark.programs

__all__ = ["homes"]

FILES = shards(3, 300_000)


@pytest.mark.parametrize("layout", ["blobs", "shared", "plain"])
def test_a_model_arrives_as_it_was_laid_out(layout: str, homes: tuple[Path, Path]) -> None:
    a, b = homes
    if layout == "plain":
        folder = plain_cache(a, MODEL, FILES)
    else:
        folder = hub_cache(a, MODEL, FILES, shared=layout == "shared")
    assert look(a, hashing=True).why_incomplete == ""
    log = copy(a, b)
    assert log.failed == {}
    arrived = b / folder.relative_to(a)
    assert content(arrived) == FILES
    assert (arrived / "refs/main").read_text() == COMMIT
    links = {p.name: os.readlink(p) for p in folder.rglob("*") if p.is_symlink()}
    assert {p.name: os.readlink(p) for p in arrived.rglob("*") if p.is_symlink()} == links
    assert shipment(look(a), look(b)).empty
    assert [p for p in b.rglob("*") if p.name.endswith(".incomplete")] == []


def test_only_what_is_missing_travels(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    assert copy(a, b).failed == {}
    shard = next(n for n in FILES if n.startswith("model-00002"))
    (b / ".cache/huggingface/hub/models--owner--a-model/blobs" / blob_name(shard, FILES[shard])).unlink()
    assert "links to nothing" in look(b).dangling.values()
    assert "model-00002" in look(b).why_incomplete
    log = copy(a, b)
    assert (log.failed, log.progress.total) == ({}, len(FILES[shard]))


def test_a_damaged_shard_is_found_and_only_that_is_sent(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    assert copy(a, b).failed == {}
    shard = next(n for n in FILES if n.startswith("model-00003"))
    blob = b / ".cache/huggingface/hub/models--owner--a-model/blobs" / blob_name(shard, FILES[shard])
    broken = bytearray(FILES[shard])
    broken[1000] ^= 1
    blob.write_bytes(bytes(broken))
    assert look(b).why_incomplete == "", "a size tells nothing"
    assert look(b, hashing=True).damaged == (f"models--owner--a-model/blobs/{blob.name}",)
    log = copy(a, b)
    assert (log.failed, log.progress.total) == ({}, len(FILES[shard]))
    assert content(blob.parent.parent) == FILES


def test_an_interrupted_file_goes_on_where_it_was(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    shard = next(n for n in FILES if n.startswith("model-00001"))
    blobs = b / ".cache/huggingface/hub/models--owner--a-model/blobs"
    blobs.mkdir(parents=True)
    part = blobs / f"{blob_name(shard, FILES[shard])}.incomplete"
    part.write_bytes(FILES[shard][:200_000])
    assert shipment(look(a), look(b)).arrived == 200_000
    assert copy(a, b).failed == {}
    assert content(blobs.parent) == FILES
    wrong = next(n for n in FILES if n.startswith("model-00002"))
    (blobs / blob_name(wrong, FILES[wrong])).unlink()
    (blobs / f"{blob_name(wrong, FILES[wrong])}.incomplete").write_bytes(bytes(100_000))
    assert copy(a, b).failed == {}
    assert content(blobs.parent) == FILES, "what was there and wrong is not believed"


def test_a_damaged_original_is_told_and_never_called_whole(homes: tuple[Path, Path]) -> None:
    a, b = homes
    folder = hub_cache(a, MODEL, FILES)
    shard = next(n for n in FILES if n.startswith("model-00001"))
    (folder / "blobs" / blob_name(shard, FILES[shard])).write_bytes(bytes(len(FILES[shard])))
    log = copy(a, b)
    assert "the sender's own file is damaged" in log.why
    assert look(b).why_incomplete
    assert [p for p in b.rglob("*") if p.is_symlink()] == [], "no link before every file is there"


def test_a_folder_outside_of_the_cache(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for home in (a, b):
        home.mkdir()
    (a / "models/x").mkdir(parents=True)
    for name, text in FILES.items():
        (a / "models/x" / name).write_bytes(text)
    assert copy(a, b, model="~/models/x").failed == {}
    assert {p.name: p.read_bytes() for p in (b / "models/x").iterdir()} == FILES
    (b / "models/x/config.json").write_bytes(b"x" * len(FILES["config.json"]))
    source, target = look(a, "~/models/x", hashing=True), look(b, "~/models/x", hashing=True)
    assert list(shipment(source, target).files) == ["config.json"]


def test_a_stop_leaves_no_half_file_and_the_next_copy_goes_on(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, shards(2, 30_000_000))
    source, target = look(a), look(b)
    each = "sys.stdout.buffer.write(d); time.sleep(.02)"
    slow = f"import sys,time\nwhile (d := sys.stdin.buffer.read1(65536)): {each}"
    far = a / "slow"
    far.write_text(f'#!/bin/sh\n"{sys.executable}" -u -c "{slow}" | sh -c "$1"\n')
    far.chmod(0o755)
    folder = job(a, [str(far)], source, target, shipment(source, target))
    running = subprocess.Popen(SEND, cwd=folder, env=environment(a), stdout=subprocess.PIPE, text=True)
    assert running.stdout
    log = MoveLog()
    while log.progress.done < 1_000_000:
        log.feed(running.stdout.readline())
    running.send_signal(signal.SIGTERM)
    for line in running.stdout.read().splitlines():
        log.feed(line)
    running.stdout.close()
    assert running.wait(60) == 1
    assert "stopped" in log.why
    assert [p.name for p in b.rglob("*.incomplete")] == []


def test_a_receiver_that_cannot_be_reached_or_written_to(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    log = copy(a, b, ("sh", "-c", 'echo "Permission denied (publickey)." >&2; exit 255'))
    assert "Permission denied (publickey)" in log.why
    (b / ".cache").write_text("in the way")
    assert "Not a directory" in copy(a, b).why


# --- downloading, from a hub of our own


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download needs; it loses connections once, and wants a token for some."""

    lost: set[str]
    asked: list[tuple[str, str, str]]

    def do_GET(self) -> None:
        token, part = self.headers.get("Authorization", ""), self.headers.get("Range", "")
        self.asked.append((self.path, token, part))
        if self.path.startswith("/gated") or "/gated" in self.path:
            self.refuse(401 if not token else 403, "GatedRepo")
        elif self.path.startswith("/api/models/evil"):
            row = {**sibling("config.json"), "rfilename": "../../../../../.bashrc"}
            self.answer(json.dumps({"sha": COMMIT, "siblings": [row]}).encode())
        elif self.path.startswith("/api/models/"):
            self.answer(json.dumps({"sha": COMMIT, "siblings": [sibling(n) for n in FILES]}).encode())
        else:
            self.file(self.path.rsplit("/", 1)[1], part)

    def refuse(self, code: int, why: str) -> None:
        self.send_response(code)
        self.send_header("X-Error-Code", why)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body: bytes, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, name: str, part: str) -> None:
        if name.endswith(".safetensors") and name not in self.lost:
            self.lost.add(name)
            self.send_response(200)
            self.send_header("Content-Length", str(len(FILES[name])))
            self.end_headers()
            self.wfile.write(FILES[name][:150_000])
            return
        start = int(part.removeprefix("bytes=").rstrip("-") or 0)
        self.answer(FILES[name][start:], 206 if start else 200)

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


def sibling(name: str) -> dict[str, object]:
    row: dict[str, object] = {
        "rfilename": name,
        "size": len(FILES[name]),
        "blobId": blob_name(name, FILES[name]),
    }
    if name.endswith(".safetensors"):
        digest = hashlib.sha256(FILES[name]).hexdigest()
        row |= {"blobId": "0" * 40, "lfs": {"sha256": digest, "size": len(FILES[name])}}
    return row


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.lost, Hub.asked = set(), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def download(home: Path, hub: str, model: str = MODEL, **more: str) -> MoveLog:
    (home / "job").mkdir(parents=True, exist_ok=True)
    shutil.copytree(FOLDER, home / "job/programs", dirs_exist_ok=True)
    done = subprocess.run(
        download_argv(model, "main", hub, 2), cwd=home / "job", env=environment(home, **more),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    log = MoveLog()
    for line in (done.stdout + done.stderr).splitlines():
        log.feed(line)
    return log


def test_a_download_survives_lost_connections_and_is_pinned(tmp_path: Path, hub: str) -> None:
    log = download(tmp_path, hub, HF_TOKEN="hf_secret")
    assert log.failed == {}, log.why
    assert log.revision == COMMIT
    found = look(tmp_path, hashing=True)
    assert (found.why_incomplete, found.revision) == ("", COMMIT)
    assert content(tmp_path / ".cache/huggingface/hub/models--owner--a-model") == FILES
    assert any(part == "bytes=150000-" for _, _, part in Hub.asked), "it goes on inside a file"
    assert all(f"/resolve/{COMMIT}/" in path for path, _, _ in Hub.asked if "/resolve/" in path)
    assert {token for _, token, _ in Hub.asked} == {"Bearer hf_secret"}
    before = len(Hub.asked)
    assert download(tmp_path, hub).failed == {}
    assert len(Hub.asked) == before + 1, "what is there is not asked for again"


def test_a_gated_model_is_explained(tmp_path: Path, hub: str) -> None:
    assert "no valid token" in download(tmp_path, hub, "owner/gated").why
    assert (
        "licence of this model was not accepted" in download(tmp_path, hub, "owner/gated", HF_TOKEN="t").why
    )


def test_a_hub_that_names_files_elsewhere_is_refused(tmp_path: Path, hub: str) -> None:
    assert "cannot be one of a model: '../../../../../.bashrc'" in download(tmp_path, hub, "evil/m").why
    assert not (tmp_path / ".bashrc").is_symlink()


def test_a_download_is_as_readable_as_the_hubs_client_makes_it(tmp_path: Path, hub: str) -> None:
    before = os.umask(0o077)  # as in a job's folder
    try:
        assert download(tmp_path, hub).failed == {}
    finally:
        os.umask(before)
    config = tmp_path / ".cache/huggingface/hub/models--owner--a-model/snapshots" / COMMIT / "config.json"
    assert config.stat().st_mode & 0o777 == 0o644
