"""A folder that an image is built from travels as one tar; one that is too large is refused before that."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.errors import WrongUsage
from sparkconsole.fleet.tar import LARGEST_BYTES, tar_of


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    small = tar_of(tmp_path)
    with (tmp_path / "checkpoint").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)  # a hole: it takes no room here
    with pytest.raises(WrongUsage, match="holds 256 MB; a build's folder may hold 256 MB"):
        tar_of(tmp_path)
    (tmp_path / "checkpoint").unlink()
    assert tar_of(tmp_path) == small, "the same files give the same bytes"
