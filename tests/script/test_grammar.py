"""One grammar in all three places; the word that is wrong is the one that is named.

Whatever is typed, a person reads a sentence. No test here shows
what a verb does, only how words are understood.
"""

from __future__ import annotations

import random
import shlex

import pytest

from sparkconsole.cli import main, run
from sparkconsole.config.globals import GLOBALS, Options, Origin, split_words
from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.forms import fields
from sparkconsole.verbs.grammar.registry import GROUPS, MODULES, load
from tests.global_options import read_globals

WRONG = [
    ("-v", "there is no option -v; did you mean -V"),
    ("--verbose", "there is no option --verbose; did you mean --version?"),
    ("--foo", "there is no option --foo"),
    ("--install-completion", "there is no option --install-completion; did you mean the verb completion?"),
    ("--", "no verb stands before --"),
    ("-- status", "no verb stands before --"),
    ("--jsn status", "there is no option --jsn; did you mean --json?"),
    ("--dryrun launch", "there is no option --dryrun; did you mean --dry-run?"),
    ("launch --dryrun", "there is no option --dryrun; did you mean --dry-run?"),
    ("status --jsn", "there is no option --jsn; did you mean --json?"),
    ("image list --nods a", "there is no option --nods; did you mean --nodes?"),
    ("image --jsn list", "there is no option --jsn; did you mean --json?"),
    ("image bogus", "there is no verb image bogus"),
    ("image biuld", "there is no verb image biuld; did you mean image build?"),
    ("lanch", "there is no verb lanch; did you mean launch?"),
    ("download m", "there is no verb download; did you mean model download?"),
    ("serve stpo", "there is no verb serve stpo; did you mean serve stop?"),
    ("-nspark-01 status", "there is no option -nspark-01; did you mean -n spark-01?"),
    ("status -uann", "there is no option -uann; did you mean -u ann?"),
    ("--user a;b status", "--user 'a;b' is wrong: a login begins with no '-' and has no spaces"),
    ("--user=-x status", "--user '-x' is wrong: a login begins with no '-'"),
    ("\x1a", "there is no verb '\\x1a'"),
    ("image \x07", "there is no verb image '\\x07'"),
    ("help launch stop", "there is no verb launch stop"),
    ("help help help", "there is no verb help help"),
    ("help serve stop now", "there is no verb serve stop now"),
    ("sparkconsole status", "a line here begins with the verb"),
    ("sparkconsole image list", "say image list"),
    ("status && node list", "&& belongs to a shell"),
    ("status | cat", "| belongs to a shell"),
    ("node exec spark-01 -- uptime", "spark-01 stands before --"),
    ("node exec --timeout 5 git checkout -- file", "git stands before --"),
    ("lanch --help", "there is no verb lanch; did you mean launch?"),
    ("help image biuld", "there is no verb image biuld; did you mean image build?"),
    ("--nodes", "--nodes needs a value"),
    ("status --nodes", "--nodes needs a value"),
    ("--user --dry-run status", "--user needs a value"),
    ("--json=yes status", "--json takes no value"),
    ("--config= status", "--config needs a value"),
    ("--demo=0 status", "--demo=0: a pretend cluster has 1 to 64 machines, not 0"),
    ("--demo=-3 status", "--demo=-3: a pretend cluster has 1 to 64 machines, not -3"),
    ("--demo=65 status", "1 to 64 machines"),
    ("--demo=2.5 status", "--demo=2.5 is no number of machines and no name"),
    ("--demo=../x status", "--demo=../x is no number of machines and no name"),
    ("--demo=lab:0 status", "1 to 64 machines"),
    ("--demo=99999999999999999999 status", "1 to 64 machines"),
    ("image copy --to", "--to needs a value"),
    ("image copy --to --from a", "--to needs a value"),
    ("logs --tail", "--tail needs a value"),
    ("logs --tail= ", "--tail needs a value"),
    ("logs --tail abc", "--tail is a whole number, not 'abc'"),
    ("launch --backend rya", "--backend is one of ray, none, solo, not 'rya'; did you mean ray?"),
    ("status --count 1 --count 2", "--count is said twice"),
    ("--user a --user b status", "--user is said twice"),
    ("node add a", "node add needs ADDRESS"),
    ("stop everything", "stop takes no everything"),
    ("--follow logs", "--follow stands before its verb; it belongs behind logs"),
    ("--script x status", "--script runs a file of words, and status stands beside it"),
    ("--set A=1 status", "--set is for a script"),
    ("--demo 3 status", "the value of --demo stands behind an equals sign: --demo=3"),
    ("status --demo 3", "the value of --demo stands behind an equals sign: --demo=3"),
    ("--demo lab status", "the value of --demo stands behind an equals sign: --demo=lab"),
    ("--yes prune image prune", "the value of --yes stands behind an equals sign: --yes=prune"),
    ("--demo lanch", "there is no verb lanch; did you mean launch?"),
    ("image build -t a -tp 2", "-t is said twice: -tp is -t too"),
    ("serve a b", "serve takes no b"),
    ("serve a b", "sparkconsole serve MODEL -- b"),
    ("serve a b -- --foo", "serve takes no b"),
    ("serve -- --port 1", "serve needs MODEL in front of --"),
    ("bench run x", "bench run takes no x"),
    ("serve m --enable-prefix-caching", "there is no option --enable-prefix-caching\n"),
    ("serve m --enable-prefix-caching", "sparkconsole serve MODEL -- --enable-prefix-caching"),
    ("serve m --kv-cache-dtype=fp8", "sparkconsole serve MODEL -- --kv-cache-dtype=fp8"),
    ("bench run --goodput ttft:1", "sparkconsole bench run -- --goodput"),
    ("serve m --prot 1", "there is no option --prot; did you mean --port?"),
]


