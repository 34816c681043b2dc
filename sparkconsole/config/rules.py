"""The known-bad combinations: those that are shipped, and the person's own beside cluster.toml."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sparkconsole.config.paths import config_folder
from sparkconsole.config.reading import read_text, read_toml, validated
from sparkconsole.model.checks.rules import Rule, Rules, joined


def rules_file() -> Path:
    """The person's own rules."""
    return config_folder() / "rules.toml"


def load_rules(path: Path) -> tuple[Rule, ...]:
    """The shipped rules with those of that file; WrongConfig says file, line and key of what cannot be."""
    return joined(shipped(), parse_rules(read_text(path), path))


def parse_rules(text: str, path: Path) -> Rules:
    """The rules that `text` says; `path` is only for the errors."""
    return validated(Rules, read_toml(text, path), text, path)


def shipped() -> Rules:
    """The rules of this version."""
    found = files("sparkconsole.model.checks") / "rules.toml"
    return parse_rules(found.read_text(encoding="utf-8"), Path(str(found)))
