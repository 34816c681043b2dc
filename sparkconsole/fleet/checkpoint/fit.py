"""Asks every node for the model's headers and its memory, and judges every way of sharing the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.model.checkpoint.fit import Ask, Fit, best, judge, splits
from sparkconsole.model.checkpoint.shape import ModelShape
from sparkconsole.model.checkpoint.weights import Checkpoint, Split
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.memory_left import freed
from sparkconsole.parse.checkpoint.config import model_shape
from sparkconsole.remote.checkpoint.files import checkpoint
from sparkconsole.remote.serve.processes import live_ranks


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
    servers: tuple[LiveRank, ...] = ()
    """What is served right now, and so holds memory."""

    @property
    def own(self) -> tuple[LiveRank, ...]:
        """Those of them that serve this very model: judged as if they had ended."""
        return tuple(r for r in self.servers if self.model in (r.model, r.name))

    @property
    def chosen(self) -> Fit:
        """The way that is advised."""
        return best(self.fits)

    @property
    def ask_words(self) -> str:
        """What `serve` has to hand on to vLLM so that the verdict holds."""
        data, ask, default = self.chosen.split.data, self.ask, Ask()
        reasons = (
            (data > 1, f"--data-parallel-size {data}"),
            (ask.cache_type != default.cache_type, f"--kv-cache-dtype {ask.cache_type}"),
            (ask.batched != default.batched, f"--max-num-batched-tokens {ask.batched}"),
            (ask.eager, "--enforce-eager"),
            (ask.text_only, "--language-model-only"),
        )
        words = [text for true, text in reasons if true]
        return f" -- {' '.join(words)}" if words else ""


async def fit_model(fleet: Fleet, model: str, split: Split | None, ask: Ask, container: str = "") -> Fitting:
    """SparkError when no node has the model, or nothing can be told of its kind.

    With a container, what is served in it is looked at too: a server of this model holds the memory that a
    new start of it would get.
    """
    nodes = None if container else ()
    asked, ranks = await together(
        fleet.ask(lambda shell: checkpoint(shell, model)),
        fleet.ask(lambda shell: live_ranks(shell, container), nodes),
    )
    servers = tuple(chain.from_iterable(answered(ranks).values()))
    return fitting_of(model, split, ask, answered(asked), failed(asked), servers)


def fitting_of(
    model: str,
    split: Split | None,
    ask: Ask,
    found: Mapping[str, Checkpoint],
    unknown: Mapping[str, SparkError],
    servers: tuple[LiveRank, ...] = (),
) -> Fitting:
    """The judgement of what the nodes said; SparkError as `fit_model` raises it."""
    node = _teller(found, model, unknown)
    read = found[node]
    shape = model_shape(read.config)
    own = (rank for rank in servers if model in (rank.model, rank.name))
    memory = freed({name: c.memory for name, c in found.items() if c.memory is not None}, own)
    ways = (split,) if split else splits(len(memory), shape)
    fits = tuple(judge(read, shape, way, ask, memory) for way in ways)
    lacking = tuple(name for name, c in found.items() if not c.there)
    broken = {name: why for name, c in found.items() if (why := _why(c))}
    return Fitting(model, ask, node, read, shape, fits, lacking, broken, unknown, servers)


def _why(read: Checkpoint) -> str:
    files = [f"{file.name} ({file.problem})" for file in read.broken]
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(files[:3]) + more


def _teller(found: Mapping[str, Checkpoint], model: str, errors: Mapping[str, SparkError]) -> str:
    """The node that has most of the model."""
    there = {name: c for name, c in found.items() if c.there and c.config}
    if not there:
        raise _nowhere(model, found, errors) if found else next(iter(errors.values()))
    return min(there, key=lambda name: (len(there[name].broken), not there[name].files))


def _nowhere(model: str, found: Mapping[str, Checkpoint], errors: Mapping[str, SparkError]) -> SparkError:
    """Where a node could not be asked, that one may have it."""
    if errors:
        node, error = next(iter(errors.items()))
        kind = Unreachable if isinstance(error, Unreachable) else SparkError
        text = f"{model} is not on {', '.join(found)}; whether {node} has it is unknown: {error.cause}"
        return kind(text, hint=error.hint, node=node)
    download = f"sparkconsole model download {model}"
    if any(c.there for c in found.values()):
        return SparkError(f"{model} has no config.json in the nodes' caches", hint=download)
    return SparkError(
        f"no node has {model}: its files are read where they are, nothing is downloaded",
        hint=f"{download}, or see what is there: sparkconsole model list",
    )
