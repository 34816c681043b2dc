"""A served model: what is asked for, the command of every rank, and how far a start has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sparkconsole.errors import WrongUsage
from sparkconsole.model.launch import Backend

SEED_PORT = 8888
MASTER_PORT = 29501
REACHED = ("0.0.0.0", "::", "127.0.0.1", "localhost")  # noqa: S104 - what a person may ask for
"""Where a server may listen: it is proved, watched and measured over its node's own loopback."""
GONE = MappingProxyType({"--swap-space": "0.19", "--disable-log-requests": "0.19"})
"""Flags of the examples this replaces that newer vLLM refuses, and since when."""
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "qwen3-vl-235b": {
            "model": "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4",
            "gpu_memory_utilization": 0.7,
            "max_model_len": 32768,
        },
        "gpt-oss-120b": {
            "model": "openai/gpt-oss-120b",
            "trust_remote_code": True,
            "gpu_memory_utilization": 0.7,
            "load_format": "fastsafetensors",
            "offline": True,
        },
    }
)
"""The two examples of the README of the scripts this replaces, by a short name; what is said wins."""
SECRETS = ("HF_TOKEN", "VLLM_API_KEY")
"""What a server gets from the console's environment, unseen: the hub's token, and its clients' key."""


class ServeSpec(BaseModel):
    """What a person asks of `vllm serve`; None: vLLM's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    model: str = Field(min_length=1)
    tensor_parallel: int | None = Field(None, ge=1)
    pipeline_parallel: int = Field(1, ge=1)
    port: int = Field(SEED_PORT, ge=1, le=65535)
    host: str = "0.0.0.0"  # noqa: S104 - clients are on other machines, as in the scripts this replaces
    gpu_memory_utilization: float | None = Field(None, gt=0, le=1)
    max_model_len: int | None = Field(None, ge=1)
    max_num_seqs: int | None = Field(None, ge=1)
    dtype: str | None = None
    load_format: str | None = None
    served_model_name: str | None = None
    enforce_eager: bool = False
    trust_remote_code: bool = False
    offline: bool = False
    """HF_HUB_OFFLINE=1: the model is there already, nobody is asked."""
    extra: tuple[str, ...] = ()
    """Words for vLLM, byte for byte."""

    @field_validator("host")
    @classmethod
    def _within_reach(cls, value: str) -> str:
        if value not in REACHED:
            raise ValueError(f"the console asks over the node's loopback; choose one of {', '.join(REACHED)}")
        return value

    @field_validator("extra")
    @classmethod
    def _said_to_us(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Where it answers, and as what, has to be known here."""
        for flag in ("--host", "--port", "--served-model-name"):
            if _names(value, flag):
                raise ValueError(f"{flag} belongs in front of the --")
        if _names(value, "--api-key"):
            raise ValueError("a key in a command can be read by everybody: put it into VLLM_API_KEY instead")
        return value

    @property
    def name(self) -> str:
        """The name under which it answers."""
        return self.served_model_name or self.model

    def flags(self) -> tuple[str, ...]:
        """The flags that are the same on every rank, in a fixed order."""
        valued = {
            "--gpu-memory-utilization": self.gpu_memory_utilization,
            "--max-model-len": self.max_model_len,
            "--max-num-seqs": self.max_num_seqs,
            "--dtype": self.dtype,
            "--load-format": self.load_format,
            "--served-model-name": self.served_model_name,
        }
        given = [word for flag, value in valued.items() if value is not None for word in (flag, str(value))]
        switches = {"--enforce-eager": self.enforce_eager, "--trust-remote-code": self.trust_remote_code}
        return (*given, *(flag for flag, on in switches.items() if on))


@dataclass(frozen=True, slots=True)
class Rank:
    """One `vllm serve` process: rank 0 answers requests."""

    node: str
    rank: int
    argv: tuple[str, ...]


