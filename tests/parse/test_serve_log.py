"""The one reader of a rank's log, which starts, the watch and `serve status` feed."""

from __future__ import annotations

import pytest

from sparkconsole.parse.serve.serve_log import KEPT_FIRST, SHOWN, ServeLogReader, finding

DIED = "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] EngineCore encountered a fatal error."
BEGUN = "(APIServer pid=7) INFO 11-23 10:01:00 [api_server.py:1] vLLM API server version 0.19.0"
UP = "(APIServer pid=7) INFO:     Application startup complete."


def test_it_is_ready_once_its_server_listens_and_whatever_comes_later() -> None:
    log = ServeLogReader([BEGUN])
    assert not log.ready
    log.feed(UP)
    log.feed(BEGUN)
    assert log.ready


def test_the_first_death_counts_until_a_server_starts_again() -> None:
    log = ServeLogReader()
    seen = []
    for line in (DIED, "RuntimeError: CUDA error: unspecified launch failure", BEGUN, DIED):
        log.feed(line)
        seen.append((log.dies, log.death))
    words = "EngineCore encountered a fatal error."
    assert seen == [(True, words), (False, words), (False, ""), (True, words)]


def test_an_engine_s_end_is_told_with_the_named_cause_before_the_line_that_says_it() -> None:
    assert ServeLogReader([UP]).engine_end() == ""
    assert ServeLogReader([DIED]).engine_end() == ("its engine died: “EngineCore encountered a fatal error.”")
    known = ServeLogReader(["torch.OutOfMemoryError: CUDA out of memory.", DIED])
    cause = known.cause()
    assert cause is not None
    assert known.engine_end() == f"its engine died: {cause.why}: “{cause.text}”"
    assert len(ServeLogReader([DIED + "x" * 1000]).death) == SHOWN


@pytest.mark.parametrize("last", [None, 3])
def test_of_a_long_log_its_beginning_and_its_end_are_kept(last: int | None) -> None:
    lines = [str(i) for i in range(KEPT_FIRST + 10)]
    end = lines[KEPT_FIRST:] if last is None else lines[-last:]
    assert ServeLogReader(lines, last=last).lines == lines[:KEPT_FIRST] + end


def test_while_it_grows_causes_are_findings_and_consequences_are_none() -> None:
    found = finding("OSError: [Errno 98] Address already in use")
    assert found is not None
    assert found.kind.name == "CAUSE"
    assert finding(DIED) is None
    assert finding("INFO all is well") is None
