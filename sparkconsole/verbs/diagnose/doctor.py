"""`doctor`: every check on every node with its evidence and remedy; the safe remedies can be carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.config.rules import load_rules, rules_file
from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.fleet.diagnose.gather import EvidenceRequest, gather_evidence
from sparkconsole.model.checks import BY_ID, CHECKS, ClusterEvidence, Finding, judge, probes
from sparkconsole.model.checks.skew import SkewRow, skew
from sparkconsole.model.probes import EVERYTHING
from sparkconsole.model.text.alike import suggestion
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.diagnose.check import exit_code, findings_sheet, node_data, verdict
from sparkconsole.verbs.diagnose.fix import fixable, plan_fixes
from sparkconsole.verbs.diagnose.last_known import last_known
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

CONTENTS = "image-contents.json"


@verb("doctor", refuses=lambda *checks, **_: _known(checks))
async def doctor(
    session: Here,
    *checks: str,
    fix: Annotated[bool, FLAG] = False,
    skew: Annotated[bool, FLAG] = False,
    model: str | None = None,
    tag: Annotated[str | None, Parameter(name=["--tag", "-t"])] = None,
    name: str | None = None,
    eth_if: str | None = None,
    ib_if: str | None = None,
) -> Answer | PlannedAction:
    """Ask everything that can be asked of every node, say what is wrong, why, and what to do.

    Nothing is changed without --fix. Own rules about bad combinations go into rules.toml beside cluster.toml.
    Exit code 0 when nothing failed (warnings allowed), 1 when something did, 3 when a node is unreachable.

    Parameters
    ----------
    checks
        Only these, by the names in the answer (`mtu-path` for "mtu path"); without any, all.
    fix
        Plan the remedies that are safe, carry them out, and look again: commands, then copies of an image or
        a model that another node has. `sudo -n` runs what needs root: it never asks for a password.
    skew
        Show what should be equal on all nodes: what most have, and who differs.
    model
        The model that every node should have; without it the one that was served last.
    tag
        Image to look for; without it the cluster's.
    name
        Name of the containers; without it the cluster's.
    eth_if
        Interface for Ethernet, the same on every node; without it detected on each.
    ib_if
        RDMA devices, with commas; without it detected on each.
    """
    session.fleet.require_nodes()
    only = _known(checks)
    if fix and session.options.read_only:
        raise Refused("doctor --fix changes the cluster, and this session is read-only")
    kept = last_known(session)
    question = EvidenceRequest(
        image=tag or session.cluster.image,
        container=name or session.cluster.container,
        model=kept.model if model is None else model,
        eth_if=eth_if,
        ib_if=tuple((ib_if or "").replace(",", " ").split()),
        rules=load_rules(rules_file()),
        probes=EVERYTHING if skew else probes(only),
        last_known=kept.words,
        paces=kept.paces,
    )
    evidence = await _gathered(session, question)
    findings = judge(evidence, only)

    async def again() -> tuple[tuple[Finding, ...], Answer]:
        now = await _gathered(session, question)
        found = judge(now, only)
        return found, _answer(now, found)

    if fix and (action := await plan_fixes(session, findings, again)):
        return action
    answer = _answer(evidence, findings, skewed=skew)
    left = ("nothing that was found has a safe fix",) if fix else ()
    return replace(answer, parts=(*answer.parts, *left))


def _known(checks: Sequence[str]) -> tuple[str, ...]:
    """The ids that are meant; WrongUsage with the nearest one."""
    asked = tuple(word.replace("-", " ") for word in checks)
    for check in asked:
        if check not in BY_ID:
            ids = [known.replace(" ", "-") for known in BY_ID]
            hint = suggestion(check, ids, f"checks: {', '.join(ids)}")
            raise WrongUsage(f"there is no check {check!r}", hint=hint)
    return asked


async def _gathered(session: Session, question: EvidenceRequest) -> ClusterEvidence:
    kept = session.journal.folder.parent / CONTENTS
    return await gather_evidence(session.fleet, session.cluster, question, kept)


def _answer(evidence: ClusterEvidence, findings: tuple[Finding, ...], *, skewed: bool = False) -> Answer:
    rows = skew(evidence)
    head, *workers = evidence.looks
    ran = {f.check for f in findings}
    data: dict[str, Any] = {
        "head": head,
        "workers": workers,
        "container": evidence.container,
        "image": evidence.image,
        "model": evidence.model,
        "nodes": [node_data(evidence, name) for name in evidence.looks],
        "findings": [{**f.as_data(), "fix": list(f.fix.argv) if f.fix else []} for f in findings],
        "checks": [
            {"id": c.id, "question": c.question, "why": c.why, "needs": c.needs, "said": c.id in ran}
            for c in CHECKS
        ],
        "skew": [row.as_data() for row in rows],
    }
    shown = _skew_sheet(rows) if skewed else findings_sheet(findings)
    count = len(fixable(findings))
    fix = (f"{count} of these can be fixed: sparkconsole doctor --fix",) if count else ()
    return Answer(data, (shown, *fix, verdict(findings)), exit_code(evidence, findings))


def _skew_sheet(rows: Sequence[SkewRow]) -> Sheet:
    """Who differs first."""
    cells = []
    for row in sorted(rows, key=lambda r: not r.differing):
        who = ", ".join(f"{node} {value}" for node, value in row.differing.items())
        cells.append(("differs" if row.differing else "", row.what, row.majority, who))
    return Sheet.of(("", "what", "most have", "who differs"), cells)
