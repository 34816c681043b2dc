"""A served model: what is asked for, the command of every rank, and how far a start has come."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sparkconsole.model.serve import vllm_flags

SEED_PORT = 8888
REACHED = ("0.0.0.0", "::", "127.0.0.1", "localhost")  # noqa: S104 - what a person may ask for
"""Where a server may listen: it is proved, watched and measured over its node's own loopback."""
GONE: Mapping[str, str] = {"--swap-space": "0.19", "--disable-log-requests": "0.19"}
"""Flags of the examples this replaces that newer vLLM refuses, and since when."""
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "qwen3-vl-235b": {
        "model": "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4",
        "gpu_memory_utilization": 0.7,
        "max_model_len": 32768,
    },
    "gpt-oss-120b": {
        "model": "openai/gpt-oss-120b", "trust_remote_code": True, "gpu_memory_utilization": 0.7,
        "load_format": "fastsafetensors", "offline": True,
    },
}  # fmt: skip
"""The two examples of the README of the scripts this replaces, by a short name; what is said wins."""
PARALLEL = ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size")
PLACED = (
    "--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless", "--data-parallel-rank",
    "--data-parallel-start-rank", "--data-parallel-size-local", "--data-parallel-address",
    "--data-parallel-rpc-port", "--data-parallel-backend", "--data-parallel-hybrid-lb",
    "--data-parallel-external-lb",
)  # fmt: skip
"""What differs from rank to rank, or has to agree with what does: planned here, for every rank."""
SECRETS = ("HF_TOKEN", "VLLM_API_KEY")
"""What a server gets from the console's environment, unseen: the hub's token, and its clients' key."""


class ServeSpec(BaseModel):
    """What a person asks of `vllm serve`; None: vLLM's own default."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    model: str = Field(min_length=1)
    tensor_parallel: int | None = Field(None, ge=1)
    pipeline_parallel: int = Field(1, ge=1)
    data_parallel: int = Field(1, ge=1)
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
    def _ours_alone(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Where it answers, as what, and which rank runs where has to be known here."""
        for flag in ("--host", "--port", "--served-model-name", "--model"):
            if vllm_flags.names(value, flag):
                raise ValueError(f"{flag} belongs in front of the --")
        for flag, variable in (("--api-key", "VLLM_API_KEY"), ("--hf-token", "HF_TOKEN")):
            if vllm_flags.names(value, flag):
                raise ValueError(
                    f"a key in a command can be read by everybody: put it into {variable} instead"
                )
        if placed := next((flag for flag in PLACED if vllm_flags.names(value, flag)), ""):
            why = "is given to each rank by sparkconsole; say only how many: --dp, --tp, --pp"
            raise ValueError(f"{placed} {why}")
        for flag in PARALLEL:
            if vllm_flags.names(value, flag) and (vllm_flags.whole(vllm_flags.value(value, flag)) or 0) < 1:
                raise ValueError(f"{flag} is a whole number of at least 1")
        return value

    @property
    def name(self) -> str:
        """The name under which it answers."""
        return self.served_model_name or self.model

    def _counted(self, flag: str) -> int | None:
        return vllm_flags.whole(vllm_flags.value(self.extra, flag))

    @property
    def tensor(self) -> int | None:
        """Ranks that share every layer, wherever that was said; None: as many as there are nodes."""
        return self._counted("--tensor-parallel-size") or self.tensor_parallel

    @property
    def pipeline(self) -> int:
        """Stages of layers, wherever that was said."""
        return self._counted("--pipeline-parallel-size") or self.pipeline_parallel

    @property
    def data(self) -> int:
        """Copies of the model, wherever that was said."""
        return self._counted("--data-parallel-size") or self.data_parallel

    @property
    def utilization(self) -> float | None:
        """The share of the memory, wherever that was said; None: vLLM's own."""
        with contextlib.suppress(TypeError, ValueError):
            return float(vllm_flags.value(self.extra, "--gpu-memory-utilization"))  # type: ignore[arg-type]
        return self.gpu_memory_utilization

    @property
    def longest(self) -> int | None:
        """Tokens of the longest request, wherever that was said; None: the model's own."""
        return self._counted("--max-model-len") or self.max_model_len

    def flags(self) -> tuple[str, ...]:
        """The flags that are the same on every rank, in a fixed order."""
        valued = {
            "--gpu-memory-utilization": self.gpu_memory_utilization, "--max-model-len": self.max_model_len,
            "--max-num-seqs": self.max_num_seqs, "--dtype": self.dtype, "--load-format": self.load_format,
            "--served-model-name": self.served_model_name,
        }  # fmt: skip
        given = [word for flag, value in valued.items() if value is not None for word in (flag, str(value))]
        switches = {"--enforce-eager": self.enforce_eager, "--trust-remote-code": self.trust_remote_code}
        return (*given, *(flag for flag, on in switches.items() if on))


def preset(model: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a spec: those of the example called `model`, under those that a person said."""
    if model not in PRESETS:
        return {"model": model, **data}
    return {**PRESETS[model], **{key: value for key, value in data.items() if value not in (None, False)}}


def notes(spec: ServeSpec) -> tuple[str, ...]:
    """What a person should know before this is started."""
    given = {vllm_flags.flag_of(word, GONE) for word in spec.extra}
    found = [f"vLLM from {since} on refuses {flag}" for flag, since in GONE.items() if flag in given]
    if spec.load_format == "fastsafetensors" and (spec.gpu_memory_utilization or 0.9) > 0.8:
        found.append("fastsafetensors needs room beside the weights: keep them under 0.8 of the memory")
    return tuple(found)


class StartPhase(StrEnum):
    """How far a start is, in order."""

    CONTAINER = "container"
    ENGINE = "engine"
    WEIGHTS = "weights"
    COMPILE = "compile"
    CACHE = "KV cache"
    GRAPHS = "graphs"
    SERVER = "server"
    READY = "ready"


ORDER = tuple(StartPhase)


@dataclass(frozen=True, slots=True)
class ServeProgress:
    """A start so far, or what one line of its log says of it."""

    phase: StartPhase = StartPhase.CONTAINER
    percent: float | None = None
    detail: str = ""


def advance(progress: ServeProgress, line: ServeProgress | None) -> ServeProgress:
    """The progress after one more line; phases only go forward. None: it says nothing of it."""
    if line is None or ORDER.index(line.phase) < ORDER.index(progress.phase):
        return progress
    if line.phase is not progress.phase:
        return line
    percent = progress.percent if line.percent is None else line.percent
    return ServeProgress(line.phase, percent, line.detail or progress.detail)


@dataclass(frozen=True, slots=True)
class StartFailure:
    """Why a server did not start or died."""

    text: str
    why: str
    remedy: str
    line: int = 0
    """Its place in the log, from 1."""
    known: bool = True
    """It is a cause with a name; else the first exception, or that a process died."""
    id: str = ""
    """The catalogue's own name for it."""

    def named(self, named: Callable[[str], str]) -> StartFailure:
        """With the names of nodes beside their addresses."""
        return replace(self, text=named(self.text), why=named(self.why))

    @property
    def sentence(self) -> str:
        """What it means, and the line that says so."""
        return f"{self.why}: “{self.text}” (line {self.line} of its log)"