def parallel(spec: ServeSpec, nodes: int) -> int:
    """Tensor parallelism: as asked, else all nodes, one GPU each. WrongUsage when that is too many."""
    tensor = spec.tensor_parallel or max(1, nodes // spec.pipeline_parallel)
    needed = tensor * spec.pipeline_parallel
    if needed > nodes:
        raise WrongUsage(
            f"{tensor} x {spec.pipeline_parallel} ranks need {needed} GPUs, and {nodes} are there",
            hint=f"-tp {nodes}, or launch on more nodes",
        )
    return tensor


def preset(model: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a spec: those of the example called `model`, under those that a person said."""
    if model not in PRESETS:
        return {"model": model, **said}
    return {**PRESETS[model], **{key: value for key, value in said.items() if value not in (None, False)}}


def serve_ranks(
    spec: ServeSpec,
    backend: Backend,
    nodes: Sequence[str],
    addresses: Mapping[str, str],
    master_port: int = MASTER_PORT,
) -> tuple[Rank, ...]:
    """The command of every rank, workers first, rank 0 last.

    With Ray one process on the head is enough. Without, each node runs its own rank and knows the head;
    an executor that the person named is dropped there, as it cannot be another one.
    """
    tensor = parallel(spec, len(nodes))
    if backend is Backend.RAY:
        executor = () if _names(spec.extra, "--distributed-executor-backend") else _RAY
        return (Rank(nodes[0], 0, _argv(spec, tensor, (*executor, *spec.extra))),)
    extra = _without(spec.extra, "--distributed-executor-backend")
    count = tensor * spec.pipeline_parallel
    if backend is Backend.SOLO or count == 1:
        return (Rank(nodes[0], 0, _argv(spec, tensor, extra)),)
    master = (addresses[nodes[0]], str(master_port))
    ranks = [
        Rank(node, rank, _argv(spec, tensor, (*_place(rank, count, master), *extra)))
        for rank, node in enumerate(nodes[:count])
    ]
    return tuple(reversed(ranks))


_RAY = ("--distributed-executor-backend", "ray")


def _argv(spec: ServeSpec, tensor: int, rest: Sequence[str]) -> tuple[str, ...]:
    environment = ("env", "HF_HUB_OFFLINE=1") if spec.offline else ()
    size = ("-tp", str(tensor)) if tensor > 1 else ()
    stages = ("-pp", str(spec.pipeline_parallel)) if spec.pipeline_parallel > 1 else ()
    where = ("--host", spec.host, "--port", str(spec.port))
    return (*environment, "vllm", "serve", spec.model, *where, *size, *stages, *spec.flags(), *rest)


def _place(rank: int, count: int, master: tuple[str, str]) -> tuple[str, ...]:
    words = ("--nnodes", str(count), "--node-rank", str(rank), "--master-addr", master[0])
    return (*words, "--master-port", master[1], *(("--headless",) if rank else ()))


def _names(words: Sequence[str], flag: str) -> bool:
    return any(w == flag or w.startswith(f"{flag}=") for w in words)


def _without(words: Sequence[str], flag: str) -> tuple[str, ...]:
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == flag:
            del rest[:1]
        elif not word.startswith(f"{flag}="):
            kept.append(word)
    return tuple(kept)


def notes(spec: ServeSpec) -> tuple[str, ...]:
    """What a person should know before this is started."""
    gone = [
        f"vLLM from {since} on refuses {flag}" for flag, since in GONE.items() if _names(spec.extra, flag)
    ]
    high = spec.load_format == "fastsafetensors" and (spec.gpu_memory_utilization or 0.9) > 0.8
    warn = (
        ["fastsafetensors needs room beside the weights: keep them under 0.8 of the memory"] if high else []
    )
    return (*gone, *warn)


class Phase(StrEnum):
    """How far a start is, in order."""

    CONTAINER = "container"
    ENGINE = "engine"
    WEIGHTS = "weights"
    COMPILE = "compile"
    CACHE = "KV cache"
    GRAPHS = "graphs"
    SERVER = "server"
    READY = "ready"


ORDER = tuple(Phase)


@dataclass(frozen=True, slots=True)
class ServeEvent:
    """What one line of the log says of a start."""

    phase: Phase | None = None
    percent: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ServeProgress:
    """A start so far; phases only go forward."""

    phase: Phase = Phase.CONTAINER
    percent: float | None = None
    detail: str = ""


def advance(progress: ServeProgress, event: ServeEvent) -> ServeProgress:
    """The progress after one more line."""
    if event.phase is None or ORDER.index(event.phase) < ORDER.index(progress.phase):
        return progress
    if event.phase is progress.phase:
        return replace(
            progress,
            percent=event.percent if event.percent is not None else progress.percent,
            detail=event.detail or progress.detail,
        )
    return ServeProgress(event.phase, event.percent, event.detail)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a server did not start or died."""

    text: str
    why: str
    remedy: str
    line: int = 0
    """Its place in the log, from 1."""
    known: bool = True
    """It is a cause with a name; else the first exception, or that a process died."""
