"""Each change of a node is told once, however often and however badly it changes."""

from __future__ import annotations

from sparkconsole.fleet.watch.events import MOST_CHANGES, MOST_TIMES, ChangeDetector, container_change
from sparkconsole.model.docker import Container
from sparkconsole.model.facts import Gpu, Memory
from sparkconsole.model.telemetry import Bus, LinkTraffic, Reading

GIB = 1 << 30


def fed(changes: ChangeDetector, at_s: float, now: Reading, **netdevs: str) -> list[str]:
    return [text for _, text in changes.feed(now, at_s, netdevs)]


def links(**up: bool | None) -> Reading:
    return Reading(0.0, rails={name: LinkTraffic(state) for name, state in up.items()})


def test_twins_that_go_together_are_one_event() -> None:
    changes = ChangeDetector()
    assert fed(changes, 0, links(rocep1s0f1=True, roceP2p1s0f1=True, rocep1s0f0=False)) == []
    down = links(rocep1s0f1=False, roceP2p1s0f1=False, rocep1s0f0=False)
    assert fed(changes, 1, down) == ["link down: rocep1s0f1, roceP2p1s0f1"]
    assert fed(changes, 2, down) == []


def test_a_link_that_flaps_is_told_at_once_then_counted() -> None:
    changes, told = ChangeDetector(), []
    for second in range(121):
        told += [(second, t) for t in fed(changes, second, links(rocep1s0f1=second % 2 == 0))]
    assert told[0] == (1, "link down: rocep1s0f1")
    assert told[1] == (6, "link rocep1s0f1 changed 5 times, it is up now")
    assert len(told) == 3


def test_an_unknown_state_is_no_change() -> None:
    changes = ChangeDetector()
    assert fed(changes, 0, links(rocep1s0f1=True)) == []
    assert fed(changes, 1, links(rocep1s0f1=None)) == []
    assert fed(changes, 2, links(rocep1s0f1=True)) == []


def test_the_interface_of_an_rdma_device_is_the_same_link() -> None:
    changes = ChangeDetector()
    for second, up in enumerate((True, False)):
        rails = {"mlx5_0": LinkTraffic(up)}
        nets = {"eth0": LinkTraffic(up), "enP7s7": LinkTraffic(up)}
        told = fed(changes, second, Reading(0.0, rails=rails, nets=nets), eth0="mlx5_0")
    assert told == ["link down: mlx5_0, enP7s7"]


def test_errors_are_told_now_and_then() -> None:
    changes = ChangeDetector()
    bad = Reading(0.0, rails={"rocep1s0f1": LinkTraffic(True, errors=3)})
    assert fed(changes, 0, bad) == ["rocep1s0f1: 3 new errors"]
    assert fed(changes, 1, bad) == []
    assert fed(changes, 700, bad) == ["rocep1s0f1: 3 new errors"]


def test_memory_that_runs_out_is_told_until_there_is_room_again() -> None:
    changes = ChangeDetector()
    left = (50, 5, 6, 5, 3, 6, 40, 2)
    told = [fed(changes, n * 60, Reading(0.0, memory=Memory(100 * GIB, s * GIB))) for n, s in enumerate(left)]
    assert [len(t) for t in told] == [0, 1, 0, 0, 1, 0, 1, 1]
    assert "nearly full" in told[1][0]
    assert "below the freeze line" in told[4][0]


def test_a_gpu_is_news_only_when_it_changes() -> None:
    changes, gpu = ChangeDetector(), (Gpu("GB10"),)
    assert fed(changes, 0, Reading(0.0)) == []
    assert fed(changes, 1, Reading(0.0, gpus=gpu)) == []
    assert fed(changes, 2, Reading(0.0, gpu_error="it is lost")) == ["GPU: it is lost"]
    assert fed(changes, 3, Reading(0.0, gpu_error="it is lost")) == []
    assert fed(changes, 4, Reading(0.0, gpus=gpu)) == ["the GPU answers again"]
    assert fed(ChangeDetector(), 0, Reading(0.0, gpu_error="nvidia-smi is not there")) == []


