"""Secrets never reach a file, a log or a screen: everything that looks like one becomes `***`.

Shapes follow what vllm, docker, curl, Hugging Face, NVIDIA and GitHub use. Counts of tokens are no secrets.
Only what is shown or kept comes by here: what is carried out still has them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from sparkconsole.model.text.printable import printable, without_escapes

STARS = "***"
LEAST = 8
"""Characters of a value of the environment that is hidden wherever it stands; a shorter one hides nothing."""
LEAST_GIVEN = 4
"""The same of what a person gave by a secret name in this very run."""


def _no_part(word: str, *parts: str) -> str:
    """Behind `word`: what a name has before it is none of these; those of one length together."""
    return "".join(rf"(?<!(?<![A-Za-z])(?i:(?:{p}){dash}{word}))" for p in parts for dash in ("[-_]", ""))


_COUNT = r"""(?!["']?[ \t]{0,9}[=:]{1,2}[ \t]{0,9}\d{1,6}(?![\w.-]))"""
_OF_TEXT = _no_part(
    "token", "in", "[be]os|pad|unk|sep|cls|end|per|max|min|num", "mask|stop|next", "image|video|audio|start"
)
_OVER_CODE = _no_part("pass", "pre|two", "post|grad", "first|graph", "custom|fusion|second", "forward")
_WORDS = (
    rf"api[-_ ]?key|pass(?:word|wd|phrase|code|(?:(?<=[a-z\d][-_]pass)|(?-i:(?<=[a-z]Pass))){_OVER_CODE}"
    rf"{_COUNT})|(?:access|private|auth|signing|encryption|account|subscription|master|session)[-_]?key"
    r"|secret(?:[-_]?(?:access[-_]?)?key)?|(?:identity|registry)token|pwd?(?:(?<=[a-z][-_]pw)|(?<=[a-z][-_]pwd))"
    r"|_auth(?:(?<![\w.]_auth)|(?<=config__auth))"
)
_TOKEN = (
    r"(?:(?<![a-zA-Z])(?i:hf|hub|auth|access|refresh|bearer|api|secret|id|session|[cx]srf|git(?:hub|lab)?|gh|npm"
    r"|pypi|slack|bot|jwt|oauth2?|user|private|personal|join|ngc|wandb|vault|deploy|security|service|sas)[-_]?"
    rf"(?i:token)|(?:TOKEN|Token(?<=[a-z]Token)){_OF_TEXT}){_COUNT}"
)
_NAMED = rf"(?:(?i:{_WORDS})|{_TOKEN}|(?:_|SSH)PASS|CLI_AUTH)"
_BARE_TOKEN = rf"(?<![a-zA-Z0-9])(?i:token){_OF_TEXT}"
_FLAG = rf"--?(?:[A-Za-z][\w-]*[-_])?(?:(?i:{_WORDS})|token|pass|pw|api[-_]k(?:ey?)?|hf[-_]t(?:o(?:ke?)?)?)"
_SIGN = r"""[^\s"',;&\])}]"""
_PROSE = (
    r"none|null|true|false|str(?:ing)?|bytes|bool|int|optional|any|yes|no|on|off|not|is|was|are|must|needs?|takes"
    r"|belongs|missing|required|invalid|empty|unset|set|in|or|and|for|to|with|as|from|of|it|KEY|VALUE|NAME|TOKEN"
)
_NO_VALUE = (
    r"-?\$[{(]|-?\$[A-Z_][A-Z0-9_]*(?![\w.-])|\$\d(?![\w.$-])|\{|%(?:[sdr(]|[A-Z_]{2,40}%)|\*\*\*|…|\.\.\."
    r"""|[-+?]\}|\?[^}"\n]{0,80}\}|~(?!\S)"""
)
_OPEN = rf"(?!{_NO_VALUE})"
_PLACE = r"<[\w -]{0,40}>|(?:id|type)=|/run/secrets/"
_STAND_IN = (  # a name as usage has it; in quotes what is none, or refers to one
    r"""["'\[]?(?:[A-Z]{1,20}[_-]){0,4}(?:KEY|TOKEN|PASS(?:WORD|WD|PHRASE|CODE)?|SECRET|STRING|TEXT)"""
    rf"""(?![^\s"',;:&\])}}|…])|\\?["'](?:(?i:{_PROSE})?|\$\{{\w{{1,80}}(?::?[-+?]|:\?[^}}"'\n]{{0,80}}"""
    r"""|:?-\$\w{1,80})?\}|\$\([^)\n]{0,200}\)|\$(?:[A-Z_]\w{0,80}|\d)|\$?\{\{[^}\n]{0,80}\}\})\\?["'](?!["'\w])"""
)
_INNOCENT = (  # also what `passwd` answers, and what a program's source says a value is
    rf"""(?!(?i:{_PROSE})(?![^\s"',;:&\])}}…])|{_NO_VALUE}|{_PLACE}|{_STAND_IN}|(?i:password|authentication"""
    r"|all|you|user|permission|unrecogni[sz]ed|unknown|can(?:not|'t)|changing|updated|changed|unchanged|expired"
    r"|incorrect|wrong|bad|warning:|error:|enter)[ \t]+[A-Za-z']"
    r"""|["']?(?:\w{1,20}\.)?(?:(?:Optional|Union|Annotated|Literal|Final|ClassVar|[Ll]ist|[Dd]ict|[Tt]uple"""
    r"|Sequence)\[|Secret(?:Str|Bytes)(?![\w(])|Option<|(?:str|bytes|int|bool|None|Any)\|))"
)
_QUOTED = r"""\\"[^"\n]*"?|[bru]?"(?:[^"\\\n]|\\.)*"?|[bru]?'(?:[^'\\\n]|\\.)*'?"""
_VALUE = rf"""(?:\w{{0,30}}\()?\[?(?:{_QUOTED}|{_SIGN}+)"""
_IS = r"""(?>\\?["']?[ \t]{0,40}(?:=>|:=|={1,2}|:(?![:/]))[ \t]{0,40})"""
_HEADER = r"""(?>\\?["']?[ \t]{0,4}[:=][ \t]{0,4}\\?["']?)"""
_LINE = r"""[^"'\\\s][^"'\\\n]*"""
_PROGRAM = r"""[^\n|;]{0,200}?\s"""

_NAME = re.compile(rf"[\w.-]*?(?:{_NAMED}|{_BARE_TOKEN}|(?<![a-zA-Z0-9])(?i:pass){_OVER_CODE})")
_FLAG_WORD = re.compile(_FLAG)
_NO_SECRET = re.compile(rf"""(?i:{_PROSE})?|(?:{_NO_VALUE}|{_PLACE}).*|{_STAND_IN}""")
_Compiled = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
_OF_PROGRAMS = (
    ((" login", "sshpass", "mysql", "redis-cli", " config set"),
     rf"(?P<keep>\b(?:(?:docker|podman|nerdctl) login\b{_PROGRAM}-p[= ]?+|sshpass\s+-p\s?+"
     rf"|mysql(?:dump|admin)?\b{_PROGRAM}-p|redis-cli\b{_PROGRAM}-a\s"
     rf"|(?:p?npm|yarn) config set\s\S{{0,200}}_(?:auth|authToken|password)[ =]))"
     rf"{_OPEN}(?:'[^'\n]*'?|[^\s-]\S*)"),
    (("curl",), rf"""(?P<keep>\bcurl\b{_PROGRAM}(?:-u|--(?:proxy-)?user)[= ]?+['"]?+[^\s:'"]{{1,80}}:)"""
     rf"""{_OPEN}[^\s'"]+"""),
    (("wandb login",), rf"(?P<keep>\bwandb login\b{_PROGRAM})(?:local-)?[0-9a-f]{{40}}"),
)  # fmt: skip
"""What only the words before it make a secret: in an argv too."""
_SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    # A word that a shell puts in quotes, `'NAME=a b'`; a name and its value; a token; a flag and its value.
    ((), rf"(?P<keep>'[\w-]{{0,80}}?{_NAMED}=){_INNOCENT}[^'\n]+"),
    ((), rf"(?P<keep>{_NAMED}{_IS}\[?+){_INNOCENT}{_VALUE}"),
    ((), rf"""(?P<keep>{_BARE_TOKEN}{_IS}\\?["']?)(?:(?=[\w.~+/-]{{0,80}}\d)(?=[\w.~+/-]{{0,80}}[A-Za-z])"""
     r"""[\w.~+/=-]{6,}|(?:(?<==)|(?<==")|(?=[A-Za-z]{20}))[A-Za-z]{10,}+(?![\w.~+/=(\[-]))"""),
    # `pass` alone is more often a step of a compiler, or what a test did.
    ((), rf"""(?P<keep>(?<![\w.-])(?:[Pp]ass|PASS(?=["' \t]{{0,3}}=)){_IS}\\?["']?){_INNOCENT}"""
     rf"(?!passed|failed|\d{{1,9}}(?:[./]\d{{1,9}})?[a-z%]{{0,2}}(?!{_SIGN}))"
     rf"(?:(?:(?<=[=\"'])|(?<== )){_SIGN}{{4,}}"
     rf"|(?=\S{{0,80}}?[A-Za-z])(?=\S{{0,80}}?[\d!@#$%^*+?~]){_SIGN}{{6,}})"),
    (("pass:",),
     r"(?m:(?P<keep>(?:^[ \t]{0,20}|\b(?:user(?:name)?|login):[^\n]{0,80}[\s,;/])pass:[ \t]{1,20})"
     r"[A-Za-z-]{6,}+(?=[ \t]{0,20}$|[,;}]))"),
    ((), rf"(?P<keep>(?<![\w-]){_FLAG}(?:=|[ \t]+))(?!-){_INNOCENT}{_VALUE}"),
    # Headers, to their ends.
    (("authorization",), rf"(?P<keep>(?i:authorization){_HEADER}"
     rf"(?:(?i:basic|bearer|token|digest|negotiate|ntlm|AWS4-HMAC-SHA256)[ \t]+)?+){_INNOCENT}{_LINE}"),
    (("cookie",), rf"(?P<keep>(?<![A-Za-z_])(?i:(?:set-)?cookie)(?!=){_HEADER}){_INNOCENT}{_LINE}"),
    (("bearer",), r"(?P<keep>\b(?i:bearer)\s+)(?!(?i:auth|token))[A-Za-z0-9._~+/=-]{8,}"),
    # Addresses: USER:PASSWORD@HOST, TOKEN@HOST on the web, queries, hooks.
    (("@",), rf"(?P<keep>://[^/\s:@]{{0,200}}:){_OPEN}[^/\s]{{1,400}}(?=@)"),
    (("@",), rf"(?P<keep>(?i:https?)://){_OPEN}(?!git@)[^/\s:@]{{1,400}}(?=@)"),
    (("@",), r"(?P<keep>(?i:https?)://)[^/\s:@]{16,400}(?=:[^/\s@]{1,400}@)"),
    (("@",), rf"(?P<keep>(?<![\w/:.@+-])(?!mailto:)[A-Za-z][\w.-]{{0,40}}:)(?!\d{{1,7}}@){_OPEN}"
     r"""[^\s:@/"'(),]{1,200}(?=@(?!sha\d)(?:[A-Za-z]|\d{1,3}(?:\.\d{1,3}){3}))"""),
    (("?", "&"),
     r"(?P<keep>[?&](?i:key|sig|signature|code|auth|token|pw|pass|x-(?:amz|goog)-(?:signature|credential))=)"
     rf"""{_OPEN}[^&\s"'#]+"""),
    (("hooks",), r"(?P<keep>\b(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/)[\w/-]+"),
    (("password",),
     r"(?P<keep>\b(?:machine\s\S{1,200}|default|login\s\S{1,200})\s(?:account\s\S{1,80}\s)?password\s)\S+"),
    (("password",), r"(?m:(?P<keep>^[ \t]{0,20}password[ \t])(?=\S{0,200}[^a-z\s])\S+[ \t]*$)"),
    (('"auth"',), r"""(?P<keep>"auth"\s{0,4}:\s{0,4}")[A-Za-z0-9+/=]{8,}"""),
    # What is one by itself.
    (("hf_",), r"(?P<keep>)\bhf_(?:(?=[A-Za-z0-9]{0,80}[A-Z0-9])[A-Za-z0-9]{8,}|[a-z]{30,})"),
    (("nvapi-", "sk-", "_pat_", "_oat_", "xox", "xapp-", "akia", "asia", "aiza", "ya29.", "npm_", "pypi-",
      "dop_v1_", "gsk_", "pplx-", "k_live_", "k_test_", "whsec_", "tskey-", "tgp_v1_", "xai-", "swmtkn-",
      "r8_", "swmkey-", "wandb_v1_", "api_org_", "sg.", ":aa", "eyj", "age-secret", "ghp_", "gho_", "ghu_",
      "ghs_", "ghr_", "glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "hvs.", "hvb.", "hvr."),
     r"(?P<keep>)(?<![\w-])(?:nvapi-[\w-]{10,}|sk-[\w-]{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}"
     r"|gl(?:pat|dt|rt|ptt|cbt)-[\w.-]{12,}|xox[abeoprs]-[\w-]{8,}|xapp-[\w-]{8,}|A[KS]IA[A-Z0-9]{16}\b"
     r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|dckr_[po]at_[\w-]{16,}"
     r"|dop_v1_[0-9a-f]{32,}|gsk_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{30,}|[sr]k_(?:live|test)_\w{12,}"
     r"|whsec_[\w+/=-]{16,}|hv[sbr]\.[\w-]{16,}|tskey-\w{1,20}-[\w-]{8,}|tgp_v1_[\w-]{16,}|r8_[A-Za-z0-9]{30,}"
     r"|xai-[A-Za-z0-9]{30,}|wandb_v1_\w{16,}|SWM(?:TKN|KEY)-1-[\w/+-]{20,}|api_org_[A-Za-z]{20,}"
     r"|SG\.[\w-]{16,}\.[\w-]{16,}|\d{8,10}:AA[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*|AGE-SECRET-KEY-1\w{16,})"),
    (("private key",), r"(?P<keep>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)[^-\n]+"),
    *_OF_PROGRAMS,
)  # fmt: skip
"""Signs of which one stands in every text that has the shape, in small letters; none: `_NAMES` finds it."""
_SIGNS = tuple(sign for signs, _ in _SHAPES for sign in signs)
_NAMES = re.compile(
    r"""(?:key|token|pass(?:word|wd|phrase|code)?|secret|pwd|pw|api[-_]ke?|hf[-_]to?k?e?|_auth)["'\\ \t=:]"""
)
_BODY = re.compile(r"[A-Za-z0-9+/=]{1,120}")
_MOST_BODY = 400
_OFTEN = 400
_learned: list[str] = []


def secret_name(name: str) -> bool:
    """An environment variable or a key of that name holds a secret."""
    return _NAME.fullmatch(name) is not None


def secret_flag(word: str) -> bool:
    """The word after this flag is a secret (`--api-key`, and as vLLM's parser reads it: `--api_ke`)."""
    return _FLAG_WORD.fullmatch(word) is not None


def learn(values: Iterable[str], shortest: int = LEAST_GIVEN) -> None:
    """From now on these are hidden wherever they stand, line by line, and as a shell quotes them."""
    lines = {line.strip() for value in values for line in value.splitlines()}
    new = {line for line in lines if len(line) >= shortest and not _NO_SECRET.fullmatch(line)}
    quoted = {line.replace("'", "'\"'\"'") for line in new}
    if more := (new | quoted) - set(_learned):
        _learned[:] = sorted((*_learned, *more), key=len, reverse=True)
        _seen.cache_clear()


def learn_environment(environment: Mapping[str, str]) -> None:
    """The values of the variables whose names look secret."""
    learn((value for name, value in environment.items() if secret_name(name)), LEAST)


def learn_words(words: Sequence[str]) -> None:
    """What an argv says by a secret name: `--api-key K`, `-e HF_TOKEN=V`, `--set HF_TOKEN=V`."""
    for before, word in zip(("", *words), words, strict=False):
        learn(_behind(before, word))


def redact(text: str) -> str:
    """`text` with every secret as `***`: what has the shape of one, and what was learned.

    What cannot be written as UTF-8 (undecodable bytes of an argv) becomes `?`.
    """
    return _seen(text) if len(text) <= _OFTEN else _redacted(text)


def _redacted(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    for value in _learned:
        text = text.replace(value, STARS)
    low = text.lower()
    named = _NAMES.search(low) is not None
    if not named and not any(sign in low for sign in _SIGNS):
        return text
    if "PRIVATE KEY" in text and "\n" in text:
        return "\n".join(map(LineRedactor(), text.split("\n")))
    return _starred(text, shapes(), named=named)


def _starred(text: str, some: _Compiled, *, named: bool = False) -> str:
    low = text.lower()
    for signs, shape in some:
        if any(sign in low for sign in signs) if signs else named:
            text = shape.sub(rf"\g<keep>{STARS}", text)
    return text


_seen = lru_cache(maxsize=2048)(_redacted)
"""A screen draws the same few words over and over."""


@cache
def shapes() -> _Compiled:
    """The signs and the pattern of each shape; most runs of the program look for none of them."""
    return tuple((signs, re.compile(source)) for signs, source in _SHAPES)


class LineRedactor:
    """Redacts one line after another of one text: also a private key, which goes over several."""

    __slots__ = ("_left", "_words")

    def __init__(self) -> None:
        self._left = self._words = 0

    def __call__(self, line: str) -> str:
        """The line without its secrets."""
        words = line.split(" ")
        if self._left and "-----END" not in line and (":" in line or len(words) <= self._words):
            self._left -= 1
            hide = _BODY.fullmatch(words[-1].rstrip("\r\n")) is not None
            return " ".join((*words[:-1], STARS)) if hide else redact(line)
        before, begin, rest = line.partition("-----BEGIN ")
        begins = begin and "PRIVATE KEY" in rest and "-----END" not in rest
        self._left, self._words = (_MOST_BODY, len(before.split(" "))) if begins else (0, 0)
        return redact(line)


def presentable(text: str) -> str:
    """`text` as it may be shown: neither secrets nor what a terminal would obey."""
    return redact(printable(text))


def command_line(argv: Sequence[str]) -> str:
    """An argv as a shell takes it, without its secrets."""
    return shlex.join(redact_words(argv))


def redact_words(words: Sequence[str]) -> tuple[str, ...]:
    """An argv, or lines, without secrets: also the word after `--api-key`, and all of `NAME=…`."""
    line = LineRedactor()
    found: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        secret = "".join(_behind(before, word))
        found.append(word.removesuffix(secret) + STARS if secret else line(word))
    joined = shlex.join(found)
    if (starred := _starred(joined, shapes()[-len(_OF_PROGRAMS) :])) != joined:
        with suppress(ValueError):
            found = shlex.split(starred)
    return tuple(found)


def _behind(before: str, word: str) -> tuple[str, ...]:
    """What of a word is secret: all of it behind a flag, the value of `NAME=V`, `--env=NAME=V`."""
    name, equals, value = word.partition("=")
    if name in ("--env", "--build-arg", "--set", "-e"):
        name, equals, value = value.partition("=")
    if secret_flag(before) and word[:2] != "--":
        value = word
    elif not (equals and (secret_name(name) or secret_flag(name))):
        return ()
    return () if _NO_SECRET.fullmatch(value) else (value,)


def redact_data(data: Any) -> Any:
    """JSON-like `data` without its secrets; lists of text are argv, secret keys hide their value."""
    if isinstance(data, str):
        return redact(without_escapes(data))
    if isinstance(data, Mapping):
        hidden = {k for k, v in data.items() if secret_name(str(k)) and isinstance(v, str) and v}
        return {k: STARS if k in hidden else redact_data(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        if all(isinstance(item, str) for item in data):
            return list(redact_words(data))
        return [redact_data(item) for item in data]
    return data
