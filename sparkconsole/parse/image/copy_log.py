"""A copy's log as values: how far it is, layer by layer where they travel alone, and how each end ended.

`docker save`'s pipeline prints `dd`'s progress and a last line with the status of each stage; the program
that sends single layers (remote/image_program) prints lines of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkconsole.model.transfer.outcome import ByteProgress
from sparkconsole.parse.values import as_count, as_number, json_object, number, whole

_BYTES = re.compile(r"^(\d+) bytes? (?:\(.*\) )?copied, ([\d.]+(?:e[+-]?\d+)?) s\b")
_ALL_SENT = re.compile(r"^\d+\+\d+ records out$")
_STATUS = re.compile(r"-?[0-9]{1,9}")
_ENDS = re.compile(r"^copy ended: save=(\S+) stream=(\S+) load=(\S+)$")


def byte_progress(line: str) -> ByteProgress | None:
    """What one line of `dd` (LC_ALL=C) says; None when it is no such line."""
    found = _BYTES.match(line.strip())
    done, took = (whole(found[1]), number(found[2])) if found else (None, None)
    return ByteProgress(done, took) if done is not None and took is not None else None


def stage_ends(line: str) -> Mapping[str, int | None] | None:
    """The exit status of each stage (None: it has none) from the copy's last line; None for other lines."""
    found = _ENDS.match(line.strip())
    if not found:
        return None
    return {name: _status(found[i]) for i, name in enumerate(("save", "stream", "load"), 1)}


def _status(word: str) -> int | None:
    return int(word) if _STATUS.fullmatch(word) else None


@dataclass(frozen=True, slots=True)
class LayerProgress:
    """One layer on its way: `receiving`, `registering` (the engine unpacks it) or `there`."""

    number: int
    """From 1."""
    count: int
    phase: str
    done: int
    size: int

    @property
    def words(self) -> str:
        """`layer 3 of 7 40 %`, or what the engine does with it."""
        share = f" {100 * self.done // self.size} %" if self.phase == "receiving" and self.size else ""
        return f"layer {self.number} of {self.count}{share or f' {self.phase}'}"


class CopyLog:
    """Feed it every line of a copy's log; it knows the bytes, how the stages ended, and what was said."""

    def __init__(self) -> None:
        self.progress: ByteProgress | None = None
        self.ends: Mapping[str, int | None] | None = None
        self.layer: LayerProgress | None = None
        """The one that there was news of last, where layers travel alone."""
        self._under_way: set[int] = set()
        self.arrived: set[int] = set()
        """Numbers of layers that travelled and are there; what had been there before is none."""
        self.error: str | None = None
        """Why the program gave up; None: it did not, or has not ended."""
        self.sent: int | None = None
        """Bytes that the program sent until its good end."""
        self.all_sent = False
        """The stream is over; what follows is the receiver's own work (more than half of the time)."""
        self.fallback = ""
        """Why a copy of the missing layers went on as a copy of the whole image; empty: it did not."""
        self.messages: dict[str, list[str]] = {"save": [], "load": []}

    def feed(self, line: str) -> ByteProgress | None:
        """New progress, when the line tells any."""
        if line.startswith("{") and (data := json_object(line)) is not None:
            return self._hear(data)
        return self._read(line)

    def _hear(self, data: Mapping[str, Any]) -> ByteProgress | None:
        """A line of the program's."""
        if "fell_back" in data:
            self.fallback, self.all_sent, self.layer = str(data["fell_back"]), False, None
        if data.get("end"):
            error = data.get("error")
            self.error, self.sent = error if error is None else str(error), as_count(data.get("sent"))
        if (layer := as_count(data.get("layer"))) is not None:
            of, done, size = (as_count(data.get(key)) or 0 for key in ("of", "done", "size"))
            self.layer = LayerProgress(layer, of, str(data.get("phase")), done, size)
            if self.layer.phase != "there":
                self._under_way.add(layer)
            elif layer in self._under_way:
                self.arrived.add(layer)
        if (seconds := as_number(data.get("seconds"))) is None:
            return None
        self.progress = ByteProgress(as_count(data.get("sent")) or 0, seconds, as_count(data.get("total")))
        self.all_sent = bool(self.progress.total) and self.progress.done >= (self.progress.total or 0)
        return self.progress

    def _read(self, line: str) -> ByteProgress | None:
        if progress := byte_progress(line):
            self.progress = progress
            return progress
        self.all_sent = self.all_sent or bool(_ALL_SENT.match(line.strip()))
        self.ends = stage_ends(line) or self.ends
        who, sign, words = line.partition(": ")
        if sign and who in self.messages:
            self.messages[who].append(words.strip())
        return None

    @property
    def measured(self) -> tuple[int, float]:
        """Bytes that were sent, and seconds."""
        done, took = (self.progress.done, self.progress.elapsed_s) if self.progress else (0, 0.0)
        return (done if self.sent is None else self.sent), took

    @property
    def ok(self) -> bool:
        """Every stage ended with 0, and the receiver did not say that it could not unpack."""
        if self.sent is not None:
            return True
        good = self.ends is not None and all(status == 0 for status in self.ends.values())
        return good and not any("Error unpacking" in words for words in self.messages["load"])

    def cause(self) -> str:
        """Why it failed: the side that failed first, then what the other one said."""
        if self.error:
            return self.error
        if self.ends is None:
            return "its end was not seen"
        sender_first = self.ends["save"] not in _BY_US and self.ends["load"] != 255
        blamed = ("save", "load") if sender_first else ("load", "save")
        words = [f"{_WHO[who]}: {'; '.join(self.messages[who][-3:])}" for who in blamed if self.messages[who]]
        return " — ".join(words) or f"stages ended with {dict(self.ends)}"

    def login_refused(self) -> bool:
        """The receiver did not let the sender's ssh in."""
        return any("Permission denied (" in words for words in self._far_words())

    def key_refused(self) -> bool:
        """The sender saw another host key than the console."""
        return any("Host key verification failed" in words for words in self._far_words())

    def _far_words(self) -> tuple[str, ...]:
        return (*self.messages["load"], self.error or "")


_BY_US = (0, 141, 143, None)
"""Ends of `docker save` that are the consequence of the far side's end: broken pipe, and our own TERM."""
_WHO = {"save": "sender", "load": "receiver"}
