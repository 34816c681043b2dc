"""A capability keeps its files to itself: what other capabilities use of it is listed here, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from tests.test_house import SOURCES, dotted, imported

CAPABILITIES = {
    "node", "fabric", "image", "checkpoint", "transfer", "launch", "serve", "bench", "logs", "diagnose",
    "runs",
}  # fmt: skip
OTHER_NAMES = {
    "images": "image", "image_program": "image", "model": "checkpoint", "model_program": "checkpoint",
    "checks": "diagnose", "known": "diagnose", "doctor": "diagnose",
}  # fmt: skip
"""Rooms that are called by the user's word, or by what they hold of a capability."""
DOORS: dict[str, str] = {
    "fleet.checkpoint": "fit",
    "fleet.fabric": "history test",
    "fleet.launch": "await_memory survey",
    "fleet.logs": "feed ring",
    "fleet.serve": "engine_death start",
    "fleet.transfer": "plan receivers run",
    "model.checkpoint": "fit hf_cache weights",
    "model.fabric": "ends links paths rates",
    "model.image": "build",
    "model.launch": "site spec state steps",
    "model.logs": "diagnosis kernel line severity tool_words",
    "model.serve": "engine memory_guard memory_left spec vllm_flags",
    "model.transfer": "ends outcome",
    "parse.diagnose": "explain log_frame",
    "parse.image": "docker",
    "parse.serve": "ray vllm_bench vllm_serve",
    "parse.transfer": "ends",
    "remote.checkpoint": "files hf_cache",
    "remote.image": "contents",
    "remote.node": "facts marks site",
    "remote.serve": "processes vllm",
    "tui.views.images": "show",
    "verbs.diagnose": "check preflight",
    "verbs.fabric": "test",
    "verbs.launch": "start",
    "verbs.logs": "logs sources",
    "verbs.runs": "without_jobs",
}
"""Per room the files that other capabilities may use: a door more is a decision."""


def capability(module: str) -> str | None:
    """Whose room a module is in; None for what serves all: text, grammar, a floor's own files."""
    parts = module.split(".")[1:-1]
    room = (
        parts[2] if parts[:2] == ["tui", "views"] and len(parts) > 2 else parts[1] if len(parts) > 1 else ""
    )
    room = OTHER_NAMES.get(room, room)
    return room if room in CAPABILITIES else None


def doors(imports: Mapping[str, set[str]]) -> dict[str, str]:
    """Per room its files that a module of another capability imports."""
    used = {
        target
        for module, targets in imports.items()
        for target in targets
        if (own := capability(module)) and (other := capability(target)) and own != other
    }
    rooms: dict[str, list[str]] = {}
    for target in sorted(used):
        room, _, file = target.removeprefix("sparkconsole.").rpartition(".")
        rooms.setdefault(room, []).append(file)
    return {room: " ".join(files) for room, files in rooms.items()}


def test_a_capability_uses_only_the_doors_of_another_one() -> None:
    texts = {dotted(path): path.read_text() for path in SOURCES}
    assert doors({name: imported(name, text, texts) for name, text in texts.items()}) == DOORS


def test_a_look_into_another_capabilitys_files_is_found() -> None:
    planted = {
        "sparkconsole.fleet.serve.start": {"sparkconsole.model.serve.spec", "sparkconsole.fleet.image.build"},
        "sparkconsole.tui.views.images.view": {
            "sparkconsole.verbs.image.list",
            "sparkconsole.model.text.units",
        },
    }
    assert doors(planted) == {"fleet.image": "build"}
