"""What a person is told to do when a login may not write where a model goes."""

from __future__ import annotations

import pytest

from sparkconsole.fleet.checkpoint.copy import rights_hint
from sparkconsole.model.checkpoint.files import CheckpointFiles

HOME = "/home/ann"
HUB = f"{HOME}/.cache/huggingface/hub"


@pytest.mark.parametrize(
    ("root", "there", "hint"),
    [
        (HUB, HUB, f"sudo chown -R ann {HUB}"),
        (HUB, f"{HOME}/.cache", f"sudo chown -R ann {HOME}/.cache"),
        ("/data/my model", "/data/my model/sub", "sudo chown -R ann '/data/my model/sub'"),
        ("/data/my model", "/", "sudo install -d -o ann '/data/my model'"),
        (f"{HOME}/m", HOME, f"sudo install -d -o ann {HOME}/m"),
    ],
)
def test_no_folder_of_others_is_ever_given_away(root: str, there: str, hint: str) -> None:
    held = CheckpointFiles(root=root, home=HOME, there=there, owner="root", user="ann", writable=False)
    assert rights_hint("spark-02", held) == f"on spark-02: {hint}"
