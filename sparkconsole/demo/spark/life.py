"""How a pretend Spark lives: what it reads as a pure function of its number, the time and what it does.

No state and no chance: the same machine at the same time gives the same values. Loads follow waves that can
be integrated, so that counters grow by exactly what the rates say; power and heat follow with inertia.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkconsole.demo.stories import Activity

_MASK = (1 << 64) - 1
CORES, TICKS = 20, 100
IDLE_POWER_W, IDLE_HEAT_C = 4.6, 38.0
POWER_TAU_S, HEAT_TAU_S, LOAD_TAU_S = 4.0, 40.0, 60.0
"""Seconds in which power, temperature and the one-minute load come most of their way."""


@dataclass(frozen=True, slots=True)
class ActivityLoad:
    """What one kind of work adds. Percent of the GPU, cores, W, °C, bytes a second on each rail or on the
    first one only, runnable tasks, percent of pressure."""

    gpu: float = 0.0
    cores: float = 0.0
    power: float = 0.0
    heat: float = 0.0
    rails: float = 0.0
    sent: float = 0.0
    received: float = 0.0
    tasks: float = 0.0
    pressure: float = 0.0
    waves: float = 0.0
    """How far it swings around that, 0 to 1."""


EFFORTS = {
    "build": ActivityLoad(cores=15.2, power=9, heat=13, tasks=17, pressure=0.6, waves=0.5),
    "send": ActivityLoad(cores=3.1, heat=3, sent=1.0, tasks=3, waves=0.15),
    "receive": ActivityLoad(cores=2.6, heat=3, received=1.0, tasks=3, pressure=0.3, waves=0.15),
    "load": ActivityLoad(gpu=9, cores=4.2, power=11, heat=6, rails=2.1e7, tasks=5, pressure=2.4, waves=0.6),
    "serve": ActivityLoad(gpu=44, cores=1.7, power=27, heat=17, rails=6.4e8, tasks=2.2, waves=0.8),
    "bench": ActivityLoad(gpu=51, cores=1.4, power=34, heat=16, rails=3.9e9, tasks=1.8, waves=0.25),
    "hot": ActivityLoad(heat=44),
    "spin": ActivityLoad(gpu=98, cores=2.0, power=13, heat=6, tasks=2.0),
    "stall": ActivityLoad(power=5, heat=2),
}
"""A benchmark comes on top of the server that it asks; `sent` and `received` count in whole copies. Ranks
that wait for one that stalls spin: busy, with little power."""
HUNG = ("spin", "stall")
"""What the ranks of a server do that gives no token."""
_WAVES = ((2 * math.pi / 47, 0.5), (2 * math.pi / 13, 0.3), (2 * math.pi / 5.3, 0.2))
"""Angular speeds of what makes a load swing, and their shares of it."""


def hashed(*keys: int) -> float:
    """A number in 0…1 that looks like chance and is none (splitmix64)."""
    value = 0x9E3779B97F4A7C15
    for key in keys:
        value = (value ^ (key & _MASK)) * 0xBF58476D1CE4E5B9 & _MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
        value ^= value >> 31
    return value / 2**64


def noise(number: int, salt: int, now: float) -> float:
    """-1…1, another one every second, without steps in between."""
    second = math.floor(now)
    here, there = hashed(number, salt, second), hashed(number, salt, second + 1)
    return 2 * (here + (there - here) * (now - second)) - 1


def own(number: int, salt: int, spread: float) -> float:
    """What makes this machine a little different from its siblings: 1 ± `spread`."""
    return 1 + spread * (2 * hashed(number, salt) - 1)


def wave(spell: Activity, now: float) -> float:
    """How strong the spell is right now; 1 on average. All machines that share a spell swing together."""
    swing = EFFORTS[spell.kind].waves
    return 1 + swing * sum(share * math.sin(speed * (now - spell.began)) for speed, share in _WAVES)


def done(spell: Activity, now: float, since: float = -math.inf) -> float:
    """The spell's seconds until now, weighed with its waves; only those after `since`."""
    start, end = max(spell.began, since), min(spell.ended, now)
    if end <= start:
        return 0.0
    swing = EFFORTS[spell.kind].waves
    turned = (
        share / speed * (math.cos(speed * (start - spell.began)) - math.cos(speed * (end - spell.began)))
        for speed, share in _WAVES
    )
    return end - start + swing * sum(turned)


