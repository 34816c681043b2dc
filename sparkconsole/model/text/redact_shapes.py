"""The shapes that secrets have: patterns only, which `redact` asks.

Shapes follow what vllm, docker, curl, Hugging Face, NVIDIA and GitHub use. Counts of tokens are no secrets.
"""

from __future__ import annotations

import re


def _no_part(word: str, *parts: str) -> str:
    """Behind `word`: what a name has before it is none of these; those of one length together."""
    return "".join(rf"(?<!(?<![A-Za-z])(?i:(?:{p}){dash}{word}))" for p in parts for dash in ("[-_]", ""))


_COUNT = r"""(?!["']?[ \t]{0,9}[=:]{1,2}[ \t]{0,9}\d{1,6}(?![\w.-]))"""
_OF_TEXT = _no_part(
    "token", "in", "[be]os|pad|unk|sep|cls|end|per|max|min|num", "mask|stop|next", "image|video|audio|start"
)
_OVER_CODE = _no_part("pass", "pre|two", "post|grad", "first|graph", "custom|fusion|second", "forward")
_RANK = r"""["']?[ \t]{0,9}[=:]{1,2}[ \t]{0,9}["']?(?:rank|node|worker|stage|host|gpu)[-_]?\d"""
_WORDS = (
    rf"api[-_ ]?key|pass(?:word|wd|phrase|code|(?:(?<=[a-z\d][-_]pass)|(?-i:(?<=[a-z]Pass))){_OVER_CODE}"
    rf"{_COUNT})|(?:access|private|auth|signing|encryption|account|subscription|session)[-_]?key|master[-_]?key(?!{_RANK})"
    r"|secret(?:[-_]?(?:access[-_]?)?key)?|(?:identity|registry)token|pwd?(?:(?<=[a-z][-_]pw)|(?<=[a-z][-_]pwd))"
    r"|_auth(?:(?<![\w.]_auth)|(?<=config__auth))"
)
_TOKEN = (
    r"(?:(?<![a-zA-Z])(?i:hf|hub|auth|access|refresh|bearer|api|secret|id|session|[cx]srf|git(?:hub|lab)?|gh|npm"
    r"|pypi|slack|bot|jwt|oauth2?|user|private|personal|join|ngc|wandb|vault|deploy|security|service|sas)[-_]?"
    rf"(?i:token)|(?:TOKEN|Token(?<=[a-z]Token)){_OF_TEXT}){_COUNT}"
)
_SUFFIX = (  # which of several it is; `_PATH`, `_FILE` and the like name no secret
    r"(?:(?<!pass)(?<!Pass)(?:[-_]?\d{1,2}|_(?i:prod(?:uction)?|dev(?:elopment)?|stag(?:e|ing)|test(?:ing)?|qa|live"
    r"|old|new|primary|secondary|backup|main|default|admin|root|read|write|r[ow]))(?![\w-])"
    r"|(?<=[Kk]ey)s(?![\w-])|(?<=KEY)S(?![\w-])|(?<=SECRET)S(?![\w-])|(?<=PASSWORD)S(?![\w-]))"
)
_CREDENTIALS = r"""(?<!APPLICATION_)CREDENTIALS?(?=["' \t]{0,3}=|["'][ \t]{0,3}:|\Z)"""
_NAMED = (
    rf"(?:(?:(?i:{_WORDS})|(?:_|SSH)PASS|CLI_AUTH){_SUFFIX}?|{_TOKEN}(?:{_SUFFIX}{_COUNT})?|{_CREDENTIALS})"
)
_BARE_TOKEN = rf"(?<![a-zA-Z0-9])(?i:token){_OF_TEXT}"
_FLAG = (
    rf"--?(?!no[-_])(?:[A-Za-z][\w-]*[-_])?(?:"
    rf"(?i:{_WORDS})|token|pass|pw|api[-_]k(?:ey?)?|hf[-_]t(?:o(?:ke?)?)?)"
)
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
_BEGIN = r"[|>][-+\d]{0,2}[ \t]{0,9}"
"""What stands behind a key of YAML before a block of lines."""
_ELSEWHERE = r"!(?i:env|secret|ref|sub|include|getatt)\b"
"""A tag of YAML that names where the value is; any other stands before it."""
_TAG = rf"(?:(?!{_ELSEWHERE})!\w{{1,20}}[ \t]{{1,9}})?+"
_INNOCENT = (  # also what `passwd` answers, and what a program's source says a value is
    rf"""(?!(?i:{_PROSE})(?![^\s"',;:&\])}}…])|{_NO_VALUE}|{_PLACE}|{_STAND_IN}|{_ELSEWHERE}|{_BEGIN}(?![^\r\n])"""
    r"""|(?i:password|authentication"""
    r"|all|you|user|permission|unrecogni[sz]ed|unknown|can(?:not|'t)|changing|updated|changed|unchanged|expired"
    r"|incorrect|wrong|bad|warning:|error:|enter)[ \t]+[A-Za-z']"
    r"""|["']?(?:\w{1,20}\.)?(?:(?:Optional|Union|Annotated|Literal|Final|ClassVar|[Ll]ist|[Dd]ict|[Tt]uple"""
    r"|Sequence)\[|Secret(?:Str|Bytes)(?![\w(])|Option<|(?:str|bytes|int|bool|None|Any)\|))"
)
_QUOTED = r"""\\"[^"\n]*"?|[bru]?"(?:[^"\\\n]|\\.)*"?|[bru]?'(?:[^'\\\n]|\\.)*'?"""
_JOINED = (
    r"""(?:'(?:[^\s':,;&)\]}][^\s',;&)\]}]{0,200})?'|"(?:[^\s":,;&)\]}][^\s",;&)\]}]{0,200})?\""""
    r"""|(?<=['"])[\w+/=.~!@#$%^*-]+)*+"""
)
"""What a shell joins to a quoted part: `'a'K`, `a''K`; nothing with blanks, which could be outside."""
_VALUE = rf"""(?:\w{{0,30}}\()?\[?(?:{_QUOTED}|{_SIGN}+){_JOINED}"""
_BLANK = r"[ \t\xa0\u2007\u202f\u3000]"
_IS = rf"""(?>\\?["']?{_BLANK}{{0,40}}(?:=>|:=|={{1,2}}|:(?![:/])){_BLANK}{{0,40}})"""
_HEADER = rf"""(?>\\?["']?{_BLANK}{{0,4}}[:=]{_BLANK}{{0,4}}\\?["']?)"""
_LINE = r"""[^"'\\\s][^"'\\\n]*"""
_SCHEME = "(?i:basic|bearer|token|digest|negotiate|ntlm|AWS4-HMAC-SHA256)"
_IN_BASE64 = (  # in base64: its first letters are text, and one of them is a colon
    r"(?:[I-Za-f][A-Za-z0-9+/]{3}){0,60}?(?:O[g-v][\w+/=]{2}|[I-Za-f][DTjz][o-r][\w+/=]"
    r"|[I-Za-f][A-Za-z0-9+/][AEIMQUYcgkosw048]6)[A-Za-z0-9+/]{0,900}={0,2}(?![\w+/=])"
)
_PROGRAM = r"""[^\n|;]{0,200}?\s"""

