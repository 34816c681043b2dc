"""Holds what a dry run of a script showed against what its run wrote into the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sparkconsole.model.text.redact import redact_data
from tests.blanks import filled


def differences(shown: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What ran otherwise than it was shown, in sentences; none: all of it was done as shown.

    `shown`: the documents of `--json --dry-run --script`; `runs`: those of `runs show`, the oldest first.
    One name of a blank stands for one value in the whole script.
    """
    planned = [document for document in shown if "plan" in document]
    if [list(d["words"]) for d in planned] != [list(r["words"]) for r in runs]:
        return [f"shown {[d['words'] for d in planned]}, ran {[r['words'] for r in runs]}"]
    values: dict[str, str] = {}
    wrong: list[str] = []
    for document, run in zip(planned, runs, strict=True):
        wrong += _of_line(document, run["plan"], values)
    return wrong


def _of_line(document: Mapping[str, Any], plan: Mapping[str, Any], values: dict[str, str]) -> list[str]:
    # The journal keeps no secret, nor what looks like one.
    shown, ran = redact_data(document["plan"])["steps"], plan["steps"]
    where = f"line {document['line']}"
    if [s["node"] for s in shown] != [s["node"] for s in ran]:
        return [f"{where}: {[s['id'] for s in shown]} were shown, {[s['id'] for s in ran]} ran"]
    wrong = []
    for one, other in zip(shown, ran, strict=True):
        for what in ("argv", "undo", "verify"):
            found = filled(one[what], other[what], values)
            if found is None:
                pairs = zip_longest(one[what], other[what], fillvalue="nothing")
                apart = next((pair for pair in pairs if filled(pair[:1], pair[1:], values) is None), ())
                wrong.append(f"{where}: {one['sentence']}: {what}: shown and run: {apart}")
            values.update(found or {})
    return wrong
