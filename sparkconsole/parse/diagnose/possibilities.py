"""What a line lists as possible, advises, or says of another rank: none of it is a fact of this node."""

from __future__ import annotations

import re
from functools import lru_cache

from sparkconsole.model.text.literals import Sieve

_POSSIBLE = re.compile(
    r"[Tt]here are (?:some|several|a few) (?:potential|possible)|"
    r"(?:[Pp]otential|[Pp]ossible|[Cc]ommon|[Ll]ikely|[Uu]sual|[Tt]ypical) (?:root )?(?:causes?|reasons?|"
    r"explanations?)\b|(?:may|might|could|can) (?:be|have been) (?:caused by|due to|because|the result of)\b|"
    r"\b(?:may|might|could) (?:also )?(?:be|have been) (?:an? |the |that |out of |full\b|killed\b)|"
    r"\b[Tt]his (?:can|may|might|could|usually|typically|often|sometimes) (?:also )?(?:happens?|occurs?|"
    r"means?)\b|\b(?:[Mm]aybe|[Pp]erhaps|[Pp]ossibly|[Pp]resumably)\b|"
    r"\b(?:[Ii]f|[Ww]hen) you (?:see|get|encounter|run into|hit|observe)\b|"
    r"^(?:[Pp]lease )?(?:[Cc]heck|[Mm]ake sure|[Ee]nsure|[Vv]erify|[Cc]onfirm) (?:that|if|whether|for)\b|"
    r"^(?:[Hh]int|HINT|Tip|tip|TIP): (?:.{0,40}\b(?:if|when|check|see)\b)?"
)
"""From here on a line lists what might be, or advises."""
_SIEVE = Sieve([_POSSIBLE])
_BULLET = re.compile(r"(?:[-*•·–]|\(?\d{1,2}[.)]|\(?[a-z][.)]) ?\S")
_PEER = re.compile(
    r"\b(?:[Pp]eer|[Rr]emote|[Oo]ther) (?:rank|node|worker|process) \[?(?P<peer>\d{1,5})\]?(?: \S{1,80})? "
    r"(?:failed|died|exited|ended|crashed|aborted|reported|reports)\b|"
    r"\b[Rr]ank ?\[?(?P<rank>\d{1,5})\]? (?:has |just )?(?:reported|reports|says|said|told|notified|raised|"
    r"threw|failed|crashed|hit|encountered|aborted|ran out)\b|"
    r"\b(?:[Ee]rror|[Ee]xception|[Ff]ailure|[Mm]essage|[Rr]eport) (?:\w{1,20} )?(?:from|on|by|at) rank \[?"
    r"(?P<other>\d{1,5})\b|"
    r"\b(?P<kind>[Nn]ode|[Hh]ost|[Mm]achine|[Ww]orker(?: node)?|[Aa]gent on) (?P<name>\w[\w.:-]{0,80}) "
    r"(?:has )?(?:reported|reports|says|said|told)\b|"
    r"\b(?:[Ee]rror|[Ee]xception|[Ff]ailure|[Rr]eport) (?:\w{1,20} )?(?:from|on|at) (?P<sort>node|host|worker"
    r"(?: node)?) (?P<place>\w[\w.-]{0,80})"
)
"""Somebody else than who says it."""


@lru_cache(maxsize=64)
def facts_of(text: str) -> str:
    """The line without the possibilities that it lists at its end; empty where it lists nothing else."""
    found = _possible(text)
    return text[: found.start()] if found else text


def opens_list(text: str) -> bool:
    """Whether the possibilities follow as a list below the line."""
    found = _possible(text)
    return found is not None and (found.start() == 0 or text.endswith(":"))


def _possible(text: str) -> re.Match[str] | None:
    return _POSSIBLE.search(text) if _SIEVE.may_fit(text) else None


def is_bullet(text: str) -> bool:
    """Whether the line is an entry of a list."""
    return _BULLET.match(text) is not None


def peer_of(text: str, own: int | None = None) -> str | None:
    """Who the line is about, where that is another one than who says it: `rank 3`.

    `own`: the speaker's rank.
    """
    found = _PEER.search(text)
    if found is None:
        return None
    rank = found["peer"] or found["rank"] or found["other"]
    if rank is None:
        return f"{(found['kind'] or found['sort']).lower()} {found['name'] or found['place']}"
    return None if found["peer"] is None and int(rank) == own else f"rank {int(rank)}"