_SINGLE = r"""(?:[^'\n]|'"'"')+"""
_WITHIN = {"'": _SINGLE, '"': r"""(?:[^"\\\n]|\\.)+"""}
"""What stands in quotes; a single one in single ones as `shlex` has it."""
_GAP = r"(?:=|[ \t]{1,9}+)?+"
_GLOBAL = r"(?:[ \t]{1,9}-\S{1,80}(?:[ \t]{1,9}(?!login\b)[^\s-]\S{0,200})?){0,6}"
_LOGIN = rf"(?:docker|podman|nerdctl){_GLOBAL}[ \t]{{1,9}}login\b"
_MYSQL = r"(?:mysql|mariadb)(?:-?(?:dump|admin))?"
_USER = rf"(?:-[A-Za-z#]{{0,8}}[uU]|--(?:proxy-)?user){_GAP}"
NAME = re.compile(rf"[\w.-]*?(?:{_NAMED}|{_BARE_TOKEN}|(?<![a-zA-Z0-9])(?i:pass){_OVER_CODE})")
BLOCK = re.compile(
    rf"""(?:{_NAMED}|{_BARE_TOKEN})["']?:[ \t]{{1,9}}(?:!\w{{1,20}}[ \t]{{1,9}})?{_BEGIN}\r?$""", re.M
)
"""A key of YAML whose value is the deeper lines behind it."""
HEADER_NAME = re.compile(r"(?i:(?:proxy[-_])?authorization|(?:set[-_])?cookie)")
FLAG_WORD = re.compile(_FLAG)
AWAITS = re.compile(  # `NAME=` alone is an empty value
    rf"(?:(?:{_NAMED}|{_BARE_TOKEN})(?::| (?:=>|:=|={{1,2}}|:))|(?i:cookie) ?:"
    rf"|(?i:authorization) ?[:=](?: ?{_SCHEME})?)\Z"
)
"""Words of an argv after which a value comes as a word of its own: a header, or an assignment, in pieces."""
OF_A_STORE = re.compile(rf"(?i:master[-_]?key){_RANK}")
"""A key under which ranks meet."""
NO_SECRET = re.compile(rf"""(?i:{_PROSE})?|(?:{_NO_VALUE}|{_PLACE}).*|{_STAND_IN}""")
OF_PROGRAMS = (
    (("login", "sshpass", "mysql", "mariadb", "redis-cli", " config set"),
     rf"(?P<keep>\b(?:{_LOGIN}{_PROGRAM}-p{_GAP}|sshpass\s{{1,9}}-p{_GAP}|{_MYSQL}\b{_PROGRAM}-p"
     rf"|redis-cli\b{_PROGRAM}-a\s{{1,9}}+|(?:p?npm|yarn) config set\s\S{{0,200}}_(?:auth|authToken|password)"
     rf"[ =])){_OPEN}(?:'{_SINGLE}'?|{_QUOTED}|[^\s\"'-][^\s\"']*){_JOINED}"),
    *((("-p",), rf"(?P<keep>\b(?:{_LOGIN}{_PROGRAM}|sshpass\s{{1,9}}|{_MYSQL}\b{_PROGRAM}){q}-p){_OPEN}"
       rf"{_WITHIN[q]}") for q in _WITHIN),
    *((("curl",), rf"(?P<keep>\bcurl\b{_PROGRAM}{_USER}{q}[^:'\"\n]{{1,80}}:){_OPEN}{_WITHIN[q]}")
      for q in _WITHIN),
    (("curl",), rf"""(?P<keep>\bcurl\b{_PROGRAM}{_USER}[^\s:'"]{{1,80}}:){_OPEN}(?:{_QUOTED}|[^\s'"]+)"""
     rf"{_JOINED}"),
    (("cookie", "curl"),
     rf"""(?P<keep>(?:\s--cookie{_GAP}|\bcurl\b{_PROGRAM}-[A-Za-z#]{{0,8}}b{_GAP})['"]?+)"""
     rf"""{_OPEN}(?:(?<=')[^'\n=]{{1,200}}=[^'\n]+|(?<=")[^"\n=]{{1,200}}=[^"\n]+"""
     r"""|[^\s"'=]{1,200}=[^\s"']+)"""),
    (("wandb login",), rf"(?P<keep>\bwandb login\b{_PROGRAM})(?:local-)?[0-9a-f]{{40}}"),
)  # fmt: skip
"""What only the words before it make a secret: in an argv too."""
SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    # A word that a shell puts in quotes, `'NAME=a b'`; a name and its value; a token; a flag and its value.
    ((), rf"(?P<keep>'[\w-]{{0,80}}?{_NAMED}=){_INNOCENT}[^'\n]+"),
    ((), rf"(?P<keep>(?:(?i:api[-_]?keys)|(?:SECRET|PASSWORD)S)=){_INNOCENT}[^\s\"';&\])}}]++"),
    ((), rf"(?P<keep>{_NAMED}{_IS}{_TAG}\[?+){_INNOCENT}{_VALUE}"),
    ((), rf"(?P<keep>{_NAMED}{_IS}\{{[ \t]{{1,9}})(?=\S{{0,80}}\d)(?=\S{{0,80}}[A-Za-z])"
     rf"[^\s\"'{{}}:,=()]{{6,}}(?=[ \t]{{1,9}}\}})"),
    (("</",),
     rf"(?P<keep><[\w:.-]{{0,60}}?(?:{_NAMED}|{_BARE_TOKEN})(?:\s[^<>\n]{{0,200}})?>\s{{0,9}})"
     rf"{_INNOCENT}[^<\s][^<\n]*(?=</)"),
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
     rf"(?:{_SCHEME}[ \t]+)?+)(?!{_SCHEME}(?:\\?[\"']|\s{{0,9}}\Z)){_INNOCENT}{_LINE}"),
    (("authorization",), rf"(?P<keep>(?i:authorization){_HEADER}{_SCHEME}\\?[\"'][ \t]{{1,9}}[\"']?)"
     rf"(?!-|(?i:https?://)){_INNOCENT}[^\s\"']{{2,}}"),
    (("cookie",), rf"(?P<keep>(?<![A-Za-z_])(?i:(?:set-)?cookie)(?!=){_HEADER}){_INNOCENT}{_LINE}"),
    (("basic",), rf"(?P<keep>\b(?i:basic)[ \t]{{1,9}}){_IN_BASE64}"),
    (("bearer",), r"(?P<keep>\b(?i:bearer)\s+)(?!(?i:auth|token))[A-Za-z0-9._~+/=-]{8,}"),
    # Addresses: USER:PASSWORD@HOST, TOKEN@HOST on the web, queries, hooks.
    (("@",), rf"(?P<keep>://[^/\s:@]{{0,200}}:){_OPEN}[^/\s]{{1,400}}(?=@)"),
    (("@",), rf"""(?P<keep>://[^/\s:@"'<>]{{1,200}}:){_OPEN}(?!\d{{1,5}}(?:/|-\d)|[<\[]|\$)"""
     r"""[^\s@"'<>]{1,400}(?=@[A-Za-z\d\[])"""),
    (("@",), rf"(?P<keep>(?i:https?)://){_OPEN}(?!git@)[^/\s:@]{{1,400}}(?=@)"),
    (("@",), r"(?P<keep>(?i:https?)://)[^/\s:@]{16,400}(?=:[^/\s@]{1,400}@)"),
    (("@",), rf"(?P<keep>(?<![\w/:.@+-])(?!mailto:)[A-Za-z][\w.-]{{0,40}}:)(?!\d{{1,7}}@){_OPEN}"
     r"""[^\s:@/"'(),]{1,200}(?=@(?!sha\d)(?:[A-Za-z]|\d{1,3}(?:\.\d{1,3}){3}))"""),
    (("?", "&"),
     r"(?P<keep>[?&](?i:key|sig|signature|code|auth|token|pw|pass|x-(?:amz|goog)-(?:signature|credential))=)"
     rf"""{_OPEN}(?!(?i:{_PROSE})(?![^\s&"'#;,)]))[^&\s"'#]+"""),
    (("hooks",), r"(?P<keep>\b(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/)[\w/-]+"),
    (("password",),
     r"(?P<keep>\b(?:machine\s\S{1,200}|default|login\s\S{1,200})\s(?:account\s\S{1,80}\s)?password\s)\S+"),
    (("password",), r"(?m:(?P<keep>^[ \t]{0,20}password[ \t])(?=\S{0,200}[^a-z\s])\S+[ \t]*$)"),
    (('"auth"',), r"""(?P<keep>"auth"\s{0,4}:\s{0,4}")[A-Za-z0-9+/=]{8,}"""),
    # What is one by itself.
    (("hf_",), r"(?P<keep>)\bhf_(?:(?:oauth|jwt)_(?=[\w.-]{0,80}[A-Z0-9])[\w.-]{7,}\w"
     r"|(?=[A-Za-z0-9]{0,80}[A-Z0-9])[A-Za-z0-9]{8,}|[a-z]{30,})"),
    (("nvapi-", "sk-", "_pat_", "_oat_", "xox", "xapp-", "akia", "asia", "aiza", "ya29.", "npm_", "pypi-",
      "dop_v1_", "gsk_", "pplx-", "k_live_", "k_test_", "whsec_", "tskey-", "tgp_v1_", "xai-", "swmtkn-",
      "r8_", "swmkey-", "wandb_v1_", "api_org_", "sg.", ":aa", "eyj", "age-secret", "ghp_", "gho_", "ghu_",
      "ghs_", "ghr_", "glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "hvs.", "hvb.", "hvr."),
     r"(?P<keep>)(?<![\w-])(?:nvapi-[\w-]{10,}|sk-(?:(?=[\w-]{0,80}[A-Za-z0-9]{16})[\w-]{16,}|lf-[0-9a-f-]{36})|gh[pousr]_\w{16,}|github_pat_\w{16,}"
     r"|gl(?:pat|dt|rt|ptt|cbt)-[\w.-]{12,}|xox[abeoprs]-[\w-]{8,}|xapp-[\w-]{8,}|A[KS]IA[A-Z0-9]{16}\b"
     r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|dckr_[po]at_[\w-]{16,}"
     r"|dop_v1_[0-9a-f]{32,}|gsk_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{30,}|[sr]k_(?:live|test)_\w{12,}"
     r"|whsec_[\w+/=-]{16,}|hv[sbr]\.[\w-]{16,}|tskey-\w{1,20}-[\w-]{8,}|tgp_v1_[\w-]{16,}|r8_[A-Za-z0-9]{30,}"
     r"|xai-[A-Za-z0-9]{30,}|wandb_v1_\w{16,}|SWM(?:TKN|KEY)-1-[\w/+-]{20,}|api_org_[A-Za-z]{20,}"
     r"|SG\.[\w-]{16,}\.[\w-]{16,}|\d{8,10}:AA[\w-]{30,}|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*|AGE-SECRET-KEY-1\w{16,})"),
    (("private key",), r"(?P<keep>-----BEGIN[ \t][A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)[^-\n]+"),
    *OF_PROGRAMS,
)  # fmt: skip
"""Signs of which one stands in every text that has the shape, in small letters; none: `NAMES` finds it."""
SIGNS = tuple(sign for signs, _ in SHAPES for sign in signs)
NAMES = re.compile(
    r"""(?:key|token|pass(?:word|wd|phrase|code)?|secret|pwd|pw|api[-_]ke?|hf[-_]to?k?e?|_auth|credential)s?"""
    r"""(?:[-_]?\w{1,12})?["'\\\s=:>]"""
)