def test_a_death_in_the_kernel_s_log_is_told_once_a_while() -> None:
    changes = ChangeDetector()
    xid = Reading(0.0, kernel=("usb 1-1: new device", "NVRM: Xid (PCI:000f:01:00): 13"))
    assert changes.feed(xid, 0, {}) == (
        ("error", "kernel: the GPU reported an error: NVRM: Xid (PCI:000f:01:00): 13"),
    )
    assert fed(changes, 1, xid) == []
    assert len(fed(changes, 61, xid)) == 1
    assert "out of memory" in fed(changes, 62, Reading(0.0, kernel=("oom-kill: constraint",)))[0]


def test_killed_processes_are_told_where_the_log_may_not_be_read() -> None:
    told = fed(ChangeDetector(), 0, Reading(0.0, oom_kills=2))
    assert told == ["out of memory: the kernel killed 2 processes"]
    assert fed(ChangeDetector(), 0, Reading(0.0, kernel=(), oom_kills=2)) == []


def test_a_card_that_went_away_is_told_by_name() -> None:
    changes = ChangeDetector()
    assert fed(changes, 0, links(rocep1s0f0=False, rocep1s0f1=True)) == []
    assert fed(changes, 1, links(rocep1s0f0=None, rocep1s0f1=None)) == []
    assert changes.feed(Reading(0.0), 2, {}) == (("warning", "no longer there: rocep1s0f0, rocep1s0f1"),)
    assert fed(changes, 3, Reading(0.0)) == []


def test_few_lanes_lost_packets_and_a_stuck_gpu() -> None:
    changes = ChangeDetector()
    narrow = Reading(0.0, buses={"rocep1s0f1": Bus(16, 4, 32, 4), "rocep1s0f0": Bus(32, 4, 32, 4)})
    assert fed(changes, 0, narrow) == ["rocep1s0f1 has PCIe 16 GT/s x4, not 32 GT/s x4"]
    assert fed(changes, 1, narrow) == []
    lossy = Reading(
        0.0, rails={"rocep1s0f1": LinkTraffic(True, counts={"out_of_sequence": 150, "np_cnp_sent": 9})}
    )
    told = fed(ChangeDetector(), 0, lossy)
    assert told == ["rocep1s0f1 loses packets: 150 in a second (out_of_sequence 150, np_cnp_sent 9)"]
    stuck = Reading(0.0, gpus=(Gpu("GB10", utilisation=96, clock_mhz=800, power_w=20, held=()),))
    told = [text for second in range(90) for text in fed(changes, second, stuck)]
    assert len(told) == 1
    assert "stuck" in told[0]


def test_containers_of_other_names_and_first_looks_are_no_news() -> None:
    other = Container("db", "1", "postgres", "sha256:1", "running")
    ours = Container("vllm_node", "2", "vllm-node", "sha256:2", "running", started_at="10:00")
    again = Container("vllm_node", "2", "vllm-node", "sha256:2", "running", started_at="10:05")
    assert container_change("vllm_node", None, (ours,)) is None
    assert container_change("vllm_node", (), (other,)) is None
    assert container_change("vllm_node", (ours,), (ours, other)) is None
    assert container_change("vllm_node", (ours,), (again,)) == (
        "info",
        "container vllm_node was started again",
    )


def test_names_that_change_in_every_reading_are_bounded() -> None:
    """A node may call its devices otherwise each time: other nodes have news too, and our memory is small."""
    changes, told = ChangeDetector(), []
    for second in range(100):
        for up in (True, False):
            rails = {f"{second}-{n}": LinkTraffic(up, errors=1) for n in range(64)}
            told += fed(changes, second, Reading(0.0, rails=rails))
    assert sum("says too much" in text for text in told) == 1
    assert len(told) < MOST_CHANGES + 1 + 10
    assert len(changes._links) <= 64
    assert len(changes._next) <= MOST_TIMES
    assert fed(changes, 2000, links(rocep1s0f1=True))
    assert fed(changes, 2001, links(rocep1s0f1=False)) == ["link down: rocep1s0f1"]
