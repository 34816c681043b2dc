"""Earlier rates: kept for their owner alone, bounded, and never lost to a line that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.fleet.fabric.history import RateHistory
from sparkconsole.model.fabric.rates import Rate


def rate(number: int, cluster: str = "c") -> Rate:
    return Rate("a", "b", "eth0", "tcp", 10.0 + number, mtu=9000, at=f"{number:06}", cluster=cluster)


def test_what_is_added_is_there_again_for_its_cluster(tmp_path: Path) -> None:
    history = RateHistory(tmp_path / "new")
    assert history.rates() == ()
    history.add((rate(1), rate(2, "other")))
    history.add((rate(3),))
    assert RateHistory(tmp_path / "new").rates("c") == (rate(1), rate(3))
    assert history.path.stat().st_mode & 0o777 == 0o600


def test_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkconsole.fleet.fabric.history.KEPT", 3)
    history = RateHistory(tmp_path)
    history.add(rate(i) for i in range(5))
    assert [r.at for r in history.rates()] == ["000002", "000003", "000004"]


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "null", '{"node": 1}', '{"gbit": "x"}', "[" * 5000, '{"node": "a", "peer": "b"}']
)
def test_a_line_that_is_no_rate_is_passed_over(tmp_path: Path, line: str) -> None:
    history = RateHistory(tmp_path)
    history.add((rate(1),))
    history.path.write_text(f"{line}\n{history.path.read_text()}{line}\n")
    assert history.rates() == (rate(1),)
