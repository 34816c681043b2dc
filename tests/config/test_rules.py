"""Known-bad combinations: bounds on versions, the shipped rules, and a person's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.config.rules import load_rules, shipped
from sparkconsole.errors import WrongConfig
from sparkconsole.model.checks.rules import within


@pytest.mark.parametrize(
    ("version", "condition", "meets"),
    [
        ("590.10", ">=590, <600", True),
        ("580.173.02", "<=580.159.03", False),
        ("580.95.05", "<=580.159.03", True),
        ("0.26.1", "==0.26.*", True),
        ("0.2.6", "==0.26.*", False),
        ("28.45.4028", "<28.45.4028", False),
        ("28.43.1000", "<28.45.4028", True),
        ("2.9.1+cu130", "==2.9.1", True),
        ("6.11.0-1016-nvidia", ">6.11", True),
        ("1.0", "!=1", False),
        ("", ">=0", False),
    ],
)
def test_bounds(version: str, condition: str, meets: bool) -> None:
    assert within(version, condition) is meets


def test_the_shipped_rules_hold_where_they_say_and_not_on_a_good_spark() -> None:
    good = {"kernel": "6.11.0-1016-nvidia", "driver": "580.95.05", "firmware": "28.45.4028", "vllm": "0.15.1",
            "cuda": "13.0"}  # fmt: skip
    rules = {r.id: r for r in shipped().rules}
    assert not any(r.holds(good, {}, 8) for r in rules.values())
    assert rules["driver-590-cuda-graphs"].holds({**good, "driver": "590.44"}, {}, 2)
    assert not rules["driver-590-cuda-graphs"].holds({**good, "driver": "590.44"}, {}, 1), (
        "alone it does not matter"
    )
    leak = rules["driver-memdesc-leak"]
    assert leak.holds(good, {"NV_ERR_NO_MEMORY": 3}, 1)
    assert not leak.holds({**good, "driver": "580.173.02"}, {"NV_ERR_NO_MEMORY": 3}, 1)
    assert not leak.holds({}, {"NV_ERR_NO_MEMORY": 3}, 1), "an unknown driver is not accused"


def test_own_rules_join_replace_and_silence(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    assert {r.id for r in load_rules(file)} == {r.id for r in shipped().rules}, "no file: the shipped ones"
    file.write_text(
        '[[rules]]\nid = "ours"\nwhen = { kernel = "==6.17.*" }\nwhat = "it hangs"\n'
        '[[rules]]\nid = "nic-firmware-old"\nwhen = { nodes = 1 }\nseverity = "off"\nwhat = "-"\n'
    )
    own = {r.id: r for r in load_rules(file)}
    assert own["ours"].holds({"kernel": "6.17.3"}, {}, 1)
    assert "nic-firmware-old" not in own


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ('[[rules]]\nid = "a"\nwhat = "b"\nwhen = { drivr = ">=1" }\n', "line 4", "did you mean driver?"),
        ('[[rules]]\nid = "a"\nwhat = "b"\nwhn = { driver = ">=1" }\n', "line 4", "did you mean when?"),
        ('[[rules]]\nid = "a"\nwhat = "b"\nwhen = { driver = "new" }\n', 'must be like ">=590', ""),
        ('[[rules]]\nid = "a"\nwhat = "b"\nwhen = { }\n', "at least one thing", ""),
        (
            '[[rules]]\nid = "a"\nwhat = "b"\nwhen = { nodes = true }\n',
            "must be a whole number",
            "says true now",
        ),
        (
            '[[rules]]\nid = "A B"\nwhat = "b"\nwhen = { nodes = 2 }\n',
            "rules[1].id is wrong: a name has letters",
            "A B",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, where: str, hint: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(WrongConfig) as caught:
        load_rules(file)
    assert where in caught.value.cause
    assert hint in caught.value.hint
