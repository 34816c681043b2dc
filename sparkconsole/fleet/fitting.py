"""Asks every node for the model's headers and its memory, and judges every way of sharing the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet, failed, told
from sparkconsole.model.fit import Ask, Fit, best, judge, splits
from sparkconsole.model.model_shape import ModelShape
from sparkconsole.model.weights import Checkpoint, Split
from sparkconsole.parse.model_config import model_shape
from sparkconsole.remote.model_headers import checkpoint


@dataclass(frozen=True, slots=True)
class Fitting:
    """What was read, from which node, and what follows from it."""

    model: str
    ask: Ask
    node: str
    """Whose files were read."""
    checkpoint: Checkpoint
    shape: ModelShape
    fits: tuple[Fit, ...]
    lacking: tuple[str, ...]
    """Nodes that have nothing of the model."""
    broken: Mapping[str, str]
    """Nodes whose files are not whole, and why."""
    unknown: Mapping[str, SparkError]

    @property
    def chosen(self) -> Fit:
        """The way that is advised."""
        return best(self.fits)

    @property
    def ask_words(self) -> str:
        """What `serve` has to hand on to vLLM so that the verdict holds."""
        data, ask, default = self.chosen.split.data, self.ask, Ask()
        said = (
            (data > 1, f"--data-parallel-size {data}"),
            (ask.cache_type != default.cache_type, f"--kv-cache-dtype {ask.cache_type}"),
            (ask.batched != default.batched, f"--max-num-batched-tokens {ask.batched}"),
            (ask.eager, "--enforce-eager"),
            (ask.text_only, "--language-model-only"),
        )
        words = [text for true, text in said if true]
        return f" -- {' '.join(words)}" if words else ""


async def fit_model(fleet: Fleet, model: str, split: Split | None, ask: Ask) -> Fitting:
    """SparkError when no node has the model, or nothing can be told of its kind."""
    asked = await fleet.ask(lambda shell: checkpoint(shell, model))
    found = told(asked)
    node = _teller(found, model, failed(asked))
    read = found[node]
    shape = model_shape(read.config)
    memory = {name: c.memory for name, c in found.items() if c.memory is not None}
    ways = (split,) if split else splits(len(memory), shape)
    return Fitting(
        model,
        ask,
        node,
        read,
        shape,
        tuple(judge(read, shape, way, ask, memory) for way in ways),
        lacking=tuple(name for name, c in found.items() if not c.there),
        broken={name: why for name, c in found.items() if (why := _why(c))},
        unknown=failed(asked),
    )


def _why(read: Checkpoint) -> str:
    files = [f"{file.name} ({file.problem})" for file in read.broken]
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(files[:3]) + more


def _teller(found: Mapping[str, Checkpoint], model: str, errors: Mapping[str, SparkError]) -> str:
    """The node that has most of the model."""
    there = {name: c for name, c in found.items() if c.there and c.config}
    if not there:
        raise _nowhere(model, found) if found else next(iter(errors.values()))
    return min(there, key=lambda name: (len(there[name].broken), not there[name].files))


def _nowhere(model: str, found: Mapping[str, Checkpoint]) -> SparkError:
    if any(c.there for c in found.values()):
        return SparkError(
            f"{model} has no config.json in the nodes' caches", hint=f"sparkconsole model download {model}"
        )
    return SparkError(
        f"no node has {model}: its files are read where they are, nothing is downloaded",
        hint=f"sparkconsole model download {model}, or see what is there: sparkconsole model list",
    )
