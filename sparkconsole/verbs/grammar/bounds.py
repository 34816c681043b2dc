"""The one place that says which numbers an option takes: asked before anything is asked of a cluster."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sparkconsole.config.reading import sentence
from sparkconsole.errors import WrongUsage
from sparkconsole.model.image_reference import image_tag
from sparkconsole.verbs.grammar.registry import Request, load
from sparkconsole.verbs.grammar.wrong_words import flags_of, see_help

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Bound:
    """The numbers that an option takes."""

    least: float
    most: float = math.inf
    above: bool = False
    """The least itself is not one of them."""

    def takes(self, value: float) -> bool:
        """It is one of them; what is no number never is."""
        enough = self.least < value if self.above else self.least <= value
        return enough and (value <= (LARGEST if self.most == math.inf else self.most) or value == self.most)

    @property
    def words(self) -> str:
        """`1 to 65535`, `1 or more`, `more than 0`, `more than 0 and at most 1`."""
        most = "" if self.most == math.inf else _number(self.most)
        if self.above:
            return f"more than {_number(self.least)}" + (f" and at most {most}" if most else "")
        return f"{_number(self.least)} to {most}" if most else f"{_number(self.least)} or more"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


LARGEST = 2**31 - 1
"""Nobody counts or waits further, and no clock or list here does."""
MOST_GIB = 1024
"""No machine here has more memory."""
COUNT, PORT, WAIT, ANY = Bound(1), Bound(1, 65535), Bound(0, above=True), Bound(0)
BOUNDS: Mapping[str, Bound] = MappingProxyType({
    **dict.fromkeys(("port", "ssh_port", "ray_port", "dashboard_port", "master_port"), PORT),
    **dict.fromkeys(("tp", "pp", "dp", "max_model_len", "max_num_seqs", "concurrency"), COUNT),
    **dict.fromkeys(("max_num_batched_tokens", "build_jobs", "misses", "count", "last"), COUNT),
    **dict.fromkeys(("num_prompts", "max_concurrency", "input_len", "output_len"), COUNT),
    **dict.fromkeys(("tail", "limit", "keep", "restarts", "speculative_tokens", "least_free"), ANY),
    **dict.fromkeys(("ray_num_cpus", "ray_num_gpus"), ANY),
    **dict.fromkeys(("timeout", "every", "within", "grace", "request_rate"), WAIT),
    "gpu_memory_utilization": Bound(0, 1, above=True), "guard_at": Bound(0, MOST_GIB, above=True),
    "seed": Bound(0, 2**32 - 1), "streams": Bound(1, 16),
})  # fmt: skip
"""By parameter, whatever the verb: one word means one thing."""
ELSEWHERE: Mapping[tuple[tuple[str, ...], str], Bound] = MappingProxyType({(("wait-for",), "timeout"): ANY})
"""By verb and parameter: to wait no time at all is to look once."""
_FLAG_OF = MappingProxyType({
    "image": "--tag", "container": "--name", "volumes": "--volume", "build_args": "--build-arg",
    "tensor_parallel": "--tp", "pipeline_parallel": "--pp", "data_parallel": "--dp",
})  # fmt: skip
"""What fields of a spec are called where they are said, if not by their own name."""


def bound_of(words: tuple[str, ...], name: str) -> Bound | None:
    """The numbers that this verb's parameter takes; None: all of them."""
    return ELSEWHERE.get((words, name)) or BOUNDS.get(name)


def require_bounds(request: Request) -> None:
    """WrongUsage for the first number of the request that its option does not take, and for an empty word."""
    words = request.verb.words
    bound = inspect.signature(request.verb.function).bind(None, *request.args, **request.kwargs).arguments
    for name, value in _numbers(bound):
        takes = bound_of(words, name)
        if takes is not None and not takes.takes(value):
            given = f"{value:g}" if isinstance(value, float) else value
            range_ = f"at most {LARGEST}" if takes.least < value and takes.most == math.inf else takes.words
            raise WrongUsage(f"{_flag(words, name)} takes {range_}, not {given}", hint=see_help(words))
    for name, parameter in inspect.signature(request.verb.function).parameters.items():
        if bound.get(name) == "" and parameter.default is inspect.Parameter.empty:
            raise WrongUsage(f"{_flag(words, name)} must not be empty", hint=see_help(words))


def _numbers(given: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers among what was said, also those of flags that several verbs share."""
    for name, value in given.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _numbers({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})


def checked_spec(model: type[M], words: Sequence[str], data: Mapping[str, Any]) -> M:
    """`data` as the spec that the verb is about; WrongUsage about the first value that cannot be."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise wrong_value(error, words) from error


def wrong_value(error: ValidationError, words: Sequence[str]) -> WrongUsage:
    """The first value that cannot be, by its option, in our words."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    where = "behind --" if name == "extra" else _flag(tuple(words), name)
    if first["type"] == "value_error":
        cause = f"{where}: {first['ctx']['error']}"
    else:
        cause = f"{where} {sentence(first)}"
    return WrongUsage(cause, hint=see_help(words))


def image_name(tag: str) -> str:
    """`tag` when it can be an image's name; WrongUsage otherwise."""
    try:
        return image_tag(tag)
    except ValueError as error:
        raise WrongUsage(str(error), hint="see the names: sparkconsole image list") from error


def _flag(words: tuple[str, ...], name: str) -> str:
    """The option as it is typed; a word without one by its name in help."""
    flag = _FLAG_OF.get(name, f"--{name.strip('_').replace('_', '-')}")
    parameter = inspect.signature(load(words[0])[words].function).parameters.get(name)
    stands_alone = parameter is not None and parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    return flag if flag in flags_of(words) and not stands_alone else name.strip("_").upper()
