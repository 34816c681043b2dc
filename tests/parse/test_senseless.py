"""What a tool prints where nobody would expect it is unknown, or refused by name: nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.bench import RESULT_MARK
from sparkconsole.model.transfer.outcome import ByteProgress
from sparkconsole.parse.checkpoint.config import layer_kinds, model_shape
from sparkconsole.parse.checkpoint.files import MoveLog, parse_checkpoint, parse_holding, parse_models
from sparkconsole.parse.diagnose.log_frame import framed
from sparkconsole.parse.fabric.ip_addr import parse_ip_addr
from sparkconsole.parse.fabric.tools import parse_iperf3, parse_ping
from sparkconsole.parse.image.buildkit import BuildLog, size_bytes
from sparkconsole.parse.image.copy_log import CopyLog, byte_progress, stage_ends
from sparkconsole.parse.image.docker import container_from, image_from, names_from, usage_from
from sparkconsole.parse.machine.scan import parse_answering, parse_interfaces
from sparkconsole.parse.machine.site import parse_site
from sparkconsole.parse.serve.ray import parse_nodes
from sparkconsole.parse.serve.vllm_bench import parse_output, parse_report, parse_result
from sparkconsole.parse.serve.vllm_metrics import parse_metrics
from sparkconsole.parse.serve.vllm_serve import parse_ranks

LONG = "9" * 5_000
"""More digits than Python reads as a number."""
DEEP = "[" * 100_000
SENSELESS: tuple[Any, ...] = (
    None, True, -1, 1.5, 1e308, 10**400, float("inf"), float("nan"), "x", [], {}, [None],
)  # fmt: skip


def refusal(read: Callable[[Any], object], value: Any) -> str:
    """Why it is refused; empty: it is taken. Nothing else may happen."""
    try:
        read(value)
    except SparkError as error:
        return error.cause
    return ""


@pytest.mark.parametrize("digits", [LONG, "²"])
def test_digits_that_are_no_number_count_nothing(digits: str) -> None:
    log = BuildLog()
    for line in (f"#5 [2/{digits}] RUN x", f"#6 [a {digits}/3] RUN y", f"Step {digits}/4 : FROM x"):
        log.feed(line)
    log.feed("#7 [1/2] RUN ninja")
    log.feed(f"#7 0.1 [{digits}/9]")
    assert log.counts() == (0, 2)
    assert byte_progress(f"{digits} bytes copied, 1 s, 1 B/s") is None
    assert stage_ends(f"copy ended: save={digits} stream=0 load=0") == {"save": None, "stream": 0, "load": 0}
    assert usage_from({}, digits).free_bytes is None
    assert parse_ranks(f"job {digits} a.pid\nprocess {digits} vllm\x1fserve\x1fm", "a") == ()
    site = parse_site(f"pid {digits}\navailable {digits}\nlisten {digits}\n\ndocker 0\n[]", "a", "x")
    assert (site.available_bytes, site.listening) == (0, frozenset())
    assert framed(f"x [repeated {digits}x across cluster]").times == 1


@pytest.mark.parametrize("number", [".", "1.2.3", "1..", ".."])
def test_points_that_make_no_number_say_nothing(number: str) -> None:
    assert byte_progress(f"10 bytes copied, {number} s, 1 B/s") is None
    assert size_bytes(f"{number}MB") is None
    assert parse_report([f"Successful requests:   {number}"]) is None
    rtt = f"1 packets transmitted, 1 received\nrtt min/avg/max/mdev = 1/{number}/1/1 ms"
    assert parse_ping(rtt).rtt_ms is None
    log = BuildLog()
    log.feed("#5 [1/1] RUN x")
    step = log.feed(f"#5 DONE {number}s")
    assert step is not None
    assert step.seconds is None


@pytest.mark.parametrize("status", ["--5", "-", "1-", LONG])
def test_a_status_that_is_no_number_is_unknown(status: str) -> None:
    ends = stage_ends(f"copy ended: save=0 stream={status} load=-1")
    assert ends == {"save": 0, "stream": None, "load": -1}


def test_sizes_beyond_all_disks_are_none() -> None:
    assert size_bytes("9" * 400 + "B") is None
    assert size_bytes("12.58MB") == 12_580_000


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_docker_may_say_anything(value: Any) -> None:
    found = container_from({"State": value, "Config": value, "Name": "/a"})
    assert (found.name, found.exit_code, found.labels) == ("a", None, {})
    inner = container_from({"Config": {"Env": value, "Labels": value}, "State": {"ExitCode": "x"}})
    assert (inner.environment, inner.exit_code) == ({}, None)
    image = image_from({"Id": "i", "Config": value, "RootFS": value, "RepoTags": value})
    assert (image.id, image.layers, image.tag) == ("i", (), "")
    assert image_from({"RootFS": {"Layers": value}, "Size": value}).layers == ()
    assert names_from({"RepoTags": value, "RepoDigests": value}) == ("",)
    usage = usage_from({"ImageUsage": value, "BuildCacheUsage": value, "BuildCache": [value]})
    assert usage.images_bytes == 0


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_a_log_of_progress_may_say_anything(value: Any) -> None:
    move, copy = MoveLog(), CopyLog()
    for key in ("done", "total", "seconds", "failed", "sent", "layer", "size", "of", "end", "error"):
        line = json.dumps({"done": 5, "seconds": 1, "total": 9, "sent": 5, "layer": 1, "of": 2, key: value})
        move.feed(line)
        copy.feed(line)
        assert isinstance(move.why, str)
        assert isinstance(copy.cause(), str)
        assert copy.layer is None or copy.layer.words
    assert isinstance(move.measured[0], int)
    assert isinstance(copy.measured[0], int)


def test_progress_that_is_none_leaves_the_last() -> None:
    log = MoveLog()
    assert log.feed('{"done": 5, "seconds": 1, "total": 9}') == ByteProgress(5, 1.0, 9)
    assert log.feed('{"done": [null], "seconds": 2}') is None
    assert log.measured == (5, 1.0)


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
@pytest.mark.parametrize(
    "key",
    ["num_hidden_layers", "num_attention_heads", "head_dim", "rope_scaling", "kv_lora_rank", "block_configs",
     "num_nextn_predict_layers", "quantization_config", "architectures", "attn_layer_period", "layer_types",
     "full_attention_interval", "linear_attn_config", "mamba_num_heads", "num_kv_shared_layers"],
)  # fmt: skip
def test_a_configuration_is_understood_or_refused(key: str, value: Any) -> None:
    config = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 8, key: value}
    for read in (model_shape, layer_kinds):
        why = refusal(read, config)
        assert not why or "its config.json" in why or "layers" in why


@pytest.mark.parametrize("count", [10**12, -1])
@pytest.mark.parametrize("key", ["num_hidden_layers", "n_layer", "mtp_num_hidden_layers"])
def test_no_model_has_so_many_layers(key: str, count: int) -> None:
    config = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 8, key: count}
    with pytest.raises(SparkError, match=f"{key} {count}"):
        model_shape(config)


def test_a_key_that_a_state_wants_is_named() -> None:
    with pytest.raises(SparkError, match="does not say n_groups"):
        model_shape(
            {"hybrid_override_pattern": "M", "mamba_num_heads": 2, "mamba_head_dim": 4, "ssm_state_size": 8,
             "hidden_size": 8}
        )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", "[7]", '[{"Name": "/x"}]', '[{"Name": "/x", "State": 1}]', DEEP],
    ids=("empty", "half", "number", "list", "no state", "state of another kind", "deep"),
)
def test_an_answer_of_docker_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SparkError, match="cannot be read") as caught:
        parse_site(f"home /root\n\ndocker 0\n{text}", "a", "x")
    assert caught.value.node == "a"


@pytest.mark.parametrize("read", [parse_holding, parse_models, parse_checkpoint])
@pytest.mark.parametrize("text", ["7", "[7]", DEEP, '{"model": 1}', '{"files": 1, "index_bytes": 1e999}'])
def test_what_a_program_of_ours_did_not_print_is_refused(read: Any, text: str) -> None:
    assert not (why := refusal(read, text)) or "could not be understood" in why


def test_addresses_that_are_none_are_passed_over() -> None:
    text = "1: a inet 999.9.9.9/24 x\n2: b inet 192.0.2.1/24 x\n3: c inet 192.0.2.2/99 x\n"
    assert [str(i) for i in parse_interfaces(text)] == ["192.0.2.1/24"]
    assert parse_answering(f'{DEEP}\n[1]\n{{"address": "192.0.2.1"}}') != ()
    (one,) = parse_ip_addr('[{"ifname": "a", "addr_info": 7, "flags": null}]')
    assert (one.name, one.addresses) == ("a", ())


def test_figures_beyond_all_numbers_are_unknown() -> None:
    huge = "vllm:num_requests_running 1e308\nvllm:num_requests_running 1e308"
    assert parse_metrics(huge).running is None
    assert parse_iperf3('{"end": {"sum_received": {"bits_per_second": 1e999}}}') is None
    assert parse_result({"completed": False, "failed": 0}) is None
    assert parse_result({"completed": 10**400}) is None
    assert parse_output([f"{RESULT_MARK}[1]"]) == (None, {})
    row = {"node_id": "a", "node_ip": "b", "resources_total": {"GPU": "x"}}
    with pytest.raises(SparkError, match="a shape that is not known"):
        parse_nodes({"data": {"result": {"result": [row]}}})
