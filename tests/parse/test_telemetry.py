"""A sampler's line becomes a sample; what is missing or senseless in it is unknown, and nothing raises."""

from __future__ import annotations

import json

import pytest

from sparkconsole.model.facts import Gpu, GpuProcess, Memory
from sparkconsole.model.telemetry import Bus, Counters, reading
from sparkconsole.parse.machine.telemetry import MOST_NAMES, MOST_TEXT, parse_sample

LINE = {
    "v": 1, "t": 1763913600.123, "m": 100.0, "uptime": 1036800.5, "cpu": [50, 200],
    "mem": [128_000, 97_000, 16, 8], "load": 0.52, "psi": 1.5, "temp": 58.5,
    "rails": {"rocep1s0f1": [True, 4000, 8000, 1]}, "nets": {"enP7s7": [False, 10, 20, 0]},
    "gpus": [{"name": "NVIDIA GB10", "uuid": "GPU-1", "util": 71, "power": 48.2, "temp": 71,
              "clock": 2411, "pstate": "P0", "driver": "580.95.05",
              "clock_max": 3003, "mem_clock": None, "throttle": 0x61}],
    "procs": [[4711, "VLLM::Worker", 96636764160], [12, "python3", None]],
    "gpu_error": "", "disk": 612_000_000_000, "cached": 31_000, "oom": 2, "kernel": ["NVRM: Xid 79", 5],
    "psis": {"cpu some": 2.5, "io full": None},
    "pcie": {"rocep1s0f1": [16.0, 4, 32.0, 4], "x": [1, None, 2, 3]},
    "counts": {"rocep1s0f1": {"link_downed": 1, "np_cnp_sent": 2**63 + 1, "odd": -1}},
}  # fmt: skip


def test_every_field_is_taken() -> None:
    sample = parse_sample(json.dumps(LINE))
    assert sample is not None
    assert (sample.clock_s, sample.mono_s, sample.uptime_s) == (1763913600.123, 100.0, 1036800.5)
    assert (sample.cpu_busy, sample.cpu_total) == (50, 200)
    assert sample.memory == Memory(128_000, 97_000, 16, 8)
    assert (sample.load, sample.pressure, sample.temperature_c) == (0.52, 1.5, 58.5)
    assert sample.rails == {
        "rocep1s0f1": Counters(True, 4000, 8000, 1, {"link_downed": 1, "np_cnp_sent": 2**63 + 1})
    }
    assert (sample.cached, sample.oom_kills, sample.kernel) == (31_000, 2, ("NVRM: Xid 79",))
    assert sample.pressures == {"cpu some": 2.5}
    assert sample.buses == {"rocep1s0f1": Bus(16.0, 4.0, 32.0, 4.0)}
    assert sample.nets == {"enP7s7": Counters(False, 10, 20, 0)}
    assert sample.gpus == (
        Gpu(
            "NVIDIA GB10", "GPU-1", 71, 48.2, 71, 2411, "580.95.05", "P0",
            clock_max_mhz=3003, held=("heat", "heat (hardware)"),
        ),
    )  # fmt: skip
    assert sample.gpu_processes == (
        GpuProcess(4711, "VLLM::Worker", 96636764160),
        GpuProcess(12, "python3", None),
    )
    assert sample.disk_free == 612_000_000_000


def test_two_samples_are_rates() -> None:
    first = parse_sample(json.dumps(LINE))
    later = {**LINE, "m": 102.0, "cpu": [100, 300], "rails": {"rocep1s0f1": [True, 6000, 8000, 3]}}
    second = parse_sample(json.dumps(later))
    assert first
    assert second
    now = reading(first, second)
    assert now.cpu == 50.0
    assert (now.rails["rocep1s0f1"].rx_per_s, now.rails["rocep1s0f1"].errors) == (1000.0, 2)
    assert now.uptime_s == 1036800.5


@pytest.mark.parametrize("key", [k for k in LINE if k not in ("t", "m")])
@pytest.mark.parametrize("value", [None, "x", True, -1, [], [None], [[]], {}, {"a": 1}, {"a": []}, 1e999])
def test_a_senseless_value_is_unknown_and_the_rest_stands(key: str, value: object) -> None:
    sample = parse_sample(json.dumps({**LINE, key: value}))
    assert sample is not None
    assert sample.mono_s == 100.0
    if key != "load":
        assert sample.load == 0.52


@pytest.mark.parametrize(
    "line", ["", "{", "null", "[]", "12", '"x"', "{}", '{"t": 1}', '{"t": "1", "m": "2"}', '{"t": NaN}',
             '{"t": NaN, "m": 1}', "[" * 100_000, "python3: not found", "\x00\x1b[31m",
             '{"t": true, "m": true}']
)  # fmt: skip
def test_any_other_line_is_none(line: str) -> None:
    assert parse_sample(line) is None


def test_only_the_clocks_are_needed() -> None:
    sample = parse_sample('{"t": 1.0, "m": 2.0}')
    assert sample is not None
    assert (sample.memory, sample.rails, sample.gpus, sample.load) == (None, {}, (), None)


def test_what_a_node_invents_is_bounded() -> None:
    """It may say what it likes: other names each second, or a name of a megabyte."""
    rails = {f"rail{n}" + "x" * 5000: [True, 1, 2, 3] for n in range(500)}
    counts = {name: {f"c{n}": n for n in range(500)} for name in rails}
    many = {
        "rails": rails,
        "counts": counts,
        "kernel": ["k" * 5000] * 500,
        "procs": [[n, "p"] for n in range(500)],
    }
    sample = parse_sample(json.dumps({**LINE, **many, "gpus": [{"name": "g" * 5000}] * 500}))
    assert sample is not None
    assert (len(sample.rails), len(sample.gpus), len(sample.gpu_processes)) == (MOST_NAMES,) * 3
    assert max(map(len, (*sample.rails, *(sample.kernel or ()), sample.gpus[0].name))) == MOST_TEXT
    assert all(len(flow.counts) <= MOST_NAMES for flow in sample.rails.values())