def _effort(spell: Activity, name: str) -> float:
    effort: float = getattr(EFFORTS[spell.kind], name)
    return effort


def current(spells: Iterable[Activity], name: str, now: float) -> float:
    """The sum of one effort over all that runs now."""
    return sum(_effort(s, name) * wave(s, now) for s in spells if s.runs(now))


def total(spells: Iterable[Activity], name: str, now: float, since: float) -> float:
    """What one effort added up to since a time."""
    return sum(e * done(s, now, since) for s in spells if (e := _effort(s, name)))


def settled(spells: Iterable[Activity], name: str, now: float, tau: float) -> float:
    """An effort as something slow follows it: it comes and goes with the time constant `tau`."""
    return sum(e * _followed(s, now, tau) for s in spells if (e := _effort(s, name)))


def _followed(spell: Activity, now: float, tau: float) -> float:
    if now <= spell.began or spell.ended <= spell.began:
        return 0.0
    risen = 1 - math.exp(-(min(now, spell.ended) - spell.began) / tau)
    return risen * math.exp(-(now - spell.ended) / tau) if now > spell.ended else risen


def share_loaded(spells: Iterable[Activity], now: float) -> float:
    """How much of the usual share servers hold: 0 without one, 1 while one serves, less while it loads."""
    return sum(s.weight * _loaded(s, now) for s in spells if s.runs(now))


def _loaded(spell: Activity, now: float) -> float:
    if spell.kind in ("serve", *HUNG):
        return 1.0
    if spell.kind != "load":
        return 0.0
    way = min(1.0, max(0.0, (now - spell.began) / (spell.ended - spell.began) * 1.25 - 0.15))
    return way * way * (3 - 2 * way)


# --- readings of one machine


def gpu_percent(number: int, spells: Sequence[Activity], now: float) -> float:
    """Whole percent, as the driver says it."""
    use = current(spells, "gpu", now) * own(number, 1, 0.04)
    return float(round(min(100.0, max(0.0, use + (2.0 * noise(number, 2, now) if use else 0.0)))))


def power_w(number: int, spells: Sequence[Activity], now: float) -> float:
    """What the GPU draws."""
    drawn = IDLE_POWER_W + settled(spells, "power", now, POWER_TAU_S) * own(number, 3, 0.06)
    swing = sum(EFFORTS[s.kind].power * (wave(s, now) - 1) * 0.4 for s in spells if s.runs(now))
    return round(max(3.5, drawn + swing + 0.5 * noise(number, 4, now)), 2)


def heat_c(number: int, spells: Sequence[Activity], now: float) -> float:
    """The GPU's temperature, whole degrees as the driver says it."""
    work = settled(spells, "heat", now, HEAT_TAU_S) * own(number, 6, 0.08)
    warm = IDLE_HEAT_C * own(number, 5, 0.07) + work
    return float(round(warm + 0.4 * noise(number, 7, now)))


def clock_mhz(spells: Sequence[Activity], now: float, heat: float) -> float:
    """Idle, busy, or held back by heat."""
    if heat > 88:
        return 1080.0
    return 2411.0 if current(spells, "gpu", now) > 5 else 208.0


def cpu_ticks(number: int, spells: Sequence[Activity], now: float, booted: float) -> tuple[int, int]:
    """Busy and all, since it was started."""
    idle = 0.35 * own(number, 8, 0.3)
    alive = now - booted
    seconds = idle * alive + total(spells, "cores", now, booted) + 0.1 * math.sin(alive / 3 + number)
    every = CORES * TICKS * alive
    return int(min(every, TICKS * seconds)), int(every)


def load_average(number: int, spells: Sequence[Activity], now: float) -> float:
    """Over one minute."""
    tasks = settled(spells, "tasks", now, LOAD_TAU_S)
    return round(max(0.0, 0.3 * own(number, 9, 0.5) + tasks + 0.05 * noise(number, 10, now)), 2)


def pressure(number: int, spells: Sequence[Activity], now: float) -> float:
    """Percent of the last ten seconds."""
    waited = settled(spells, "pressure", now, 10.0)
    return round(max(0.0, waited * own(number, 11, 0.2)), 2) if waited > 0.05 else 0.0
