"""The doctor view: asks when it is opened, says what is wrong and what to do, and what it could not ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.demo.faults import inject
from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Store
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.work.answer import Answer
from sparkconsole.tui.dialogs.answer import AnswerSheet
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.views.doctor.show_findings import ORDER
from sparkconsole.tui.views.doctor.view import DoctorView
from tests.tui.harness import SIZES, app_of, console, same_as_snapshot, scene, seen, soon
from tests.tui.held import drawn, held
from tests.tui.stores import HOSTILE, filled


def checked(names: Sequence[str], *wrong: Finding, lost: Sequence[str] = ()) -> Answer:
    """All is well but for these."""
    bad = {(f.check, f.node) for f in wrong}
    told = [f.as_data() for f in wrong]
    for name in (n for n in names if n not in lost):
        told += [
            Finding(c, Severity.OK, name, f"{c} of {name}").as_data()
            for c in ORDER[:4]
            if (c, name) not in bad
        ]
    told += [
        Finding(c, Severity.OK, "", f"{c} is right").as_data()
        for c in ORDER[4:]
        if c not in {b[0] for b in bad}
    ]
    return Answer({"findings": told, "nodes": [{"node": n, "reachable": n not in lost} for n in names]})


async def over(pilot: Pilot[Any], store: Store, answer: Answer | SparkError) -> DoctorView:
    await app_of(pilot).opened.wait()
    answered(pilot, answer)
    view = await held(pilot, "7", store)
    assert isinstance(view, DoctorView)
    return view


def answered(pilot: Pilot[Any], answer: Answer | SparkError) -> None:
    async def say(words: Sequence[str]) -> Answer:
        assert tuple(words) == ("doctor",)
        if isinstance(answer, SparkError):
            raise answer
        return answer

    work = app_of(pilot).work
    assert work is not None
    work.answer = say  # type: ignore[method-assign]


def ill(names: Sequence[str]) -> Answer:
    if len(names) < 2:
        return checked(names)
    far = names[-1]
    return checked(
        names,
        Finding("reachable", Severity.FAIL, far, "no route to host", "look at its power and its cable"),
        Finding(
            "mtu", Severity.WARN, "", f"MTU differs: {names[0]} 9000, {names[1]} 1500", "set the same MTU"
        ),
        lost=[far],
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_every_size_of_cluster_and_every_state(size: tuple[int, int]) -> None:
    where = f"{size[0]}x{size[1]}"
    async with console(nodes=2, size=size) as pilot:
        view = await over(pilot, Store(Cluster()), checked(()))
        same_as_snapshot(f"doctor-0-{where}", await drawn(pilot))
        for count in (1, 2, 4, 8, 64):
            store = filled(count)
            answered(pilot, ill(tuple(store.nodes)))
            app_of(pilot).store, view._shown = store, False
            await drawn(pilot)
            same_as_snapshot(f"doctor-{count}-{where}", await drawn(pilot))
        answered(pilot, SparkError("nobody could be asked", hint="see the cluster view"))
        await pilot.press("r")
        same_as_snapshot(f"doctor-error-{where}", await drawn(pilot))


async def test_it_asks_by_itself_and_again_when_told_to() -> None:
    async with scene(nodes=3) as (pilot, _):
        app = app_of(pilot)
        await pilot.press("7")
        await seen(pilot, lambda t: "all: image missing (vllm-node)" in t)
        assert app.session is not None
        assert app.session.pretend is not None
        inject(app.session.pretend.machines["spark-03"], "gpu-gone")
        await pilot.press("r")
        text = await seen(pilot, lambda t: "03: no GPU" in t)
        assert "✔   ✔   ✖" in text


async def test_a_capital_plans_what_can_be_mended() -> None:
    async with scene(nodes=2) as (pilot, _):
        app = app_of(pilot)
        await pilot.press("7")
        await seen(pilot, lambda t: "image missing (vllm-node)" in t)
        assert app.session is not None
        assert app.session.pretend is not None
        inject(app.session.pretend.machines["spark-02"], "mtu")
        await pilot.press("r")
        await seen(pilot, lambda t: "MTU differs" in t)
        await pilot.press("n")
        await seen(
            pilot, lambda t: "F sudo -n ip link set dev enp1s0f1np1 mtu 9000" in t
        )  # what it would run
        await pilot.press("F")
        text = await seen(pilot, lambda t: "fix what the doctor found" in t)
        assert "sudo -n ip link set dev enp1s0f1np1 mtu 9000" in text
        assert isinstance(app.screen, Confirm)
        app.screen.dismiss(True)
        await seen(pilot, lambda t: "✔   ✔   MTU 9000" in t)  # it was asked again


async def test_n_goes_from_problem_to_problem_and_i_puts_one_aside() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, filled(2), ill(("spark-01", "spark-02")))
        assert "✖ spark-02: no route to host" in await drawn(pilot), "the first problem is shown at once"
        await pilot.press("n")
        assert view.row is not None
        assert view.row.check == "mtu"
        await pilot.press("n")
        assert view.row.check == "reachable", "and round"
        await pilot.press("i")
        text = await drawn(pilot)
        assert "ignored: 02: no route to host" in text
        assert "1 ignored" in text
        await pilot.press("n", "n")
        assert view.row.check == "mtu", "what is put aside is passed by"
        await pilot.press("home", "i")
        assert "ignored" not in await drawn(pilot)


async def test_enter_explains_and_y_copies_all_of_it() -> None:
    async with console(nodes=2) as pilot:
        app = app_of(pilot)
        await over(pilot, filled(2), ill(("spark-01", "spark-02")))
        await drawn(pilot)
        await pilot.press("y")
        assert "look at its power" in app.clipboard
        assert "1 failed · 1 warning" in app.clipboard
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, AnswerSheet)
        await pilot.press("escape")
        await pilot.press("slash", *"mtu", "enter")
        checks: Any = app.view.query_one("#checks")
        await soon(lambda: checks.keys == ("mtu", "mtu path"), "only what the filter keeps")


@pytest.mark.parametrize("size", [*SIZES, (60, 16), (20, 5)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_text_of_machines_is_never_markup(size: tuple[int, int]) -> None:
    async with console(nodes=2, size=size) as pilot:
        wrong = Finding("gpu", Severity.FAIL, "spark-02", HOSTILE, HOSTILE)
        await over(pilot, filled(2), checked(("spark-01", "spark-02"), wrong))
        assert "\x1b" not in await drawn(pilot)
        await pilot.press("enter", "escape", "y")
        answered(pilot, SparkError(HOSTILE, hint=HOSTILE, node=HOSTILE))
        await pilot.press("r")
        assert "\x1b" not in await drawn(pilot)
