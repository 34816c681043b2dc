"""Models that are not as one would wish: odd names, links, gaps, full disks, two copies at once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sparkconsole.model.checkpoint.files import shipment
from sparkconsole.parse.checkpoint.files import MoveLog
from sparkconsole.remote.checkpoint.files import SEND, program
from sparkconsole.remote.model_program.sending import BOOT
from tests.model_caches import COMMIT, blob_name, hub_cache, plain_cache, shards
from tests.model_ends import MODEL, content, copy, environment, halves, homes, job, look
from tests.testbed.waiting import until

pytestmark = pytest.mark.programs

__all__ = ["homes"]
FILES = shards(3, 300_000)
FIRST, SECOND = (next(n for n in FILES if n.startswith(f"model-0000{k}")) for k in (1, 2))
BLOBS = ".cache/huggingface/hub/models--owner--a-model/blobs"


def folder_of(home: Path, files: dict[str, bytes] = FILES) -> Path:
    """A model outside of the cache."""
    folder = home / "models/x y"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


def test_two_copies_at_once_both_end_well(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, shards(3, 4_000_000))
    source, target = look(a), look(b)
    folders = [job(a, ["sh", "-c"], source, target, shipment(source, target)) for _ in range(2)]
    both = [
        subprocess.Popen(SEND, cwd=folder, env=environment(a), stdout=subprocess.PIPE, text=True)
        for folder in folders
    ]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert look(b, hashing=True).why_incomplete == ""
    assert shipment(look(a), look(b)).empty
    assert halves(b) == []


def test_what_another_copy_brought_meanwhile_is_not_taken_again(tmp_path: Path) -> None:
    name, text = blob_name(SECOND, FILES[SECOND]), FILES[SECOND]
    half = tmp_path / f"{name}.incomplete"
    words = ("python3", "-u", "-c", BOOT, "model", "receive", str(tmp_path))
    receiver = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert receiver.stdin
    assert receiver.stdout
    with half.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        ask = json.dumps({"path": name, "size": len(text)}).encode()
        receiver.stdin.write(b"%d\n%s%s\n" % (len(program()), program(), ask))
        receiver.stdin.flush()
        until(lambda: str(half) in _open_files(receiver.pid), "it waits for its turn", 20)
        other.write(text)
        other.flush()
        half.rename(tmp_path / name)
    assert json.loads(receiver.stdout.readline()) == {"skip": True}
    receiver.communicate(timeout=20)
    assert halves(tmp_path) == []


def _open_files(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except OSError:
            continue
    return found


def test_a_sender_that_hangs_up_while_it_waits_leaves_nobody_waiting(tmp_path: Path) -> None:
    with (tmp_path / "x.incomplete").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        words = ("python3", "-u", "-c", BOOT, "model", "receive", str(tmp_path))
        sent = b"%d\n%s%s\n" % (len(program()), program(), json.dumps({"path": "x", "size": 5}).encode())
        done = subprocess.run(words, input=sent, capture_output=True, check=True, timeout=20)
    assert b"another copy of this file is under way" in done.stdout


def test_a_disk_that_fills_up_in_the_middle_leaves_no_half_file(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    log = copy(a, b, ("sh", "-c", 'ulimit -f 300; exec sh -c "$0"'))
    assert "File too large" in log.why
    assert "model-0000" in log.why, "the shard is named, not its blob"
    assert halves(b) == []
    assert [p for p in b.rglob("*") if p.is_symlink()] == []
    assert look(b).why_incomplete
    assert copy(a, b).failed == {}
    assert content(b / BLOBS / "..") == FILES


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash", "fish", "tcsh"])
def test_what_a_login_prints_is_no_answer_whatever_its_shell(homes: tuple[Path, Path], shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    a, b = homes
    hub_cache(a, MODEL, FILES)
    log = copy(a, b, ("sh", "-c", f'echo Welcome!; printf "no line"; echo; exec {shell} -c "$0"'))
    assert log.failed == {}
    assert not look(b, hashing=True).why_incomplete


@pytest.mark.parametrize("greeting", ["exit 0", "yes welcome"])
def test_a_login_that_never_comes_to_the_command_is_an_end(homes: tuple[Path, Path], greeting: str) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    assert copy(a, b, ("sh", "-c", greeting)).failed


@pytest.mark.parametrize("layouts", [("blobs", "shared"), ("shared", "blobs"), ("plain", "blobs")])
def test_a_receiver_with_another_layout_needs_nothing_again(
    layouts: tuple[str, str], homes: tuple[Path, Path]
) -> None:
    for home, layout in zip(homes, layouts, strict=True):
        if layout == "plain":
            plain_cache(home, MODEL, FILES)
        else:
            hub_cache(home, MODEL, FILES, shared=layout == "shared")
    a, b = homes
    assert shipment(look(a), look(b)).size_bytes == 0
    assert shipment(look(a), look(b, hashing=True, beside=True)).size_bytes == 0
    assert copy(a, b).failed == {}
    assert shipment(look(a), look(b)).empty
    assert content(b / BLOBS / "..") == FILES


def test_blobs_that_another_model_brought_do_not_travel(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES, shared=True)
    hub_cache(b, "owner/other", {SECOND: FILES[SECOND]}, shared=True)
    assert f"blobs/{blob_name(SECOND, FILES[SECOND])}" not in shipment(look(a), look(b)).files
    assert copy(a, b).failed == {}
    assert content(b / BLOBS / "..") == FILES


def test_a_damaged_blob_that_no_link_leads_to_yet_is_found(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    (b / BLOBS).mkdir(parents=True)
    for name in (FIRST, SECOND):
        (b / BLOBS / blob_name(name, FILES[name])).write_bytes(FILES[name])
    (b / BLOBS / blob_name(SECOND, FILES[SECOND])).write_bytes(bytes(len(FILES[SECOND])))
    what = shipment(look(a), look(b, hashing=True, beside=True))
    assert [look(a).name_of(path) for path in what.again] == [SECOND]
    assert copy(a, b).failed == {}
    assert content(b / BLOBS / "..") == FILES


def test_folders_in_a_snapshot(homes: tuple[Path, Path]) -> None:
    a, b = homes
    files = {**FILES, "original/deep/params.json": b"{}", "original/tokenizer.model": b"t" * 3000}
    hub_cache(a, MODEL, files)
    assert look(a, hashing=True).why_incomplete == ""
    assert copy(a, b).failed == {}
    assert content(b / BLOBS / "..") == files
    assert shipment(look(a), look(b)).empty


@pytest.mark.parametrize("words", ["~/models/x y", "{home}/models/../models/x y/"])
def test_a_folder_with_odd_names_and_links(words: str, homes: tuple[Path, Path]) -> None:
    a, b = homes
    odd = {"it's.txt": b"1", "two\nlines": b"2", '"quoted" $HOME `x`': b"3", "käse 🧀": b"4", "..dots": b"5"}
    folder = folder_of(a, {**FILES, **odd, "sub/empty.txt": b""})
    elsewhere = a / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep/one.txt").write_text("one")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "inside").symlink_to("sub")
    (folder / "again.json").symlink_to("config.json")
    (folder / "out.txt").symlink_to(elsewhere / "deep/one.txt")
    (elsewhere / "circle").symlink_to(elsewhere)
    model = words.format(home=a)
    there = model if model.startswith("~") else model.replace(str(a), str(b))
    source, target = look(a, model), look(b, there)
    assert source.why_incomplete == ""
    done = subprocess.run(
        SEND, cwd=job(a, ["sh", "-c"], source, target, shipment(source, target)), env=environment(a),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert shipment(look(a, model), look(b, there)).empty
    arrived = b / "models/x y"
    assert {n: (arrived / n).read_bytes() for n in odd} == odd
    assert (arrived / "linked/deep/one.txt").read_text() == (arrived / "out.txt").read_text() == "one"
    assert not (arrived / "linked").is_symlink(), "what it led to is not on the receiver"
    assert os.readlink(arrived / "again.json") == "config.json"
    assert os.readlink(arrived / "inside") == "sub"


def test_a_half_file_of_another_version_is_not_believed(homes: tuple[Path, Path]) -> None:
    a, b = homes
    folder_of(a)
    (b / "models/x y").mkdir(parents=True)
    (b / f"models/x y/{FIRST}.incomplete").write_bytes(shards(3, 300_000, seed=8)[FIRST][:250_000])
    (b / f"models/x y/{SECOND}.incomplete").write_bytes(bytes(900_000))
    assert copy(a, b, model="~/models/x y").failed == {}
    assert (b / "models/x y" / FIRST).read_bytes() == FILES[FIRST]
    assert (b / "models/x y" / SECOND).read_bytes() == FILES[SECOND]
    assert halves(b) == []


def test_shards_that_no_index_names_are_missed_by_their_numbers(homes: tuple[Path, Path]) -> None:
    a, _ = homes
    files = {n: t for n, t in FILES.items() if not n.endswith("index.json") and n != SECOND}
    hub_cache(a, MODEL, files)
    assert look(a).missing == (SECOND,)
    assert look(a).why_incomplete == f"{SECOND} missing"


def test_an_index_of_other_weights_misses_nothing(homes: tuple[Path, Path]) -> None:
    a, _ = homes
    index = json.dumps({"weight_map": {"t": "pytorch_model-00001-of-00001.bin"}}).encode()
    hub_cache(a, MODEL, {**FILES, "pytorch_model.bin.index.json": index})
    assert look(a).why_incomplete == ""


def test_what_has_no_weights_is_not_whole(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, {"config.json": b"{}", "tokenizer.json": b"{}"})
    assert look(a).why_incomplete == "there are no weights in it"
    (b / "documents").mkdir()
    (b / "documents/letter.txt").write_text("dear")
    assert look(b, "~/documents").why_incomplete == "there are no weights in it"
    hub_cache(b, MODEL, {"tokenizer.json": b"{}"})
    assert look(b).why_incomplete == "", "a tokenizer alone is no model, and whole"


def test_a_revision_by_its_branch(homes: tuple[Path, Path]) -> None:
    a, _ = homes
    hub_cache(a, MODEL, FILES)
    assert look(a, revision="main").revision == COMMIT
    assert look(a, revision="v2").why_incomplete == "nothing of it"


def test_a_stop_ends_a_copy_that_waits_for_its_turn(homes: tuple[Path, Path]) -> None:
    a, b = homes
    hub_cache(a, MODEL, FILES)
    (b / BLOBS).mkdir(parents=True)
    source, target = look(a), look(b)
    half = b / BLOBS / f"{blob_name(FIRST, FILES[FIRST])}.incomplete"
    with half.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        folder = job(a, ["sh", "-c"], source, target, shipment(source, target))
        running = subprocess.Popen(SEND, cwd=folder, env=environment(a), stdout=subprocess.PIPE, text=True)
        assert running.stdout
        log, others = MoveLog(), sum(len(FILES[n]) for n in FILES if n != FIRST)
        while log.progress.done < others:
            log.feed(running.stdout.readline())
        running.terminate()
        for line in running.communicate(timeout=30)[0].splitlines():
            log.feed(line)
    assert running.returncode == 1
    assert "stopped" in log.why
