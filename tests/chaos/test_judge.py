"""Every verdict by a record that deserves it, and every lie that a console could tell is found."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.judge import Kind, judge
from tests.chaos.record import Ending, Hits, Leftover, Line, Record


def ended(code: int, *lines: str, took: float = 5.0, in_time: bool = True) -> Ending:
    """A console that printed these lines, one a second."""
    return Ending(code, took, tuple(Line(float(at), text) for at, text in enumerate(lines, 1)), in_time)


COPIED = ended(0, "▶ spark2: copy the image", "✔ spark2: copied")
RIGHT = Record(
    1, 1, "image copy", "session killed", ("image", "copy"), Hits.NODE, "spark2", ending=COPIED,
    reached=True, reached_after=True, run_state="done",
)  # fmt: skip


def changed(**fields: Any) -> Record:
    """The right record, with something else in it."""
    return replace(RIGHT, **fields)


FAILED = ended(1, "✖ spark2: the connection was lost — copy again")
UNKNOWN = ended(3, "✖ spark2: the connection was lost; its jobs may still be running: runs attach r1")
CANCELLED = ended(130, "cancelled")
LEFT_RUNNING = ended(130, "· left running: sparkconsole runs attach r1")
TORN = ended(1, "spark2: lost", "Traceback (most recent call last):")
LOOK = Record(
    1, 1, "status", "sshd gone", ("status",), Hits.NODE, "spark2", looks=True, troubled=("spark2",),
    ending=ended(3, "spark1  up", "spark2  unreachable: connection refused"),
)  # fmt: skip
LONG = changed(
    verb="node exec", hits=Hits.CONSOLE, fault="ctrl-c", reached=False, reached_after=False,
    ending=CANCELLED, run_state="cancelled",
)  # fmt: skip
NOT_SO = {"reached": False, "reached_after": False}
HALF, LAYER = Leftover("spark2", "half", "/a.incomplete"), Leftover("spark2", "layer", "<none> sha256:1")

TRIALS = {
    "done, and it is so": (RIGHT, Kind.RIGHT),
    "failed, and it is not so": (
        changed(ending=FAILED, run_state="failed", **NOT_SO), Kind.RIGHT),
    "unknown, and the journal leaves it open": (
        changed(ending=UNKNOWN, run_state="unknown", reached=None, attached=COPIED), Kind.RIGHT),
    "cancelled, and nothing runs": (LONG, Kind.RIGHT),
    "left running, and it runs": (
        replace(LONG, ending=LEFT_RUNNING, run_state="unknown", running=("spark1: docker build",),
                attached=FAILED), Kind.RIGHT),
    "killed, and its run is open": (
        replace(LONG, fault="killed", ending=ended(-9), run_state="unknown",
                attached=ended(1, "✖ it has no job to follow: what it left is unknown")), Kind.RIGHT),
    "a look that names the node": (LOOK, Kind.RIGHT),
    "a look at nodes that all answer": (
        replace(LOOK, troubled=(), ending=ended(0, "spark1  up")), Kind.RIGHT),
    "a second console that is refused": (
        changed(hits=Hits.NOTHING, other=ended(4, "✖ another console copies it: wait")), Kind.RIGHT),
    "half a file that is said": (
        changed(ending=ended(1, "✖ spark2: lost — copy again: it goes on where it was"),
                run_state="failed", left=(HALF,), **NOT_SO), Kind.RIGHT),
    "a journal that is full, said, and not in the way": (
        changed(hits=Hits.JOURNAL, fault="journal full", run_state="",
                ending=ended(0, "! No space left on device; continuing without a record")), Kind.RIGHT),
    "temporary files of a killed console": (
        replace(LONG, fault="killed", ending=ended(-9), run_state="unknown", left_here=("sparkconsole-1",)),
        Kind.RIGHT),
    # --- wrong
    "done, and it is not so": (changed(**NOT_SO), Kind.WRONG),
    "done on a node that was off, and not so afterwards": (
        changed(reached=None, reached_after=False), Kind.WRONG),
    "failed, and it is so": (changed(ending=FAILED, run_state=""), Kind.WRONG),
    "cancelled, and it runs on": (
        replace(LONG, run_state="", running=("spark2: sleep 777",)), Kind.WRONG),
    "cancelled in the journal, and it runs on": (
        replace(LONG, ending=LEFT_RUNNING, running=("spark2: sleep 777",)), Kind.WRONG),
    "failed in the journal, and it is so": (
        changed(ending=UNKNOWN, run_state="failed"), Kind.WRONG),
    "done in the journal, and it is not so": (
        changed(ending=UNKNOWN, **NOT_SO), Kind.WRONG),
    "unknown in words and failed in the journal": (
        changed(ending=UNKNOWN, run_state="failed", reached=None, reached_after=None), Kind.WRONG),
    "done in words and open in the journal": (changed(run_state="unknown"), Kind.WRONG),
    "attached, called done, and it is not so": (
        changed(ending=UNKNOWN, run_state="unknown", attached=COPIED, reached=None, reached_after=False),
        Kind.WRONG),
    "attached, called failed, and it is so": (
        changed(ending=UNKNOWN, run_state="unknown", attached=FAILED, reached=None), Kind.WRONG),
    "attached to what has no job, and that is said": (
        changed(ending=UNKNOWN, run_state="unknown", reached=None,
                attached=ended(1, "✖ r1 has no job to follow: what it left is unknown")), Kind.RIGHT),
    "attached to a run that is not there": (
        changed(ending=UNKNOWN, run_state="unknown", attached=ended(2, "no run is called r1"), reached=None),
        Kind.WRONG),
    "a traceback": (changed(ending=TORN, run_state="failed", **NOT_SO), Kind.WRONG),
    "a traceback of the second console": (
        changed(hits=Hits.NOTHING, other=ended(0, "Traceback (most recent call last):")), Kind.WRONG),
    "no end": (
        changed(ending=ended(130, "▶ waits", took=6, in_time=False), run_state="", **NOT_SO), Kind.WRONG),
    "no end yet, and until when is said": (
        changed(ending=ended(130, "! spark2 lost, and is waited for until 15:04:05", took=6, in_time=False),
                run_state="", **NOT_SO), Kind.RIGHT),
    "until when was said once, long ago": (
        changed(ending=ended(130, "! spark2 lost, and is waited for until 15:04:05", took=60, in_time=False),
                run_state="", **NOT_SO), Kind.WRONG),
    "ended by the signal itself": (replace(LONG, ending=ended(-15), run_state="unknown"), Kind.WRONG),
    "usage, in the middle": (changed(ending=ended(2, "spark2: what?"), run_state=""), Kind.WRONG),
    "failed though nothing was done to it": (
        changed(hits=Hits.NOTHING, ending=FAILED, run_state="failed", **NOT_SO), Kind.WRONG),
    "a journal in the way": (
        changed(hits=Hits.JOURNAL, fault="journal full", run_state="",
                ending=ended(1, "✖ No space left on device"), **NOT_SO), Kind.WRONG),
    "a look that misses the node": (
        replace(LOOK, ending=ended(0, "spark1  up", "spark2  up")), Kind.WRONG),
    "a look that fails without trouble": (replace(LOOK, troubled=()), Kind.WRONG),
    "nothing was loaded, and a layer is there": (
        changed(ending=ended(1, "✖ spark2: lost; nothing was loaded — copy again: what arrived stays"),
                run_state="failed", left=(LAYER,), **NOT_SO), Kind.WRONG),
    # --- silent, litter, words
    "no line for long": (changed(ending=replace(COPIED, took_s=30.0)), Kind.SILENT),
    "no first line for long": (
        changed(ending=Ending(0, 31.0, (Line(30.5, "✔ spark2: copied"),))), Kind.SILENT),
    "no line of the second console for long": (
        changed(hits=Hits.NOTHING, other=ended(0, "spark2: copied", took=40)), Kind.SILENT),
    "half a file that is not said": (changed(left=(HALF,)), Kind.LITTER),
    "an image without a name that is not said": (changed(left=(LAYER,)), Kind.LITTER),
    "a container that is not named": (
        changed(left=(Leftover("spark1", "container", "reading"),)), Kind.LITTER),
    "temporary files of a console that was asked to end": (
        replace(LONG, left_here=("sparkconsole-1",)), Kind.LITTER),
    "a shell's text": (
        changed(ending=ended(1, "✖ spark2: sh -c 'cd x && y' failed"), run_state="failed", **NOT_SO),
        Kind.WORDS),
    "a defect": (
        changed(ending=ended(1, "✖ spark2: a defect of sparkconsole: KeyError"), run_state="", **NOT_SO),
        Kind.WORDS),
    "an empty reason": (
        changed(ending=ended(1, "✖ spark2: copy failed: "), run_state="failed", **NOT_SO), Kind.WORDS),
    "no word at all": (changed(ending=ended(1), run_state="failed", **NOT_SO), Kind.WORDS),
    "the node is not named": (
        changed(ending=ended(1, "✖ the connection was lost"), run_state="failed", **NOT_SO), Kind.WORDS),
    "a record that is not kept, unsaid": (
        changed(hits=Hits.JOURNAL, fault="journal read-only", run_state=""), Kind.WORDS),
}  # fmt: skip


def test_what_another_console_ended_is_judged_by_the_last_that_says_done() -> None:
    other = ended(0, "stopped", took=9.0)
    crossed = changed(hits=Hits.OTHER, moment_s=4.0, ending=ended(0, "up", took=8.0), other=other)
    assert judge(replace(crossed, **NOT_SO)).kind is Kind.RIGHT
    assert judge(crossed).kind is Kind.WRONG, "the other one said stopped, and it is there"
    first = replace(crossed, ending=ended(0, "up", took=15.0))
    assert judge(replace(first, **NOT_SO)).kind is Kind.WRONG, "it said up after that, and it is not"


@pytest.mark.parametrize(("record", "kind"), TRIALS.values(), ids=TRIALS)
def test_a_record_gets_the_verdict_that_it_deserves(record: Record, kind: Kind) -> None:
    verdict = judge(record)
    assert verdict.kind is kind, verdict
    assert bool(verdict.why) is (kind is not Kind.RIGHT)


def test_the_worst_names_the_verdict_and_everything_is_said() -> None:
    verdict = judge(changed(ending=replace(COPIED, took_s=30.0), left=(HALF,), **NOT_SO))
    assert verdict.kind is Kind.WRONG
    assert "exit 0, and the nodes say that it is not so" in verdict.why
    assert "no line for 28 s" in verdict.why
    assert "half left on spark2 and not said: /a.incomplete" in verdict.why


def test_a_leftover_that_is_named_is_said() -> None:
    one = Leftover("spark1", "container", "reading-7")
    line = "! spark1: the container reading-7 could not be removed: docker rm -f reading-7"
    assert judge(changed(ending=ended(0, line), left=(one,))).kind is Kind.RIGHT


@pytest.mark.parametrize("record", [record for record, _ in TRIALS.values()], ids=TRIALS)
def test_a_record_comes_back_from_json_as_it_was(record: Record) -> None:
    assert Record.of_data(json.loads(json.dumps(record.as_data()))) == record


def test_what_a_program_prints_is_not_the_consoles_own() -> None:
    """`vllm bench` prints Python's tracebacks, which are passed on; its own sentence has none."""
    line = "Traceback (most recent call last):"
    assert judge(changed(ending=ended(0, f"· spark1 {line}"))).kind is Kind.RIGHT
    assert judge(changed(ending=ended(0, line))).kind is Kind.WRONG


