"""What one node lacks of another's model, and what is said of one that is not whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.files import CheckpointFiles, shipment
from sparkconsole.parse.checkpoint.files import MoveLog, parse_holding

BLOB, GIT = "m/blobs/" + "a" * 64, "m/blobs/" + "b" * 40
WHOLE = CheckpointFiles(
    root="/h",
    revision="c",
    files={BLOB: 100, GIT: 5},
    beside={BLOB: 100, GIT: 5},
    links={"m/snapshots/c/x": "../../blobs/" + "a" * 64},
    tied={"m/snapshots/c/x": "../../blobs/" + "a" * 64},
    refs={"m/refs/main": "c"},
)


def test_the_same_lacks_nothing_and_nothing_lacks_all() -> None:
    assert shipment(WHOLE, WHOLE).empty
    all_of_it = shipment(WHOLE, CheckpointFiles())
    assert (dict(all_of_it.files), all_of_it.size_bytes) == ({BLOB: 100, GIT: 5}, 105)
    assert all_of_it.texts
    assert all_of_it.links


def test_other_sizes_and_other_hashes_are_sent_again() -> None:
    short = replace(WHOLE, beside={BLOB: 99, GIT: 5})
    assert list(shipment(WHOLE, short).files) == [BLOB]
    wrong = replace(WHOLE, hashes={BLOB: "f" * 64, GIT: "b" * 40})
    assert wrong.damaged == (BLOB,)
    sent = shipment(WHOLE, wrong)
    assert (list(sent.files), sorted(sent.again)) == ([BLOB], [BLOB])
    assert "because damaged" in sent.words


def test_what_an_interrupted_copy_left_counts() -> None:
    left = CheckpointFiles(partial={f"{BLOB}.incomplete": 60, "other.incomplete": 9})
    assert shipment(WHOLE, left).arrived == 60


def test_plain_files_are_compared_by_both_hashes() -> None:
    ours = CheckpointFiles(files={"w": 4}, beside={"w": 4}, hashes={"w": "1"})
    assert shipment(ours, replace(ours, hashes={"w": "2"})).again == frozenset("w")
    assert shipment(ours, replace(ours, hashes={})).empty, "what was not read is not judged"


def test_why_a_model_is_not_whole_names_files() -> None:
    assert WHOLE.why_incomplete == ""
    assert CheckpointFiles().why_incomplete == "nothing of it"
    lacking = replace(
        WHOLE, missing=("model-2.safetensors",), dangling={"m/snapshots/c/y": "links to nothing"}
    )
    assert lacking.why_incomplete == "y lead to nothing; model-2.safetensors missing"
    assert "may not be read by spark" in replace(WHOLE, unreadable=(BLOB,), user="spark").why_incomplete


def test_a_log_tells_how_far_and_how_it_ended() -> None:
    log = MoveLog()
    assert log.feed('{"done": 50, "total": 100, "seconds": 5}')
    assert (log.progress.rate_per_s, log.progress.eta_s(100)) == (10, 5)
    log.feed("Traceback (most recent call last)")
    assert log.failed is None
    assert "Traceback" in log.why
    log.feed('{"end": true, "failed": {"a/b": "No space left on device"}}')
    assert log.why == "b: No space left on device"


@pytest.mark.parametrize("text", ["", "[]", "segfault", '{"missing": 3}'])
def test_other_words_are_not_taken_for_an_answer(text: str) -> None:
    with pytest.raises(SparkError, match="could not be understood"):
        parse_holding(text)


def test_one_cause_is_told_once_for_all_its_files() -> None:
    log = MoveLog(failed={"a/model-1": "lost", "a/model-2": "lost", "a/model-3": "lost", "": "stopped"})
    assert log.why == "model-1, model-2 and 1 more: lost; stopped"


def test_a_blob_is_called_as_the_revision_calls_it() -> None:
    pooled = {"m/snapshots/c/w": "../../blobs/x", "m/blobs/x": "../../blobs/x"}
    held = CheckpointFiles(files={"blobs/x": 1}, links=pooled)
    assert held.name_of("blobs/x") == "w"
    assert held.name_of("m/other") == "other"


def test_what_lies_beside_is_read_before_it_is_believed() -> None:
    beside = CheckpointFiles(beside={BLOB: 100, GIT: 5}, read=True, hashes={GIT: "b" * 40})
    assert shipment(WHOLE, beside).again == {BLOB}
