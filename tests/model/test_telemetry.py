"""Two samples become rates; counters that were reset and clocks that jumped give none, never a wrong one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sparkconsole.model.facts import Gpu, Memory
from sparkconsole.model.logs.kernel import death
from sparkconsole.model.telemetry import Bus, Counters, History, Sample, as_data, is_stuck, reading

RAIL = "rocep1s0f1"


def at(mono_s: float, *counted: int | None, clock_s: float = 0.0, **counts: int) -> Sample:
    rx, tx, errors = (*counted, None, None, None)[:3]
    return Sample(clock_s, mono_s=mono_s, rails={RAIL: Counters(True, rx, tx, errors, counts)})


def test_bytes_a_second_over_the_monotonic_clock_whatever_the_wall_clock_does() -> None:
    now = reading(at(10.0, 0, 0, clock_s=5e9), at(12.0, 50, 100, clock_s=1.0))
    assert (now.rails[RAIL].rx_per_s, now.rails[RAIL].tx_per_s) == (25.0, 50.0)


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (at(1.0, 900), at(2.0, 3), "the driver was loaded anew"),
        (at(5.0, 1), at(5.0, 9), "no time has passed"),
        (at(900.0, 1), at(3.0, 9), "the node was started anew"),
        (at(1.0, None), at(2.0, 9), "nobody said before"),
        (at(1.0, 1), at(2.0, None), "nobody says now"),
        (at(1.0, 1), at(2.0, 2**62), "nothing is as fast as that"),
    ],
)
def test_no_rate_is_better_than_a_wrong_one(before: Sample, now: Sample, why: str) -> None:
    assert reading(before, now).rails[RAIL].rx_per_s is None, why


def test_a_rail_that_is_new_has_no_rate_and_one_that_is_gone_is_not_there() -> None:
    empty = Sample(0.0, mono_s=1.0)
    assert reading(empty, at(2.0, 7)).rails[RAIL].rx_per_s is None
    assert reading(at(1.0, 7), Sample(0.0, mono_s=2.0)).rails == {}


def test_counters_by_name_are_what_is_new() -> None:
    before = at(1.0, 0, 0, 3, np_cnp_sent=5, link_downed=3, out_of_sequence=9)
    flow = reading(before, at(2.0, 0, 0, 4, np_cnp_sent=12, link_downed=4, out_of_sequence=9, odd=1)).rails[
        RAIL
    ]
    assert flow.counts == {"np_cnp_sent": 7, "link_downed": 1}
    assert (flow.errors, flow.marks, flow.losses) == (1, 7, 0)


def test_counters_that_went_back_are_no_new_errors() -> None:
    flow = reading(at(1.0, 0, 0, 30, out_of_sequence=900), at(2.0, 0, 0, 1, out_of_sequence=4)).rails[RAIL]
    assert (flow.errors, flow.counts, flow.losses) == (0, {}, 0)


def test_ticks_that_went_back_are_no_share() -> None:
    before = Sample(0.0, mono_s=1.0, cpu_busy=100, cpu_total=1000)
    assert reading(before, replace(before, mono_s=2.0, cpu_busy=99, cpu_total=1100)).cpu is None
    assert reading(before, replace(before, mono_s=2.0, cpu_busy=150, cpu_total=1100)).cpu == 50.0


def test_killed_processes_are_the_new_ones_and_unknown_without_a_sample_before() -> None:
    one = Sample(0.0, mono_s=1.0, oom_kills=4)
    assert reading(None, one).oom_kills is None
    assert reading(one, replace(one, mono_s=2.0, oom_kills=6)).oom_kills == 2
    assert reading(one, replace(one, mono_s=2.0, oom_kills=0)).oom_kills == 0


def test_a_link_on_the_bus_is_measured_by_what_card_and_slot_can_do() -> None:
    assert not Bus(32, 4, 32, 4).narrow
    assert Bus(32, 1, 32, 4).narrow
    assert Bus(8, 4, 32, 4).narrow
    assert str(Bus(32.0, 4.0, 32, 4)) == "32 GT/s x4"


@pytest.mark.parametrize(
    ("gpu", "stuck"),
    [
        (Gpu("GB10", utilisation=96, clock_mhz=800, power_w=20, held=()), True),
        (Gpu("GB10", utilisation=96, clock_mhz=800, power_w=20, held=("heat",)), False),
        (Gpu("GB10", utilisation=96, clock_mhz=2411, power_w=48), False),
        (Gpu("GB10", utilisation=3, clock_mhz=208, power_w=4), False),
        (Gpu("GB10", utilisation=96, clock_mhz=None, power_w=20), False),
    ],
)
def test_a_gpu_stuck_at_low_power(gpu: Gpu, stuck: bool) -> None:
    assert is_stuck(gpu) is stuck


def test_a_reading_is_data_for_files() -> None:
    now = replace(reading(at(1.0, 0, 0), at(2.0, 8, 8, np_cnp_sent=1)), memory=Memory(100, 40), cached=7)
    data = json.loads(json.dumps(as_data(now)))
    assert data["rails"][RAIL]["rx_per_s"] == 8.0
    assert (data["memory"]["used"], data["memory"]["cached"], data["kernel"]) == (60, 7, None)


def test_a_gap_in_a_history_is_none() -> None:
    history = History()
    for now in (reading(None, at(1.0, 0)), reading(at(1.0, 0), at(2.0, 6)), reading(at(2.0, 6), at(3.0, 1))):
        history.add(now)
    assert history.series("rdma_rx") == (None, 6.0, None)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("NVRM: Xid (PCI:000f:01:00): 79, GPU has fallen off the bus.", "gpu lost"),
        ("NVRM: Xid (PCI:000f:01:00): 13, Graphics Exception", "xid"),
        ("NVRM: nvCheckOkFailedNoLog: Check failed: Out of memory [NV_ERR_NO_MEMORY]", "gpu memory"),
        ("VLLM::Worker_TP invoked oom-killer: gfp_mask=0x102cc2(GFP_HIGHUSER)", "oom"),
        ("Memory cgroup out of memory: Killed process 4242 (ray::x)", "oom"),
        ("pcieport 0002:00:00.0: AER: Uncorrected (Fatal) error received", "aer"),
        ("pcieport 0002:00:00.0: [14] CmpltTO (First)", "pcie timeout"),
        ("mlx5_core 0000:01:00.1: device's health compromised - reached miss count", "nic"),
        ("INFO: task VLLM::Worker:4242 blocked for more than 120 seconds.", "hung"),
        ("NVRM: loading NVIDIA UNIX Open Kernel Module for aarch64  580.95.05", None),
        ("mlx5_core 0000:01:00.1 enp1s0f1np1: Link down", None),
        ("mlx5_core 0000:01:00.0: firmware version: 28.45.4028", None),
        ("pcieport 0002:00:00.0: AER: enabled with IRQ 40", None),
        ("pcieport 0002:00:00.0: AER: Corrected error received", None),
        ("Bluetooth: hci0: room temperature", None),
    ],
)
def test_what_the_kernel_says_of_a_death(line: str, found: str | None) -> None:
    said = death(line)
    assert (said.id if said else None) == found
