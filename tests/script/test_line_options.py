"""Options of one line hold for that line; what the line changes of the inventory holds for the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkconsole import cli


@pytest.mark.parametrize("options", ["", " --user ann", " --cluster lab", " --cluster lab --user ann"])
def test_a_node_that_a_line_adds_is_there_for_the_next(
    options: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, script = tmp_path / "cluster.toml", tmp_path / "typed.spark"
    added = [f"node add spark-0{n} 127.0.0.{n + 1}{options}" for n in (1, 2)]
    script.write_text("\n".join([*added, "node list", "node remove spark-01", "node list"]))
    assert cli.run(["--config", str(config), "--yes", "--json", "--script", str(script)]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    listed = [document for document in said if "changed" not in document and "path" not in document]
    text = [json.dumps(document) for document in listed]
    assert "spark-01" in text[0]
    assert "spark-02" in text[0]
    assert "spark-01" not in text[-1]
