"""What the bench view says of a run in words, and the file that a result is saved to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from sparkconsole.config.paths import state_folder, write_private
from sparkconsole.fleet.store import ServerPhase
from sparkconsole.model.text.printable import printable
from sparkconsole.tui.draw.charts import histogram
from sparkconsole.tui.draw.frame import folded
from sparkconsole.tui.work import Task, TaskState

HOW = {
    ServerPhase.READY: "^j measures the served model with these settings; tab goes through the fields.",
    ServerPhase.LOADING: "The model is still loading; it can be measured once it is ready (5 shows how far).",
    ServerPhase.UNKNOWN: "Not known yet whether a model is served (r looks again).",
}


def how(phase: ServerPhase) -> str:
    """The empty state says what to press."""
    return HOW.get(phase, "No model answers, so there is nothing to measure. 5 serves one.")


def result_title(shown: Mapping[str, Any] | None, task: Task | None, result: Mapping[str, Any]) -> str:
    """For the frame: whether it succeeded, and which benchmark it was."""
    if shown is not None:
        what, broke = f"{shown.get('when')} {shown.get('model')}", False
    else:
        what, broke = (task.title, task.state is TaskState.FAILED) if task else ("", False)
    mark = "✖ failed" if broke or result.get("failed") else "✔ done"
    return f"{mark} · {printable(what)}"


def remarks(task: Task, width: int) -> list[Text]:
    """Why it failed, and what to do next."""
    if task.error is not None:
        lines = [(line, "$node-lost") for line in folded(f"✖ {task.error.cause}", width)]
        lines += [(line, "") for line in folded(f"→ {task.error.hint}", width)] if task.error.hint else []
    else:
        error = task.answer.data.get("error") if task.answer else ""
        lines = [(line, "$node-lost") for line in folded(f"✖ {error}", width)] if error else []
    return [Text(line, style, no_wrap=True, end="") for line, style in lines]


def saved(data: Mapping[str, Any], run_id: str) -> Path:
    """Writes a result into a file for its owner alone; where it is."""
    path = state_folder() / "results" / f"{data.get('id') or run_id or 'bench'}.json"
    write_private(path, json.dumps(dict(data), indent=1) + "\n")
    return path


def spread_lines(values: Sequence[float], width: int, height: int) -> list[Text]:
    """The histogram; where vLLM did not say what each request took, that."""
    lines = histogram(values, width, height)
    return lines or [Text("this vLLM did not say what each request took", "$muted", no_wrap=True, end="")]
