"""Every table that any verb prints on the demo: whole in a pipe, and no word broken in a terminal.

The terminal is a real one. What a table says is taken from the verbs,
what stands on the screen from the program.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest
from rich.cells import cell_len

from sparkconsole import cli
from sparkconsole.demo import stories
from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.answer import Sheet, header_and_rows
from sparkconsole.script.report import Printer
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.grammar.registry import load

pytestmark = pytest.mark.programs

UP = (
    "image build", "image copy --to all", "launch", "serve Qwen/Qwen3-0.6B", "bench run --num-prompts 8",
    "bench run --num-prompts 9",
)  # fmt: skip
LOOKS = (
    "node list", "node scan", "examples list", "completion bash",
    "examples show first-run", "check", "doctor", "status", "fabric test", "fabric history", "image list",
    "model list",
    "model fit openai/gpt-oss-120b", "model verify openai/gpt-oss-120b", "serve status",
    "demo faults",
    "demo fault spark-02 hot",
    "demo clear spark-02", "config path", "config show", "bench list", "bench show",
    "node exec -- hostname", "version",
    "node restart spark-02", "node drop-caches", "serve stop", "image prune", "stop", "help", "help serve",
    "config schema", "wait-for nodes", "explain -", "logs --tail 3", "exec -- true", "node trust",
)  # fmt: skip
KEPT = (
    "runs list",
    "runs show {0}",
    "runs compare {0} {1}",
    "runs export {0}",
    "bench list",
    "bench compare {0} {1}",
)
ELSEWHERE = {
    "node add": "the demo's cluster is in no file",
    "node remove": "the demo's cluster is in no file",
    "node shell": "takes the terminal",
    "node reboot": "a pretend machine has nothing to boot",
    "image rollback": "no older image is there",
    "model copy": "as image copy",
    "model download": "as image build",
    "runs again": "as the verb that is done again",
    "runs attach": "as the verb that is attached to",
    "runs stop": "nothing is left running",
    "serve keep": "lasts as long as the server",
    "web": "lasts as long as the browser",
    "examples": "as examples list",
    "man": "a page of text",
}
"""Verbs that are not said here, and why."""
DRAW = """
import json, sys
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.script.report import Printer
rows = json.loads(open(sys.argv[1]).read())
parts = tuple(Sheet(tuple(c), tuple(map(tuple, r)), t, tuple(w)) for c, r, t, w in rows)
Printer().answer(Answer({}, parts))
"""


def test_every_verb_is_said_here_or_has_a_reason() -> None:
    said = {*UP, *LOOKS, *KEPT}
    missing = [
        w for words in load() if not any(f"{s} ".startswith(f"{(w := ' '.join(words))} ") for s in said)
    ]
    assert set(missing) <= set(ELSEWHERE)


class Printed:
    """All tables of a run, and what standard output had."""

    def __init__(self, sheets: list[Sheet], text: str) -> None:
        self.sheets, self.lines = sheets, text.splitlines()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    folder = tmp_path_factory.mktemp("tables")
    sheets: list[Sheet] = []
    usual = Printer._sheet

    def noted(self: Printer, sheet: Sheet) -> None:
        sheets.append(sheet)
        usual(self, sheet)

    with (
        pytest.MonkeyPatch.context() as patch,
        (folder / "out").open("w+") as out,
        Path("/dev/null").open() as nothing,
    ):
        patch.setattr(opening, "_demo_state", lambda *_: folder / "state")
        patch.setattr(Printer, "_sheet", noted)
        patch.setenv("COLUMNS", "20")
        for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
            patch.setattr(stories, name, 2.0)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stdin", nothing)
        (folder / "all.spark").write_text("\n".join((*UP, *LOOKS)))
        cli.run(["--demo", "--yes", "--keep-going", "--script", str(folder / "all.spark")])
        ids = [p.stem for p in sorted((folder / "state" / "runs").glob("*-bench-*.json"))]
        assert len(ids) == 2
        for line in KEPT:
            cli.run(["--demo", *line.format(*ids).split()])
        out.seek(0)
        return Printed(sheets, out.read())


def cells(row: Sequence[str]) -> list[str]:
    return [" ".join(printable(cell).split()) for cell in row]


def test_in_a_pipe_a_row_is_a_line_whatever_the_terminal_says(printed: Printed) -> None:
    assert len(printed.sheets) >= 20
    for sheet in printed.sheets:
        for row in sheet.rows:
            whole = re.compile(r"\s*".join(map(re.escape, cells(row))))
            assert any(whole.search(line) for line in printed.lines), (sheet.columns, row)


@pytest.mark.parametrize("columns", ["0", "00"])
def test_a_terminal_of_no_columns_is_one_whose_width_is_not_known(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a terminal that is not there yet says of itself: nothing was printed then, with exit code 0."""
    monkeypatch.setenv("COLUMNS", columns)
    for line, said in (("--demo node list", "spark-01"), ("help launch", "Usage: ")):
        with pytest.raises(SystemExit) as end:
            cli.main(line.split())
        assert end.value.code == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_in_a_terminal_no_word_is_broken(printed: Printed, tmp_path: Path, width: int) -> None:
    data = [[s.columns, s.rows, s.title, s.whole] for s in printed.sheets]
    (tmp_path / "sheets").write_text(json.dumps(data))
    child = pexpect.spawn(
        sys.executable, ["-c", DRAW, str(tmp_path / "sheets")], dimensions=(24, width), encoding="utf-8",
        timeout=60, env={"TERM": "xterm-256color", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    child.expect(pexpect.EOF)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", child.before)
    words = set(shown.split())
    wanted = {
        word for sheet in printed.sheets for row in sheet.rows for c in cells(row) for word in c.split()
    }
    assert wanted <= words
    longest = max(map(cell_len, wanted))
    label = max(cell_len(column) for sheet in printed.sheets for column in sheet.columns)
    over = [line for line in shown.splitlines() if cell_len(line) > max(width, label + 2 + longest)]
    titles = {sheet.title for sheet in printed.sheets}
    assert [line for line in over if line.strip() not in titles] == []


# --- the rule itself, on what no verb printed yet

WIDE = Sheet.of(
    ("id", "what was found", "path"),
    [
        ("20260101-120000-serve-ab12", "the model was not found in the cache of that node at all", "/a b/c"),
        ("x", "fine", "/"),
    ],
    whole=("path",),
)


def test_columns_of_several_words_give_way_first() -> None:
    lines = header_and_rows(WIDE, 60)
    assert all(cell_len(line) <= 60 for line in lines)
    assert "20260101-120000-serve-ab12" in lines[1]
    assert "/a b/c" in lines[1]
    assert len(lines) > 3


def test_too_narrow_a_terminal_gets_a_block_a_row() -> None:
    assert header_and_rows(WIDE, 30)[:2] == [
        "id              20260101-120000-serve-ab12",
        "what was found  the model was",
    ]
    assert "" in header_and_rows(WIDE, 30), "blocks stand apart"


@pytest.mark.parametrize("text", ["", "one\ntwo", "\x1b[31mred\x1b[0m", "日本 語"])
def test_a_cell_of_any_text_is_one_line(text: str) -> None:
    assert len(header_and_rows(Sheet.of(("a", "b"), [(text, 1)]))) == 2


def test_without_rows_there_is_a_header() -> None:
    empty: list[list[Any]] = []
    assert header_and_rows(Sheet.of(("a", "b"), empty), 5) == ["a  b"]
