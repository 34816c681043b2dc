"""What a serving engine has to do right now, and the `vllm serve` processes found in a container."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sparkconsole.model.serve.vllm_flags import value
from sparkconsole.model.work.job import Job, JobKind

VLLM_PORT = 8000
"""Where `vllm serve` listens when it is not told."""


@dataclass(frozen=True, slots=True)
class Waited:
    """How long something took, summed since the server started."""

    times: float
    seconds: float

    @property
    def mean_s(self) -> float | None:
        """On average; None: it never happened."""
        return self.seconds / self.times if self.times > 0 else None


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """One reading, summed over engines; None where this vLLM did not say."""

    running: int | None = None
    waiting: int | None = None
    kv_share: float | None = None
    """Of the KV cache, 0 to 1; the fullest engine's."""
    prompt_tokens: float | None = None
    """Since it started, as are the generated ones."""
    generated_tokens: float | None = None
    first_token: Waited | None = None
    """From a request to its first token."""
    next_token: Waited | None = None
    """From one token to the next."""
    drafted: float | None = None
    """Tokens that a smaller model proposed, since it started; None: none does."""
    accepted: float | None = None

    def text(self) -> str:
        """In a few words; empty when nothing is known."""
        counts = ((self.running, "running"), (self.waiting, "waiting"))
        parts = [f"{count} {what}" for count, what in counts if count is not None]
        parts += [f"KV cache {self.kv_share:.0%}"] if self.kv_share is not None else []
        return ", ".join((*parts, *self.pace()))

    def pace(self) -> tuple[str, ...]:
        """How fast it answers, on average since it started, in a few words each: what is known of it."""
        first = self.first_token.mean_s if self.first_token else None
        then = self.next_token.mean_s if self.next_token else None
        share = self.accepted / self.drafted if self.drafted and self.accepted is not None else None
        parts = (
            f"first token {first:.2f} s" if first is not None else "",
            f"{then * 1000:.1f} ms a token" if then is not None else "",
            f"{share:.0%} of drafts accepted" if share is not None else "",
        )
        return tuple(words for words in parts if words)


@dataclass(frozen=True, slots=True)
class LiveRank:
    """One `vllm serve` that runs in a container."""

    node: str
    group: int | str
    """Its process group, as the container numbers it; a named blank while it is yet to be started."""
    words: tuple[str, ...] = field(default=())
    """Its command from `vllm` on."""
    job: str = ""
    """The console's job that it is; empty: somebody started it by hand."""

    @property
    def model(self) -> str:
        """What it serves."""
        rest = self.words[2:]
        return rest[0] if rest and not rest[0].startswith("-") else value(rest, "--model") or ""

    @property
    def name(self) -> str:
        """The name under which it answers."""
        return value(self.words, "--served-model-name") or self.model

    @property
    def port(self) -> int:
        """Where it answers, or the rank that leads it does."""
        text = value(self.words, "--port") or ""
        return int(text) if text.isdecimal() else VLLM_PORT

    @property
    def rank(self) -> int:
        """0 leads."""
        text = value(self.words, "--node-rank") or ""
        return int(text) if text.isdecimal() else 0

    def as_job(self, container: str) -> Job:
        """The job that it is, so that it can be followed and ended like one of this console's own."""
        details = {"model": self.model, "name": self.name, "port": self.port, "rank": self.rank}
        where = {"id": self.job, "node": self.node, "container": container}
        return Job(**where, kind=JobKind.SERVE, argv=self.words, details=details)


def lead_of(jobs: Iterable[Job]) -> Job:
    """The rank that answers for all of a server's."""
    return next(job for job in jobs if not job.rank)


def jobs_of(ranks: Iterable[LiveRank], container: str) -> tuple[Job, ...]:
    """The jobs among them, the leading rank last, as they were started."""
    ours = sorted((r for r in ranks if r.job), key=lambda r: -r.rank)
    return tuple(rank.as_job(container) for rank in ours)


def vllm_words(argv: Sequence[str]) -> tuple[str, ...]:
    """A rank's command from `vllm` on, whatever runs it."""
    at = next((i for i, word in enumerate(argv) if word.rpartition("/")[2] == "vllm"), 0)
    return ("vllm", *argv[at + 1 :])