@pytest.mark.parametrize(("line", "cause"), WRONG)
def test_the_wrong_word_is_named(line: str, cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    told = capsys.readouterr()
    assert cause in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--user", "", "status"], "--user needs a value\n"),
        (["--user", "a b", "status"], "--user 'a b' is wrong: a login begins with no '-' and has no spaces"),
        ([""], "there is no verb ''"),
        ([" "], "there is no verb ' '"),
        (["image", "\u200b"], "there is no verb image '\\u200b'"),
    ],
)
def test_a_word_that_cannot_be_seen_is_shown(
    words: list[str], cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert cause in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "-V",
        "--demo --version",
        "status -V",
        "--jsn --version",
        "image bogus -V",
        "--version --nodes",
    ],
)
def test_the_version_is_said_wherever_it_is_asked_for(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(line.split())
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("sparkconsole 0.")


def test_the_version_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "--version"]) == 0
    assert capsys.readouterr().out.startswith('{"version": "0.')


def test_a_commands_own_words_are_left_alone() -> None:
    for line in ("exec -- cmd --version --help --json", "exec cmd --version --help --json"):
        assert understand(line.split()).args == ("cmd", "--version", "--help", "--json")
    assert understand(["node", "exec", "--", "cmd", "-V", "--nodes"]).args == ("cmd", "-V", "--nodes")
    assert understand(["serve", "org/m", "--json", "--", "--nodes", "3", "-h"]).kwargs == {}
    request = understand(["exec", "--node", "a", "--json", "-i", "ls", "--yes"])
    assert (request.args, request.kwargs["node"], request.given) == (("ls", "--yes"), "a", {"json": True})


# --- the same in all three places

ANYWHERE = (
    "--dry-run",
    "--json",
    "--yes",
    "--yes=stop",
    "--nodes a,b",
    "-n a",
    "--user u",
    "--read-only",
    "--cluster c",
)


@pytest.mark.parametrize("place", list(Origin))
@pytest.mark.parametrize("option", ANYWHERE)
@pytest.mark.parametrize("verb", ["stop", "image list", "node add a b", "serve org/m -tp 2"])
def test_an_option_holds_before_between_and_after_the_words(place: Origin, option: str, verb: str) -> None:
    words = verb.split()
    plain = understand(words, place)
    for index in range(len(words) + 1):
        said = [*words[:index], *option.split(), *words[index:]]
        if words[index - 1 : index] == ["-tp"]:
            continue
        request = understand(said, place)
        assert (request.verb, request.args, request.kwargs) == (plain.verb, plain.args, plain.kwargs)
        assert request.given == split_words(option.split()).given
        assert read_globals(said)[0] == split_words(option.split()).over(Options())


