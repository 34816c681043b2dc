"""The program as a shell starts it: streams that are closed, full, gone or without our signs; no tracebacks.

Whole processes, several at a time: what Python itself does at its end is part of what is looked at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparkconsole.model.text.printable import plain, plain_sign

pytestmark = pytest.mark.programs

US = f"{sys.executable} -m sparkconsole"


class Ended:
    """How a shell line ended."""

    def __init__(self, line: str, **variables: str) -> None:
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONIOENCODING", "PYTHONUTF8")}
        done = subprocess.run(
            ["bash", "-c", line.replace("US ", f"{US} ")],
            capture_output=True, timeout=60, check=False, env={**env, **variables}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.code, self.out, self.raw_err = done.returncode, done.stdout, done.stderr
        self.err = done.stderr.decode("utf-8", "replace")
        assert "Traceback" not in self.err + self.out.decode("utf-8", "replace"), line
        assert "Exception ignored" not in self.err, line


def ended(*lines: str, **variables: str) -> list[Ended]:
    """The lines side by side."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda line: Ended(line, **variables), lines))


@pytest.mark.parametrize(
    "columns", ["0", "000", "²", "9" * 5000, "-5", "x", "", " "], ids=lambda text: text[:5]
)
def test_no_width_that_somebody_exports_ends_the_program(columns: str) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "sparkconsole", "version"),
        env={**os.environ, "COLUMNS": columns, "LINES": columns}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sparkconsole ")


def test_a_reader_that_goes_away_is_no_error() -> None:
    for done in ended(
        "set -o pipefail; US --version | true",
        "set -o pipefail; US --help | head -1",
        "set -o pipefail; US --demo status | head -1",
        "set -o pipefail; US --demo --json status | true",
        "set -o pipefail; US --demo --dry-run image build | head -1",
    ):
        assert done.code == 0, done.err
        assert not [line for line in done.err.splitlines() if not line.startswith("DEMO")]


def test_a_full_disk_under_the_answer_is_one_sentence_and_exit_code_1() -> None:
    for done in ended(
        "US --version >/dev/full",
        "US --help >/dev/full",
        "US --demo status >/dev/full",
        "US --demo --json status >/dev/full",
        "US --demo --dry-run image build >/dev/full",
    ):
        assert done.code == 1
        assert "standard output cannot be written: No space left on device" in done.err


def test_a_deed_whose_answer_cannot_be_printed_is_told_as_done() -> None:
    (done,) = ended("US --demo --yes image build >/dev/full")
    assert done.code == 1
    assert "it was carried out (exit code 0)" in done.err


def test_closed_streams_are_streams_that_nobody_wants() -> None:
    out, err, nothing, refused = ended(
        "US --demo status >&-",
        "US --demo status 2>&-",
        "US --demo status <&- >&- 2>&-",
        "US --demo launch <&-",
    )
    assert (out.code, out.out) == (0, b"")
    assert (err.code, err.raw_err) == (0, b"")
    assert b"spark-01" in err.out
    assert nothing.code == 0
    assert refused.code == 4


def test_news_nobody_can_read_do_not_stop_a_deed() -> None:
    full, gone = ended(
        "US --demo --yes image pull x/y 2>/dev/full; echo code $?",
        "{ US --demo --yes stop; echo code $? >&3; } 3>&1 >/dev/null 2> >(exec true)",
    )
    assert b"code " in full.out
    assert b"code 0" in gone.out


@pytest.mark.parametrize(
    "locale",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin1", "C"],
)
def test_output_that_cannot_encode_has_plain_signs(locale: dict[str, str]) -> None:
    status, failed, helped, data = ended(
        "US --demo status",
        "US --demo --yes launch",
        "US image --help",
        "US --demo --json config path",
        **locale,
    )
    assert status.code == helped.code == data.code == 0
    assert status.out.splitlines()[1].split(b"  ")[-1] == b"-", "a dash that everybody has"
    assert failed.raw_err.decode("ascii" if locale != {"PYTHONIOENCODING": "latin1"} else "latin1")
    assert any(line.startswith("x ") for line in failed.err.splitlines()), failed.err
    assert "  -> " in failed.err
    assert json.loads(data.out)


def test_columns_stay_aligned_in_plain_signs() -> None:
    (done,) = ended("US --demo status", PYTHONIOENCODING="ascii")
    head, first, *_ = done.out.decode().splitlines()
    assert first.index("vllm_node") == head.index("container")


def test_words_that_are_no_text_are_refused_and_words_in_another_locale_are_not(tmp_path: Path) -> None:
    broken, umlaut = (
        Ended("US --demo node exec -- $'\\xff'"),
        Ended("US --demo --json runs show grün", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
    )
    assert broken.code == 2
    assert "the word \\xff is not UTF-8 text" in broken.err
    assert json.loads(umlaut.out)["error"]["cause"] == "no run is called 'grün'"


@pytest.mark.parametrize("sign", [*"✔✖●→“”–…·×°█▇─│é日\udcff"])
def test_every_sign_has_plain_text_and_one_of_its_own_width(sign: str) -> None:
    assert plain_sign(sign).isascii()
    assert len(plain_sign(sign, narrow=True)) == (2 if sign == "日" else 1)


def test_only_what_cannot_be_shown_is_replaced() -> None:
    assert plain("✔ 40 °C – né…", "utf-8") == "✔ 40 °C – né…"
    assert plain("✔ 40 °C – né…", "latin1") == "+ 40 °C - né..."
    assert plain("✔ 40 °C – né…", "ascii") == "+ 40  deg C - ne..."
