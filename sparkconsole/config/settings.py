"""config.toml: what the person likes. Everything has a default; a missing file is all defaults."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sparkconsole.config.reading import read_text, read_toml, validated


class Settings(BaseModel):
    """The whole of config.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    theme: str | None = None
    """Name of a colour theme; None: the console's own choice."""
    keys: dict[str, str] = {}
    """Action to key, where the person wants another than the usual one."""


def load_settings(path: Path) -> Settings:
    """The settings of that file; WrongConfig says file, line and key of what cannot be."""
    text = read_text(path)
    return validated(Settings, read_toml(text, path), text, path)
