"""Whole outputs in the tools' shape, written for these tests: a clone alone reads the same ground.

What others published is read beside them where it lies beside the checkout.
"""

from __future__ import annotations

import json
from functools import reduce

import pytest

from sparkconsole.model.logs.diagnosis import Weight
from sparkconsole.model.ray import gpu_count, living
from sparkconsole.model.serve.spec import ServeProgress, StartPhase, advance
from sparkconsole.parse.diagnose.explain import explain
from sparkconsole.parse.fabric.rdma import parse_ibdev2netdev
from sparkconsole.parse.fabric.tools import parse_ib_write_bw
from sparkconsole.parse.serve.ray import parse_nodes, why_ended
from sparkconsole.parse.serve.vllm_bench import parse_report, parse_result
from sparkconsole.parse.serve.vllm_serve import first_cause, read_line

BANDWIDTH = """
---------------------------------------------------------------------------------------
                    RDMA_Write BW Test
 Dual-port       : OFF\t\tDevice         : rocep1s0f1
 Mtu             : 4096[B]
---------------------------------------------------------------------------------------
 #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
 65536      5000             {peak}              {average}              0.20
---------------------------------------------------------------------------------------
"""
SERVE = (
    "(APIServer pid=7) INFO 11-23 07:39:01 [api_server.py:1] vLLM API server version 0.19.0",
    "(EngineCore pid=9) INFO 11-23 07:39:08 [core.py:1] Initializing a V1 LLM engine with config: x",
    "(EngineCore pid=9) INFO 11-23 07:39:30 [default_loader.py:1] Loading weights took 9.10 seconds",
    "(EngineCore pid=9) INFO 11-23 07:39:31 [runner.py:1] Model loading took 1.12 GiB and 10.2 seconds",
)
READY = "(APIServer pid=7) INFO:     Application startup complete."


@pytest.mark.parametrize("average", [92.5, 108.31, 196.02])
def test_the_average_bandwidth_and_not_the_peak(average: float) -> None:
    assert parse_ib_write_bw(BANDWIDTH.format(peak="197.66", average=average)) == average


def test_of_two_tables_the_last_counts_and_without_one_there_is_none() -> None:
    both = BANDWIDTH.format(peak="1.00", average="90.00") + BANDWIDTH.format(peak="1.00", average="91.00")
    assert parse_ib_write_bw(both) == 91.0
    assert parse_ib_write_bw("Couldn't connect to 10.0.0.2:18515\n") is None


@pytest.mark.parametrize("up", ["enp1s0f0np0", "enp1s0f1np1"])
def test_twins_of_a_port_are_up_together(up: str) -> None:
    twin = up.replace("enp1", "enP2p1")
    names = ("enp1s0f0np0", "enp1s0f1np1", "enP2p1s0f0np0", "enP2p1s0f1np1")
    lines = [f"roce{n[2:-3]} port 1 ==> {n} ({'Up' if n in (up, twin) else 'Down'})" for n in names]
    hcas, unparsed = parse_ibdev2netdev("\n".join(lines) + "\n")
    assert ({h.netdev for h in hcas if h.up}, unparsed) == ({up, twin}, ())


def test_a_start_that_became_ready_and_one_that_did_not() -> None:
    assert reduce(advance, map(read_line, (*SERVE, READY)), ServeProgress()).phase is StartPhase.SERVER
    assert first_cause((*SERVE, READY)) is None
    died = "(EngineCore pid=9) ERROR 11-23 07:39:40 [core.py:1] torch.OutOfMemoryError: CUDA out of memory."
    found = first_cause(
        (*SERVE, died, "RuntimeError: Engine core initialization failed. See root cause above.")
    )
    assert found is not None
    assert found.line == len(SERVE) + 1
    assert found.remedy


def test_the_cause_of_a_broken_start_stands_before_what_followed_from_it() -> None:
    oom = "(EngineCore pid=9) ERROR 11-23 07:39:40 [core.py:1] torch.OutOfMemoryError: CUDA out of memory."
    last = "RuntimeError: Engine core initialization failed. See root cause above."
    first = explain([f"{line}\n" for line in (*SERVE, oom, last)])[0]
    assert first.severity is not Weight.INFO
    assert first.number == len(SERVE) + 1


def test_a_container_of_another_ray_says_both_versions() -> None:
    said = [
        "Traceback (most recent call last):",
        "RuntimeError: Version mismatch: The cluster was started with:",
        "    Ray: 2.55.1",
        "    Python: 3.12.3",
        "This process on node 10.0.0.2 was started with:",
        "    Ray: 2.54.0",
        "    Python: 3.12.3",
    ]
    cause = why_ended(said, 1).cause
    assert "2.55.1" in cause
    assert "2.54.0" in cause


def test_a_dead_member_is_no_gpu() -> None:
    def member(address: str, *, head: bool, alive: bool) -> dict[str, object]:
        return {
            "node_id": address, "node_ip": address, "is_head_node": head, "node_name": address,
            "state": "ALIVE" if alive else "DEAD", "state_message": None if alive else "Terminated",
            "resources_total": {"GPU": 1.0, "CPU": 20.0}, "labels": {},
        }  # fmt: skip

    members = [member("10.0.0.1", head=True, alive=True), member("10.0.0.2", head=False, alive=False)]
    found = parse_nodes({"result": True, "msg": "", "data": {"result": {"result": members, "total": 2}}})
    assert (len(found), len(living(found)), gpu_count(found)) == (2, 1, 1)


def test_text_and_json_of_one_benchmark_say_the_same() -> None:
    report = (
        "============ Serving Benchmark Result ============",
        "Successful requests:                     18        ",
        "Failed requests:                         2         ",
        "Benchmark duration (s):                  6.40      ",
        "Total input tokens:                      900       ",
        "Total generated tokens:                  640       ",
        "Request throughput (req/s):              2.81      ",
        "Output token throughput (tok/s):         100.00    ",
        "---------------Time to First Token----------------",
        "Mean TTFT (ms):                          31.25     ",
    )
    raw = json.loads(
        '{"completed": 18, "failed": 2, "duration": 6.4, "total_input_tokens": 900,'
        ' "total_output_tokens": 640, "request_throughput": 2.8125,'
        ' "output_throughput": 100.0, "mean_ttft_ms": 31.25}'
    )
    shown, kept = parse_report(report), parse_result(raw)
    assert shown is not None
    assert kept is not None
    assert (shown.completed, shown.failed) == (kept.completed, kept.failed) == (18, 2)
    assert (shown.input_tokens, shown.output_tokens) == (kept.input_tokens, kept.output_tokens) == (900, 640)
    assert shown.latencies["mean_ttft"] == kept.latencies["mean_ttft"] == 31.25
