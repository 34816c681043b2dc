"""A copy's log: bytes, rates, ends, and who is to blame."""

from __future__ import annotations

import json

import pytest

from sparkconsole.parse.image.copy_log import CopyLog, byte_progress, stage_ends
from sparkconsole.parse.image.recipe import commit_named
from sparkconsole.parse.transfer.ends import copy_site


def test_dd_lines_in_all_their_shapes() -> None:
    told = byte_progress("4194304 bytes (4.2 MB, 4.0 MiB) copied, 2 s, 1.9 MB/s")
    assert told is not None
    assert (told.done, told.elapsed_s, told.rate_per_s) == (4194304, 2.0, 2097152.0)
    assert told.eta_s(8388608) == 2.0
    assert told.eta_s(None) is None
    short = byte_progress("5 bytes copied, 0.000116 s, 43.1 kB/s")
    assert short is not None
    assert short.done == 5
    tiny = byte_progress("5 bytes copied, 8.4e-05 s, 59.5 kB/s")
    assert tiny is not None
    assert tiny.elapsed_s == 8.4e-05


@pytest.mark.parametrize("line", ["", "28+1 records in", "save: 5 bytes copied, 1 s", "bytes copied, s"])
def test_other_lines_are_no_progress(line: str) -> None:
    assert byte_progress(line) is None


def test_the_last_line_says_how_each_stage_ended() -> None:
    assert stage_ends("copy ended: save=0 stream=141 load=none") == {"save": 0, "stream": 141, "load": None}
    assert stage_ends("copy ended") is None


def _log(*lines: str) -> CopyLog:
    log = CopyLog()
    for line in lines:
        log.feed(line)
    return log


def test_a_whole_copy() -> None:
    log = _log(
        "10 bytes copied, 1 s, 10 B/s", "0+1 records in", "0+1 records out", "10 bytes copied, 2 s, 5 B/s",
        "load: Loaded image: vllm-node:latest", "copy ended: save=0 stream=0 load=0",
    )  # fmt: skip
    assert log.ok
    assert log.all_sent
    assert log.progress is not None
    assert log.progress.elapsed_s == 2.0


def test_a_receiver_that_could_not_unpack_is_no_success_although_it_says_0() -> None:
    log = _log(
        "load: Loaded image: x", "load: Error unpacking image x: oops", "copy ended: save=0 stream=0 load=0"
    )
    assert not log.ok


def test_a_log_without_an_end_is_no_success() -> None:
    assert not _log("10 bytes copied, 1 s, 10 B/s").ok


def test_the_sender_is_blamed_for_its_own_failure_and_the_receivers_words_are_kept() -> None:
    log = _log(
        "save: Error response from daemon: no such image",
        "load: unexpected EOF",
        "copy ended: save=1 stream=0 load=1",
    )
    assert log.cause() == "sender: Error response from daemon: no such image — receiver: unexpected EOF"


def test_the_receiver_is_blamed_when_the_save_only_followed_it() -> None:
    log = _log(
        "load: open /var/lib/docker/tmp/x: no space left on device",
        "save: write: broken pipe",
        "copy ended: save=143 stream=141 load=1",
    )
    assert log.cause().startswith("receiver: open /var/lib/docker/tmp/x: no space left on device")


def test_a_refused_login_and_a_refused_key_are_told_apart() -> None:
    assert _log("load: nvidia@10.0.0.2: Permission denied (publickey).").login_refused()
    assert not _log("load: permission denied while trying to connect to the Docker daemon").login_refused()
    assert _log("load: Host key verification failed.").key_refused()


def test_an_end_of_a_copy_says_what_it_knows() -> None:
    told = copy_site(
        "login nvidia\nport 2222\nfolder /var/lib/docker\ndriver overlay2\nfree 12345\n"
        "key ssh-ed25519 AAAA\nkey ssh-rsa BBBB\nkey broken\n"
    )
    assert (told.login, told.port, told.folder, told.driver) == (
        "nvidia",
        2222,
        "/var/lib/docker",
        "overlay2",
    )
    assert told.free_bytes == 12345
    assert told.host_keys == ("ssh-ed25519 AAAA", "ssh-rsa BBBB")


def test_what_it_does_not_say_stays_unknown() -> None:
    told = copy_site("login x\nport \nfolder \ndriver \n")
    assert (told.port, told.folder, told.free_bytes, told.host_keys) == (22, "", None, ())


LS_REMOTE = "\n".join(
    f"{c * 40}\t{name}"
    for c, name in (
        ("1", "refs/heads/main"),
        ("2", "refs/heads/fix/main"),
        ("3", "refs/tags/v1"),
        ("4", "refs/tags/v1^{}"),
        ("5", "refs/tags/v2"),
    )
)


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("main", ("1" * 40, "branch")),
        ("v1", ("4" * 40, "tag")),
        ("v2", ("5" * 40, "tag")),
        ("v3", ("", "")),
    ],
)
def test_a_reference_names_exactly_one_commit(ref: str, found: tuple[str, str]) -> None:
    assert commit_named(LS_REMOTE, ref) == found


def _line(**words: object) -> str:
    return json.dumps(words)


LAYER = {
    "layer": 3,
    "of": 7,
    "phase": "receiving",
    "size": 100,
    "done": 40,
    "sent": 340,
    "total": 800,
    "seconds": 2,
}


def test_the_program_says_its_layer_and_how_far_all_of_it_is() -> None:
    log = _log(_line(total=800, layers=7), _line(**LAYER))
    assert log.layer is not None
    assert log.layer.words == "layer 3 of 7 40 %"
    assert log.progress is not None
    assert (log.progress.done, log.progress.total, log.progress.rate_per_s) == (340, 800, 170.0)
    assert log.progress.eta_s(800) == pytest.approx(460 / 170)
    assert not log.all_sent
    assert not log.ok
    log.feed(_line(**{**LAYER, "phase": "registering", "sent": 800}))
    assert log.layer.words == "layer 3 of 7 registering"
    assert log.all_sent
    log.feed(_line(end=True, sent=800))
    assert (log.ok, log.sent) == (True, 800)


def test_the_program_says_why_it_gave_up_or_went_on_otherwise() -> None:
    assert _log(_line(end=True, error="no space left", final=True)).cause() == "no space left"
    refused = _log(_line(end=True, error="x@h: Permission denied (publickey).", final=True))
    assert refused.login_refused()
    fell = _log(
        _line(**LAYER), _line(fell_back="no python3"), "10 bytes copied, 1 s, 10 B/s", "1+0 records out"
    )
    assert (fell.fallback, fell.layer, fell.all_sent) == ("no python3", None, True)


@pytest.mark.parametrize("line", ["{", "{]", "[1]", '{"layer": 3}', "{}"])
def test_a_line_that_says_little_or_nothing_is_no_progress(line: str) -> None:
    assert _log(line).progress is None
