"""What several test files of this folder need."""

from __future__ import annotations

from tests.ssh_world import world

__all__ = ["world"]
