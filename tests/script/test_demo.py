"""The whole console over the pretend cluster: what a person types, what comes out, and the exit code."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sparkconsole import cli
from sparkconsole.demo import cluster, stories
from sparkconsole.demo.clock import SCRIPT_SPEED, DemoClock
from sparkconsole.model.bench import RESULT_MARK
from sparkconsole.script.lines import read_script
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.grammar.dispatch import understand
from tests.conftest import ROOT

FIRST_RUN = ROOT / "examples" / "first-run.spark"


class Console:
    """Runs command lines; what they printed is kept apart by stream."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.out = self.err = ""

    def run(self, *words: str) -> int:
        code = cli.run(["--demo", *words])
        self.out, self.err = self.capsys.readouterr()
        return code

    def script(self, *lines: str, words: tuple[str, ...] = ("--yes",)) -> int:
        path = self.folder / "typed.spark"
        path.write_text("\n".join(lines))
        return self.run(*words, "--script", str(path))

    def documents(self) -> list[dict[str, Any]]:
        """Standard output as JSON, a document a line; anything else there fails the test."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def console(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Console:
    # The journal of one pretend session is shown to the next, as that of a real one is.
    monkeypatch.setattr(opening, "_demo_state", lambda _: tmp_path / "state")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
        monkeypatch.setattr(stories, name, 2.0)
    return Console(tmp_path, capsys)


UP = ("image build", "image copy --to all", "launch")


# --- the main job


def test_the_first_run_is_done_and_can_be_done_again(console: Console) -> None:
    lines = read_script(FIRST_RUN.read_text(), {})
    assert console.run("--yes", "--json", "--script", str(FIRST_RUN)) == 0, console.err
    said = console.documents()
    by_key = {key: document for document in said for key in document}
    assert by_key["changed"]["tag"] == "vllm-node"
    assert by_key["result"]["result"]["completed"] == 24
    assert by_key["ray"]["ray"] == {"state": "answers", "alive": 2, "expected": 2, "gpus": 2}
    assert by_key["ray"]["server"]["models"] == ["Qwen/Qwen3-0.6B"]
    assert [d["result"] for d in said[-1]["nodes"]] == ["stopped", "stopped"]

    assert console.run("--json", "runs", "list") == 0
    (listed,) = console.documents()
    assert {r["state"] for r in listed["runs"]} == {"done"}
    again = [
        list(line.words) for line in lines if line.words[0] not in ("check", "wait-for", "logs", "status")
    ]
    ids = [r["id"] for r in listed["runs"]]
    assert console.run("runs", "export", *ids) == 0
    exported = read_script(console.out, {})
    assert [list(line.words) for line in exported] == again
    for line in exported:
        understand(line.words)

    assert console.run("--json", "bench", "list") == 0
    (kept,) = console.documents()[0]["benches"]
    assert console.run("bench", "show") == 0
    assert "24 completed, 0 failed" in console.out
    assert console.run("bench", "show", kept["id"]) == 0
    launched = next(i for i in ids if "launch" in i)
    assert console.run("runs", "show", launched, "--output") == 0
    assert "start the head container" in console.out


def test_it_says_nothing_on_standard_output_but_answers(console: Console) -> None:
    assert console.script("launch --solo", "image build", "launch --solo") == 4
    assert console.out == ""
    assert console.script("image build", "launch --solo", "exec -- echo 'a b'") == 0
    assert "send the recipe" in console.err
    assert "send the recipe" not in console.out
    assert console.out.splitlines()[-1].endswith("echo a b")


# --- verbs, one by one


@pytest.mark.parametrize(
    "line", ["check", "status", "image list", "bench list", "runs list", "node list", "config show"]
)
def test_a_look_is_one_json_document(console: Console, line: str) -> None:
    console.run("--json", *line.split())
    (document,) = console.documents()
    assert document
    assert "error" not in document


def test_check_changes_nothing_and_names_what_is_missing(console: Console) -> None:
    assert console.run("check") == 0
    assert "image missing (vllm-node)" in console.out
    assert console.run("image", "list") == 0
    assert "vllm-node:" not in console.out


def test_launch_twice_and_stop_twice(console: Console) -> None:
    assert console.script(*UP, "launch", "stop", "stop", words=("--yes", "--json")) == 0, console.out
    *_, first, again, stopped, nothing = console.documents()
    assert {n["node"] for n in first["nodes"]} == {"spark-01", "spark-02"}
    assert again != first
    assert [n["result"] for n in stopped["nodes"]] == ["stopped", "stopped"]
    assert [n["result"] for n in nothing["nodes"]] == ["not_running", "not_running"]


@pytest.mark.parametrize("backend", ["ray", "none"])
def test_serve_twice_then_stop(console: Console, backend: str) -> None:
    lines = ("serve org/m --served-model-name tiny", "serve status", "serve org/m --served-model-name tiny")
    up = (*UP[:2], f"launch --backend {backend}")
    code = console.script(*up, *lines, "serve stop", words=("--yes", "--json"))
    assert code == 0, console.err
    *_, first, status, again, stopped = console.documents()
    assert (first["model"], first["state"]) == ("tiny", "ready")
    assert (status["model"], status["state"]) == ("tiny", "ready")
    assert again == {k: v for k, v in first.items() if k != "steps"}
    assert stopped["stopped"] is True
    assert stopped["nodes"] == {"spark-01": "ended", "spark-02": "ended"}
    assert all(before < after for before, after in stopped["available"].values()), "the memory is back"


def test_a_server_that_was_stopped_is_not_running(console: Console) -> None:
    assert console.script(*UP, "serve m", "serve stop", "serve status", words=("--yes", "--json")) == 1
    assert console.documents()[-1]["state"] == "not running"


def test_another_model_on_a_taken_port_is_refused(console: Console) -> None:
    assert console.script(*UP, "serve m", "serve other") == 4
    assert "port 8888 is taken; who listens there serves m" in console.err


def test_stop_ends_the_server_too(console: Console) -> None:
    assert console.script(*UP, "serve m", "stop", "launch", "serve status", words=("--yes", "--json")) == 1
    assert console.documents()[-1]["state"] == "not running"


def test_a_server_that_dies_is_told_with_its_first_cause_and_cleared(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = (
        "INFO 11-23 07:39:30 [x.py:1] Resolved architecture: LlamaForCausalLM",
        "(EngineCore pid=9) ERROR 11-23 07:39:31 [core.py:1] torch.OutOfMemoryError: CUDA out of memory.",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    )
    dying = stories.Story(tuple((0.5, line) for line in log), 1.0, status=1)
    monkeypatch.setattr(stories, "serve_story", lambda *_, **__: dying)
    code = console.script(*UP, "serve m", "serve status", words=("--yes", "--json", "--keep-going"))
    assert code == 1
    *_, failed, status = console.documents()
    assert failed["error"]["node"] == "spark-01"
    assert failed["error"]["cause"].startswith("the unified memory is used up")
    assert "(line 2 of its log)" in failed["error"]["cause"]
    assert "--gpu-memory-utilization" in failed["error"]["hint"]
    assert status["state"] == "not running"


@pytest.mark.parametrize("saved", [True, False], ids=["JSON", "report only"])
def test_a_benchmark_with_failed_requests_fails_though_vllm_does_not(
    console: Console, monkeypatch: pytest.MonkeyPatch, saved: bool
) -> None:
    report = (
        "ConnectionRefusedError: [Errno 111] Connect call failed",
        "Successful requests: 20",
        "Failed requests: 4",
    )
    result = json.dumps({"completed": 20, "failed": 4}) if saved else ""
    lines = tuple((0.5, line) for line in (*report, f"{RESULT_MARK} {result}"))
    monkeypatch.setattr(stories, "bench_story", lambda _: stories.Story(lines, 1.0, status=0))
    code = console.script(*UP, "serve m", "bench run --num-prompts 24", words=("--yes", "--json"))
    assert code == 1
    found = console.documents()[-1]
    assert found["error"] == "4 of 24 requests failed: Connect call failed"
    assert (found["result"]["completed"], found["result"]["failed"]) == (20, 4)


def test_a_benchmark_that_dies_says_why(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ((0.5, "ValueError: unknown dataset"), (0.5, f"{RESULT_MARK} "))
    monkeypatch.setattr(stories, "bench_story", lambda _: stories.Story(lines, 1.0, status=1))
    assert console.script(*UP, "serve m", "bench run") == 1
    assert "ended with status 1: unknown dataset" in console.err


def test_bench_without_a_server_is_refused(console: Console) -> None:
    assert console.script(*UP, "bench run") == 4
    assert "no model answers on port 8888" in console.err


def test_logs_are_of_both_nodes_and_only_as_many_as_asked(console: Console) -> None:
    assert console.script(*UP, "logs --tail 1", words=("--yes", "--json")) == 0
    told = [d for d in console.documents() if "line" in d or "text" in d or "time" in d]
    assert sorted(d["node"] for d in told) == ["spark-01", "spark-02"]


def test_exec_reaches_the_heads_container_with_its_words(console: Console) -> None:
    assert console.script(*UP, "exec -- python3 -c 'x y' '{\"a\": \"$b\"}' ü") == 0
    assert console.out.splitlines()[-1] == 'DEMO spark-01: python3 -c x y {"a": "$b"} ü'


@pytest.mark.parametrize("line", ["exec -- true", "logs", "launch", "serve m"])
def test_using_a_running_cluster_never_stops_it(console: Console, line: str) -> None:
    """Neither the end of what was asked nor the end of the console does."""
    assert console.script(*UP, line, "status", words=("--yes", "--json")) == 0, console.out
    assert [n["container"]["state"] for n in console.documents()[-1]["nodes"]] == ["running", "running"]


def test_eight_pretend_nodes(console: Console) -> None:
    assert cli.run(["--demo=8", "--json", "status"]) == 0
    nodes = json.loads(console.capsys.readouterr().out)["nodes"]
    assert len(nodes) == 8


@pytest.mark.parametrize("count", ["65", "-1"])
def test_a_number_of_nodes_that_cannot_be(console: Console, count: str) -> None:
    assert cli.run([f"--demo={count}", "status"]) == 2


# --- scripts


def test_a_script_stops_at_its_first_failure_with_its_code(console: Console) -> None:
    assert console.script("image list", "launch", "image list") == 4
    assert "[3]" not in console.err
    assert "stopped at line 2: launch" in console.err


def test_keep_going_does_the_rest_and_keeps_the_first_code(console: Console) -> None:
    assert console.script("launch", "image list", "bench show", words=("--yes", "--keep-going")) == 4
    assert "[3] bench show" in console.err


def test_a_typo_anywhere_means_that_nothing_happens(console: Console) -> None:
    assert console.script("image build", "lanch") == 2
    assert "[1]" not in console.err
    assert ":2: there is no verb lanch; did you mean launch?" in console.err
    assert not (console.folder / "state").exists() or not list((console.folder / "state").rglob("*.json"))


def test_a_variable_is_filled_in_and_a_missing_one_refused(console: Console) -> None:
    assert console.script(*UP, "serve ${MODEL}", "serve status", words=("--yes", "--set", "MODEL=org/x")) == 0
    assert "org/x answers at" in console.out
    assert console.script("image list", "serve ${NO_SUCH_NAME_HERE}") == 2
    assert "--set NO_SUCH_NAME_HERE" in console.err


def test_a_script_that_is_not_there(console: Console) -> None:
    assert console.run("--script", str(console.folder / "none")) == 2
    assert "cannot be read" in console.err


def test_a_dry_run_shows_plans_and_runs_nothing(console: Console) -> None:
    assert console.run("--dry-run", "--script", str(FIRST_RUN)) == 0
    assert "docker build -t vllm-node" in console.out
    assert "would wait for ray" in console.out
    for line in read_script(FIRST_RUN.read_text(), {}):
        assert f"[{line.number}]" in console.out
    assert console.run("--json", "runs", "list") == 0
    assert console.documents() == [{"runs": [], "unreadable": []}]


def test_a_dry_run_of_one_verb_runs_nothing_either(console: Console) -> None:
    assert console.run("--dry-run", "--json", "image", "build") == 0
    (document,) = console.documents()
    assert any("docker" in word for step in document["plan"]["steps"] for word in step["argv"])
    assert console.run("--json", "image", "list") == 0
    assert console.documents()[0]["images"] == {}


# --- refusals

CHANGING = [
    "image build",
    "image copy --to all",
    "launch",
    "stop",
    "serve m",
    "serve stop",
    "node restart spark-01",
]


@pytest.mark.parametrize("line", CHANGING)
def test_read_only_refuses_whatever_changes(console: Console, line: str) -> None:
    assert console.run("--yes", "--read-only", *line.split()) == 4
    assert "read-only" in console.err


@pytest.mark.parametrize("line", ["check", "status", "image list", "runs list"])
def test_read_only_looks(console: Console, line: str) -> None:
    assert console.run("--read-only", *line.split()) == 0


def test_without_yes_nothing_changes(console: Console) -> None:
    assert console.script("image build", words=()) == 4
    assert "not confirmed" in console.err
    assert "--yes" in console.err
    assert console.run("--json", "runs", "list") == 0
    assert console.documents()[0]["runs"] == []


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("chekc", "did you mean check?"),
        ("serv m", "did you mean serve?"),
        ("image biuld", "did you mean image build?"),
        ("runs exprot", "did you mean runs export?"),
        ("launch --rapair", "did you mean --repair?"),
        ("bench run --num-promts 4", "did you mean --num-prompts?"),
        ("image build --vllm-reff x", "did you mean --vllm-ref?"),
        ("stop everything", "sparkconsole stop --help"),
        ("zzzzzz", "sparkconsole --help"),
        ("--bogus status", "--help"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_and_runs_nothing(
    console: Console, line: str, nearest: str
) -> None:
    assert console.run("--yes", *line.split()) == 2
    assert nearest in console.err
    assert console.out == ""
    assert not list(console.folder.rglob("*.json"))


@pytest.mark.parametrize("line", ["chekc", "launch", "launch --nope", "bench show", "serve"])
def test_an_error_is_one_json_document_too(console: Console, line: str) -> None:
    code = console.run("--json", "--yes", *line.split())
    (document,) = console.documents()
    assert code in (2, 4)
    assert document["error"]["cause"]
    assert document["error"]["hint"]


def test_no_words_show_help_and_are_no_success(console: Console) -> None:
    assert console.run() == 2
    assert "image" in console.out


# --- what goes wrong


def nodes_of(document: dict[str, Any]) -> dict[str, Any]:
    return {n["node"]: n for n in document["nodes"]}


@pytest.mark.parametrize("kind", ["oom", "ray-dead"])
def test_a_container_that_ended_is_seen_and_repaired(console: Console, kind: str) -> None:
    lines = (f"demo fault spark-02 {kind}", "status", "launch --repair", "status")
    assert console.script(*UP, *lines, words=("--yes", "--json")) == 0, console.out
    *_, broken, _, mended = console.documents()
    ended = nodes_of(broken)["spark-02"]["container"]
    assert (ended["state"], ended["oom_killed"]) == ("ended", kind == "oom")
    assert broken["ray"]["alive"] == 1
    assert nodes_of(mended)["spark-02"]["container"]["state"] == "running"
    assert mended["ray"]["alive"] == 2


def test_a_server_whose_rank_died_is_not_running(console: Console) -> None:
    lines = ("serve m", "demo fault spark-02 oom", "launch --repair", "serve m", "serve status")
    assert console.script(*UP, *lines, words=("--yes", "--json")) == 0, console.out
    assert console.documents()[-1]["state"] == "ready"


def test_a_power_cut_is_unknown_and_never_stopped(console: Console) -> None:
    lines = ("demo fault spark-02 lost", "status", "stop", "demo clear spark-02", "stop")
    assert console.script(*UP, *lines, words=("--yes", "--json", "--keep-going")) == 3
    *_, status, stopped, _, again = console.documents()
    assert [n["state"] for n in status["nodes"]] == ["reachable", "unknown"]
    assert [n["result"] for n in stopped["nodes"]] == ["stopped", "unreachable"]
    assert [n["result"] for n in again["nodes"]] == ["not_running", "stopped"]


def test_one_full_disk_never_stops_the_other_copies(console: Console) -> None:
    lines = ("image build", "demo fault spark-02 disk-full", "image copy --to all", "image list")
    path = console.folder / "typed.spark"
    path.write_text("\n".join(lines))
    assert cli.run(["--demo=3", "--yes", "--json", "--keep-going", "--script", str(path)]) == 1
    console.out, console.err = console.capsys.readouterr()
    *_, copied, listed = console.documents()
    assert {r["host"]: r["state"] for r in copied["hosts"]} == {"spark-02": "failed", "spark-03": "copied"}
    assert {"spark-01", "spark-03"} == {
        n for n, found in listed["images"]["vllm-node:latest"].items() if found
    }


@pytest.mark.parametrize(
    ("line", "alive"),
    [("node restart spark-02", 2), ("node restart spark-01", 2), ("node reboot spark-02", 1)],
)
def test_a_node_that_started_again_works_again(console: Console, line: str, alive: int) -> None:
    lines = (line, "status", "launch --repair", "status")
    assert console.script(*UP, *lines, words=("--yes=reboot", "--json")) == 0, console.err
    *_, once, _, again = console.documents()
    assert [n["state"] for n in once["nodes"]] == ["reachable", "reachable"]
    assert once["ray"]["alive"] == alive, "a reboot starts nothing"
    assert again["ray"]["alive"] == 2


def test_an_image_that_differs_is_found_and_copied_again(console: Console) -> None:
    lines = ("demo fault spark-02 image-differs", "launch", "image copy --to all", "launch")
    assert console.script(*UP[:2], *lines, words=("--yes", "--keep-going")) == 4
    assert "differs between spark-01 and spark-02" in console.err
    assert console.script(*UP[:2], lines[0], *lines[2:]) == 0, console.err


def test_an_unknown_key_is_trusted_without_touching_anything_real(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkconsole.remote.ssh.login.shown_keys", None)
    monkeypatch.setattr("sparkconsole.remote.host_keys.known_hosts.trust", None)
    lines = ("demo fault spark-02 key", "status", "node trust", "status", "node trust")
    assert console.script(*lines, words=("--yes", "--json", "--keep-going")) == 3
    _, unknown, trusted, status, already = console.documents()
    assert unknown["nodes"][1]["error"]["kind"] == "UnknownHostKey"
    assert trusted["trusted"] == ["spark-02"]
    assert status["nodes"][1]["state"] == "reachable"
    assert already["already"] == ["spark-01", "spark-02"]


def test_a_scan_finds_the_pretend_machines_and_asks_no_other(console: Console) -> None:
    assert console.run("--json", "node", "scan") == 0, console.err
    (found,) = console.documents()
    assert {f["name"] for f in found["found"]} == {"spark-01", "spark-02"}


@pytest.mark.parametrize(
    ("kind", "check"), [("link-down", "fabric"), ("mtu", "mtu"), ("disk-full", "disk"), ("gpu-gone", "gpu")]
)
def test_check_finds_what_is_wrong(console: Console, kind: str, check: str) -> None:
    console.script(*UP[:2], f"demo fault spark-02 {kind}", "check", words=("--yes", "--json", "--keep-going"))
    wrong = [
        f for f in console.documents()[-1]["findings"] if f["severity"] in ("fail", "warn", "FAIL", "WARN")
    ]
    assert check in {f["check"] for f in wrong}, wrong


@pytest.mark.parametrize("line", ["check", "status", "image list", "logs", "launch", "stop", "serve status"])
def test_garbage_is_an_answer_with_a_reason_and_no_more(console: Console, line: str) -> None:
    lines = ("demo fault spark-02 garbage", line)
    code = console.script(*UP, *lines, words=("--yes", "--json", "--keep-going"))
    assert code in (0, 1, 3, 4, 5)
    assert "Traceback" not in console.err


def test_faults_are_listed_and_mended(console: Console) -> None:
    lines = ("demo fault spark-01 hot", "demo faults", "demo clear spark-01", "demo faults")
    assert console.script(*lines, words=("--json",)) == 0
    _, broken, mended, whole = console.documents()
    assert broken["broken"] == {"spark-01": ["hot"]}
    assert mended["mended"] == ["hot"]
    assert whole["broken"] == {}


@pytest.fixture
def slow_builds(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build's date has minutes: two builds need more than one, which pass quickly."""
    monkeypatch.setattr(stories, "BUILD_S", 61.0)
    monkeypatch.setattr(cluster, "DemoClock", partial(DemoClock, 5 * SCRIPT_SPEED))


