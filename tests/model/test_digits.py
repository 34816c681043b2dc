"""Signs that are called digits and are no number (`²`, `①`) are read as any other word."""

from __future__ import annotations

import pytest

from sparkconsole.model.checkpoint.shape import ModelShape
from sparkconsole.model.checkpoint.weights import TensorPart, Tensors, part_of
from sparkconsole.model.cluster import login_words
from sparkconsole.model.serve.engine import VLLM_PORT, LiveRank
from sparkconsole.parse.checkpoint.config import model_shape
from sparkconsole.remote.jobs import parse_state

ODD = ("²", "①", "8²")


@pytest.mark.parametrize("odd", ODD)
def test_a_process_of_somebody_has_any_words(odd: str) -> None:
    rank = LiveRank("a", 1, ("vllm", "serve", "m", "--port", odd, "--node-rank", odd))
    assert (rank.port, rank.rank) == (VLLM_PORT, 0)
    assert LiveRank("a", 1, ("vllm", "serve", "m", "--port", "8001")).port == 8001


@pytest.mark.parametrize("odd", ODD)
def test_a_port_is_a_number_or_part_of_the_name(odd: str) -> None:
    assert login_words(f"me@spark:{odd}") == ("me", f"spark:{odd}", None)
    assert login_words("me@spark:22") == ("me", "spark", 22)


@pytest.mark.parametrize("odd", [*ODD, "--5", "-", "5-"])
def test_a_status_that_is_no_number_is_unknown(odd: str) -> None:
    assert parse_state(f"ended {odd} 7").status is None
    assert parse_state("ended -5 7").status == -5
    assert parse_state(f"running - {odd}").log_bytes == 0


def test_a_layer_beyond_all_numbers_is_none(model: ModelShape) -> None:
    name = f"model.layers.{'9' * 5_000}.mlp.weight"
    assert part_of(Tensors(name, "BF16", 2), model) == (TensorPart.REST, -1)
    assert part_of(Tensors("model.layers.3.mlp.weight", "BF16", 2), model)[1] == 3


@pytest.mark.parametrize(
    ("name", "tower"),
    [
        ("vision_tower.blocks.0.weight", True),
        ("model.my_visual.merger.weight", True),
        ("model.mm_projector.weight", True),
        ("model.layers.0.vit", False),  # the last part is the tensor, not where it is
        ("model.layers.0.weight", False),
        ("a-vision.weight", False),
    ],
)
def test_a_tensor_of_a_tower_has_its_word_before_a_point(name: str, tower: bool, model: ModelShape) -> None:
    assert (part_of(Tensors(name, "BF16", 2), model)[0] is TensorPart.TOWER) == tower
    assert part_of(Tensors(f"model.{'vision' * 5_000}", "BF16", 2), model)[0] is TensorPart.REST


@pytest.fixture
def model() -> ModelShape:
    return model_shape({"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 8})