@pytest.mark.parametrize("place", [Origin.CONSOLE, Origin.SCRIPT])
@pytest.mark.parametrize("option", [o for o in GLOBALS if o.whole_run])
def test_what_holds_for_a_whole_run_is_refused_in_a_line(place: Origin, option: object) -> None:
    name = option.names[0]  # type: ignore[attr-defined]
    with pytest.raises(WrongUsage, match=rf"{name} holds for a whole run, not in {place}") as caught:
        understand(["status", name, "x"], place)
    assert caught.value.hint


@pytest.mark.parametrize("place", list(Origin))
@pytest.mark.parametrize(
    "line", ["--version", "status -V", "--help", "image --help", "status -h", "help stop"]
)
def test_version_and_help_are_words_everywhere(place: Origin, line: str) -> None:
    assert understand(line.split(), place).verb.local


# --- whatever is typed


def _heap() -> list[str]:
    """Words that are right, nearly right, and nothing at all."""
    known = [name for option in GLOBALS for name in option.names]
    flags = [flag for words in load() for field in fields(" ".join(words)) for flag in field.flags]
    seconds = [words[1] for words in load() if len(words) > 1]
    junk = [
        "",
        "-",
        "--",
        "---",
        "-x",
        "--=",
        "--=x",
        "=",
        "x",
        "-1",
        "0",
        "ü",
        "a b",
        "'",
        "\\",
        "${X}",
        "--no-json",
    ]
    junk += [
        "--yes=",
        "--demo=",
        "--demo=lab",
        "--demo=0",
        "--nodes=",
        "--json=1",
        "--tail=",
        "--help=1",
        "-V=1",
    ]
    junk += [
        "-n=a",
        "-nA",
        "-tp",
        "\x00",
        "\udcff",
        "--\x1b[31m",
        "9" * 5000,
        "--set=A",
        "--script=-",
        "%s",
        "{0}",
    ]
    return [*known, *flags, *MODULES, *seconds, *junk, "--help", "-h", "--version", "-V"]


@pytest.mark.parametrize("seed", range(8))
def test_random_words_end_in_a_request_or_in_a_sentence(seed: int) -> None:
    """Anything but SparkError fails this test by itself; what is refused names one of the words."""
    heap, chance = _heap(), random.Random(seed)
    firsts = [*MODULES, *GROUPS, *(" ".join(words) for words in load())]
    for _ in range(400):
        words = chance.choices(heap, k=chance.randint(0, 5))
        if chance.random() < 0.6:
            words[chance.randint(0, len(words)) : 0] = chance.choice(firsts).split()
        error = _refusal(words, chance.choice(list(Origin)))
        if error is not None:
            assert error.exit_code == 2, shlex.join(words)
            assert error.hint, shlex.join(words)
            assert _names_one(error.cause, words), (words, error.cause)


def _refusal(words: list[str], place: Origin) -> SparkError | None:
    try:
        understand(words, place)
    except SparkError as error:
        return error
    return None


def _names_one(cause: str, words: list[str]) -> bool:
    parts = {w for word in words for w in (word, word.partition("=")[0], repr(word.partition("=")[2])) if w}
    return not words or any(part in cause or repr(part) in cause for part in parts) or "verb" in cause


@pytest.mark.parametrize("verb", ["serve", "model fit"])
def test_how_a_model_is_split_has_the_same_words_everywhere(verb: str) -> None:
    for letter, whole in (("tp", "tensor"), ("pp", "pipeline"), ("dp", "data")):
        for flag in (f"--{letter}", f"-{letter}", f"--{whole}-parallel-size"):
            assert understand([*verb.split(), "m", flag, "2"]).kwargs[letter] == 2


def test_what_stands_behind_goes_on_byte_for_byte() -> None:
    assert understand(["serve", "m", "--tp", "2", "--", "--swap-space", "-- x"]).args == (
        "m",
        "--swap-space",
        "-- x",
    )
    assert understand(["serve", "--model", "m", "--", "b"]).args == ("m", "b")
    assert understand(["bench", "run", "--", "--goodput", "ttft:1"]).args == ("--goodput", "ttft:1")