BUILT_TWICE = ("image build", "image copy --to all", "image build --rebuild-vllm")


@pytest.mark.usefixtures("slow_builds")
def test_the_name_goes_back_to_the_build_before_on_every_node(console: Console) -> None:
    lines = (*BUILT_TWICE, "image list", "image rollback", "image list")
    assert console.script(*lines, words=("--yes", "--json")) == 0
    *_, differs, back, same = console.documents()
    assert differs["verdicts"]["vllm-node:latest"] == "differs"
    assert back["other"] == []
    assert same["verdicts"]["vllm-node:latest"] == "same"
    first, second = sorted(name for name in same["images"] if not name.endswith(":latest"))
    assert first.endswith(back["build"])
    assert second in same["images"], "nothing is removed"


@pytest.mark.usefixtures("slow_builds")
def test_a_node_without_the_earlier_build_is_named_with_what_to_do(console: Console) -> None:
    lines = ("image build", "image build --rebuild-vllm", "image copy --to all", "image rollback")
    assert console.script(*lines, words=("--yes",)) == 4
    assert "spark-02: it does not have vllm-node:2" in console.err
    assert "image copy vllm-node:2" in console.err


@pytest.mark.usefixtures("slow_builds")
def test_a_build_whose_name_a_copy_took_is_gone_back_to_and_then_pruned(console: Console) -> None:
    lines = (*BUILT_TWICE, "image copy --to all", "image rollback", "image prune --keep 0", "image list")
    assert console.script(*lines, words=("--yes=prune", "--json")) == 0, console.err
    *_, back, pruned, same = console.documents()
    assert back["other"] == []
    assert same["verdicts"] == dict.fromkeys(same["images"], "same")
    assert len(same["images"]) == 2, "the name and its date; the newer build went, it was not in use"
    assert all(len(pruned["nodes"][node]["gone"]) >= 1 for node in ("spark-01", "spark-02"))
    head = pruned["nodes"]["spark-01"]
    assert (
        head["given_back_bytes"]
        == head["before"]["cache_bytes"] - head["after"]["cache_bytes"] + 1_500_000_000
    )


def test_a_prune_needs_its_word_and_what_a_container_uses_stays(console: Console) -> None:
    assert console.script("image prune", words=("--yes",)) == 4
    assert "--yes=prune" in console.err
    lines = (*UP, "image prune --keep 0", "image prune --keep 0")
    assert console.script(*lines, words=("--yes=prune",)) == 0, console.err
    assert "nothing of vllm-node has to go" in console.out


def test_a_prune_of_a_lost_node_ends_with_three(console: Console) -> None:
    lines = ("demo fault spark-02 lost", "image prune")
    assert console.script(*lines, words=("--yes=prune", "--json")) == 3
    *_, pruned = console.documents()
    assert list(pruned["unknown"]) == ["spark-02"]
    assert pruned["nodes"]["spark-01"]["gone"] == ["build cache"]


def test_without_an_earlier_build_nothing_goes_back(console: Console) -> None:
    assert console.script("image build", "image rollback", words=("--yes",)) == 4
    assert "no build of vllm-node is older" in console.err


def test_a_build_that_was_never_made_is_told_with_those_that_are_kept(console: Console) -> None:
    assert console.script("image build", "image rollback --to 20200101-0000", words=("--yes",)) == 2
    assert "there are: 20" in console.err
