"""Which models every node has."""

from __future__ import annotations

from sparkconsole.model.checkpoint.cached import CachedModel, presences


def model(name: str, snapshot: str = "abc", **more: int) -> CachedModel:
    return CachedModel(name, snapshot, weights=True, config=True, size_bytes=10, **more)


def test_only_what_all_have_whole_is_shared() -> None:
    found = presences(
        {
            "one": [model("o/both"), model("o/half"), model("o/alone")],
            "two": [model("o/both"), model("o/half", unfinished=2)],
        }
    )
    assert [p.name for p in found if p.everywhere] == ["o/both"]
    told = {p.name: p.summary for p in found}
    assert told == {
        "o/both": "on all nodes",
        "o/alone": "not on two",
        "o/half": "incomplete on two: 2 unfinished",
    }
    assert found[0].name == "o/both"


def test_different_commits_are_not_the_same_model() -> None:
    (found,) = presences({"one": [model("o/x", "aaa")], "two": [model("o/x", "bbb")]})
    assert not found.everywhere
    assert found.summary == "2 different snapshots"


def test_no_nodes_have_no_models() -> None:
    assert presences({}) == ()
