"""The bench view: the benchmark to run, its numbers as they come, its result, and those of earlier runs."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from sparkconsole.config.paths import state_folder, write_private
from sparkconsole.errors import SparkError
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.text.units import token_rate
from sparkconsole.tui.draw.frame import folded
from sparkconsole.tui.draw.preview import CommandPreview, preview_lines
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.task import Task
from sparkconsole.tui.views.bench import form as filling
from sparkconsole.tui.views.bench import show
from sparkconsole.tui.views.bench.kept import KeptBenches
from sparkconsole.tui.views.form_view import NEXT_FIELD, FormView
from sparkconsole.tui.widgets.log_view import LogView
from sparkconsole.tui.widgets.styled_text import StyledText, frame_title

RATES = 1800
SPREADS = ("ttft", "tpot")


class BenchView(FormView):
    """On a short screen the form gives way to a run and its result; `e` brings it back."""

    NAME = "bench"
    AUTO_FOCUS = ""
    KEYS = (
        NEXT_FIELD,
        Key("bench.run", "ctrl+j", "run", changes=True),
        Key("runs.stop", "X", "stop…", changes=True),
        Key("bench.form", "e", "form", "Show the form, or the run and its result."),
        Key("bench.compare", "c", "compare", "Compare the two marked results."),
        Key("bench.save", "ctrl+s", "save", "Save the shown result as a JSON file."),
        Key("bench.copy", "y", "copy cmd", "Copy the exact command.", act="copy_command"),
        Key("bench.log", "l", "log", "Show the whole output of the newest benchmark."),
    )
    DEFAULT_CSS = """
    BenchView .pane { height: auto; }
    BenchView #bench-spec Form { grid-size: 3; height: auto; }
    BenchView #bench-spec FormLine.-long { column-span: 3; }
    BenchView Form FormLine Label { width: 13; }
    BenchView #bench-command { height: auto; max-height: 3; }
    BenchView #bench-rate { height: 8; display: none; }
    BenchView #bench-spreads { height: 6; display: none; }
    BenchView #bench-spreads .pane { width: 1fr; height: 100%; }
    BenchView #bench-bottom { height: 1fr; min-height: 3; }
    BenchView #bench-log, BenchView #bench-kept { width: 1fr; height: 100%; background: $background; }
    BenchView #bench-log { display: none; }
    BenchView.-running #bench-rate, BenchView.-rated.-tall #bench-rate { display: block; }
    BenchView.-spread #bench-spreads { display: block; }
    BenchView.-running #bench-spreads { display: none; }
    BenchView.-running #bench-log, BenchView.-tall #bench-log { display: block; }
    BenchView.-short.-running #bench-kept { display: none; }
    BenchView.-short.-running #bench-spec, BenchView.-short.-done #bench-spec { display: none; }
    BenchView.-short.-editing #bench-spec { display: block; }
    BenchView.-short.-editing #bench-rate, BenchView.-short.-editing #bench-spreads { display: none; }
    BenchView.-tall #bench-rate, BenchView.-tall #bench-spreads { height: 9; }
    BenchView.-tall #bench-command { margin-top: 1; max-height: 4; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: tuple[Mapping[str, Any], ...] | None = None
        self._shown: Mapping[str, Any] | None = None
        self._followed: Task | None = None
        self._was_running = False
        self._rates: deque[float | None] = deque(maxlen=RATES)
        self._rated_s: float | None = None

    # --- parts

    def compose_body(self) -> ComposeResult:
        """Form, numbers, chart, distributions, output and history."""
        with Vertical(id="bench-spec", classes="pane") as panel:
            panel.border_title = "benchmark"
            yield filling.form()
            yield StyledText(id="bench-command")
        yield StyledText(id="bench-now", classes="pane")
        yield StyledText(id="bench-rate", classes="pane")
        with Horizontal(id="bench-spreads"):
            for kind in SPREADS:
                yield StyledText(id=f"bench-{kind}", classes="pane")
        with Horizontal(id="bench-bottom"):
            with LogView(LineRing(), id="bench-log", classes="pane") as log:
                log.border_title = "output"
            with KeptBenches(id="bench-kept", classes="pane") as kept:
                kept.border_title = "results · space marks two, c compares, enter shows"

    def on_screen_resume(self) -> None:
        """Another console may have kept something meanwhile."""
        super().on_screen_resume()
        self._ask_kept()

    def run_under_way(self) -> Task | None:
        """The newest benchmark of this console."""
        return self.console.work.find("bench", "run") if self.console.work else None

    @work(group="kept", exclusive=True, exit_on_error=False)
    async def _ask_kept(self) -> None:
        try:
            answer = await self.ask("bench", "list")
        except SparkError as error:
            self.query_one("#bench-kept").border_title = frame_title(f"results · {error.cause}")
            return
        self._kept = tuple(answer.data["benches"])
        self.query_one(KeptBenches).offer(self._kept)
        self._drawn = ()

    # --- drawing

    def sample(self) -> None:
        """Draws what changed; a second that passes is a change while something runs."""
        task = self.run_under_way()
        self._take_rate(task)
        running = task is not None and task.running
        if self.is_new(
            self.console.store.version,
            self.console.store.server.phase,
            task.version if task else -1,
            int(task.elapsed_s) if task and running else -1,
            id(self._shown),
            self._kept is None,
            self.size,
            tuple(self.form.values.items()),
        ):
            self._draw(task, running)

    def _draw(self, task: Task | None, running: bool) -> None:
        self._follow(task, running)
        result = self._result(task)
        self.set_class(running, "-running")
        self.set_class(not running and (result is not None or self._failed(task)), "-done")
        self.set_class(any(show.spread(k, result or {}) for k in SPREADS), "-spread")
        self.set_class(bool(self._rates) and self._shown is None, "-rated")
        width = max(20, self.query_one("#bench-spec").size.width)
        lines = preview_lines(self.preview(), width, 4 if self.has_class("-tall") else 3)
        self.query_one("#bench-command", StyledText).show(lines)
        self._draw_now(task, running, result)
        self._draw_rate()
        self._draw_spreads(result or {})

    def _follow(self, task: Task | None, running: bool) -> None:
        """A new run's output takes the place of the old one's; an end brings the list up to date."""
        if task is not self._followed:
            self._followed, self._shown = task, None
            self.remove_class("-editing")
            self.query_one(LogView).show_ring(task.output if task else LineRing())
        if self._was_running and not running:
            self._ask_kept()
        self._was_running = running

    def _take_rate(self, task: Task | None) -> None:
        """A value per reading of /metrics while the benchmark runs."""
        server = self.console.store.server
        if task is not self._followed:
            self._rates.clear()
        if task is not None and task.running and server.seen_at_s not in (None, self._rated_s):
            self._rated_s = server.seen_at_s
            self._rates.append(server.generated_per_s)

    def _failed(self, task: Task | None) -> bool:
        return task is not None and task.broke and self._shown is None

    def _result(self, task: Task | None) -> Mapping[str, Any] | None:
        """Of the one chosen in the list, else of the newest run."""
        if self._shown is not None:
            return dict(self._shown.get("result") or {})
        if task is not None and task.answer is not None:
            return dict(task.answer.data.get("result") or {}) or None
        return None

    def commands(self) -> CommandPreview:
        """The benchmark's own command, in the container."""
        model = self.console.store.server.model
        return filling.commands(self.form.words(), model, self.cluster.container)

    def _draw_now(self, task: Task | None, running: bool, result: Mapping[str, Any] | None) -> None:
        pane = self.query_one("#bench-now", StyledText)
        width = max(20, pane.size.width or self.size.width - 4)
        if task is not None and running:
            pane.border_title = frame_title(f"▶ {task.title}")
            latest = task.latest
            done, total = (latest.done, latest.total) if latest else (None, None)
            pane.show([show.progress_text(done, total, task.elapsed_s, width)])
        elif result is not None:
            pane.border_title = frame_title(show.result_title(self._shown, task, result))
            more = show.remarks(task, width) if task and self._shown is None else []
            pane.show([*show.result_lines(result, width), *more])
        elif task is not None and self._failed(task):
            pane.border_title = f"{show.broken(task)} · {frame_title(task.title)}"
            pane.show(show.remarks(task, width))
        else:
            pane.border_title = "no result yet"
            how = show.HOW.get(self.console.store.server.phase, show.NOTHING)
            pane.show([Text(line) for line in folded(how, width)])

    def _draw_rate(self) -> None:
        pane = self.query_one("#bench-rate", StyledText)
        values = [r for r in self._rates if r is not None]
        last = f"now {token_rate(values[-1])} · " if values and self._was_running else ""
        now = f"{last}peak {token_rate(max(values))}" if values else "no reading yet"
        pane.border_title = f"output · {now}"
        pane.draw(partial(show.course, tuple(self._rates)))

    def _draw_spreads(self, result: Mapping[str, Any]) -> None:
        for kind in SPREADS:
            pane = self.query_one(f"#bench-{kind}", StyledText)
            pane.border_title = show.spread_title(kind, result)
            pane.draw(partial(show.spread_lines, show.spread(kind, result)))

    # --- doing

    def on_kept_benches_shown(self, event: KeptBenches.Shown) -> None:
        """Its numbers take the place of the newest run's."""
        self._shown = next((b for b in self._kept or () if b["id"] == event.id), None)
        self.remove_class("-editing")
        self.sample()

    def peel(self) -> bool:
        """Esc leaves a field, then the form, then the kept result."""
        if super().peel():
            return True
        had, self._shown = self._shown is not None, None
        if had:
            self.sample()
        return had

    def idle(self, key_id: str) -> str:
        """The form gives way only on a short screen, and only to something."""
        gave_way = self.has_class("-short") and (self.has_class("-running") or self.has_class("-done"))
        if key_id == "bench.form" and not gave_way:
            return "the form is already shown"
        return super().idle(key_id)

    def action_bench_run(self) -> None:
        """`ctrl+j`"""
        wrong = self.preview().wrong
        task = self.run_under_way()
        if wrong:
            self.warn(wrong)
        elif task is not None and task.running:
            self.warn("a benchmark is already running; X stops it")
        else:
            self._shown = None
            self.set_focus(None)
            self._run(self.form.words())

    def _run(self, words: tuple[str, ...]) -> None:
        """Asks first when others are being served: it takes from their tokens."""
        load = self.console.store.server.load
        busy = (load.running or 0) + (load.waiting or 0) if load else 0
        if busy:
            self.warn(f"{busy} other request{'s' * (busy != 1)} in progress")
        self.console.say(words, asking=bool(busy))

    def action_runs_stop(self) -> None:
        """`X`"""
        task = self.run_under_way()
        if task is None or not task.running or not task.run_id:
            self.warn("no benchmark is running in this console")
        else:
            self.console.say(("runs", "stop", task.run_id))

    def action_bench_form(self) -> None:
        """`e`"""
        if not self.is_idle("bench.form"):
            self.toggle_class("-editing")

    def action_bench_compare(self) -> None:
        """`c`"""
        marked = self.query_one(KeptBenches).marked
        if len(marked) != 2:
            self.warn(f"mark two with space first; {len(marked)} of 2 marked")
            self.query_one(KeptBenches).focus()
            return
        self.console.say(("bench", "compare", *marked))

    def action_bench_log(self) -> None:
        """`l`"""
        task = self.run_under_way()
        if task is None:
            self.warn("no benchmark was run in this console; :runs show ID --output shows older ones")
        else:
            self.console.show_task(task)

    def action_bench_save(self) -> None:
        """`ctrl+s`"""
        task = self.run_under_way()
        kept = self._shown or (task.answer.data if task and task.answer else None)
        if not kept or not kept.get("result"):
            self.warn("no result yet")
            return
        name = kept.get("id") or (task.run_id if task and self._shown is None else "") or "bench"
        path = state_folder() / "results" / f"{name}.json"
        try:
            write_private(path, json.dumps(dict(kept), indent=1) + "\n")
        except OSError as error:
            self.warn(f"could not save {path}: {error.strerror}")
            return
        self.notify(f"saved as {path}", timeout=8, markup=False)