def test_what_lasts_is_kept_or_says_that_it_is_not() -> None:
    let_go = ended(130, "· spark1 is serving again")
    kept = changed(verb="serve keep", lasts=True, ending=let_go, run_state="cancelled")
    assert judge(kept).kind is Kind.RIGHT
    assert judge(replace(kept, **NOT_SO)).kind is Kind.WRONG
    gave_up = ended(1, "✖ spark2: started three times, and it ended each time")
    assert judge(replace(kept, ending=gave_up, run_state="failed", **NOT_SO)).kind is Kind.RIGHT


def test_what_a_verb_is_for_is_no_litter() -> None:
    container = Leftover("spark2", "container", "vllm_node")
    assert judge(changed(left=(container,))).kind is Kind.LITTER
    assert judge(changed(left=(container,), leaves=("container",))).kind is Kind.RIGHT


def test_what_came_before_the_disk_was_full_was_written_down() -> None:
    full = changed(hits=Hits.JOURNAL, fault="journal full", moment_s=1.5)
    assert judge(full).why == ("nothing says that the run could not be written down",)
    assert judge(replace(full, moment_s=2.1)).kind is Kind.RIGHT


def test_a_job_folder_that_stays_is_said_by_its_job() -> None:
    folder = "/home/spark/.local/state/sparkconsole/jobs/serve-tiny-4db3/status"
    stays = changed(left=(Leftover("spark2", "file", folder),))
    assert judge(stays).kind is Kind.LITTER
    said = "✖ spark2 rank 0 is unknown: no engine; its log stays there: sparkconsole logs job:serve-tiny-4db3"
    assert judge(replace(stays, ending=ended(3, said), run_state="unknown")).kind is Kind.RIGHT


def test_the_screen_counts_the_nodes_that_are_up() -> None:
    seen = changed(on_screen=True, shown_up=1, are_up=1, shown_up_after=2)
    assert judge(seen).kind is Kind.RIGHT
    assert judge(replace(seen, shown_up=2)).kind is Kind.WRONG
    assert judge(replace(seen, shown_up_after=1)).kind is Kind.WRONG
