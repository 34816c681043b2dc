"""Secrets that come by every door: nothing that the program prints or writes down has one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.programs

HUB, KEY, SET, SHORT = "hf_Planted01abcdefghijk", "planted 02 words", "Planted03set", "Pl4n"
PLANTED = (HUB, KEY, SET, SHORT, "Planted04", "Planted05", "Planted06", "Planted07", "Planted08", "Planted09",
           "Planted10", "Planted11", "Planted12")  # fmt: skip
SCRIPT = """
node exec -- echo ${MY_PASSWORD} --name ${HF_TOKEN} ${MY_SHORT_TOKEN}
node exec --json -- curl -H "Authorization: Bearer Planted04" https://me:Planted05@host/?api_key=Planted06
image build --yes --json
image copy --to all --yes
launch -e HF_TOKEN=${HF_TOKEN} -e MODE=x --yes
serve Qwen/Qwen3-0.6B --yes
exec --json -- printenv VLLM_API_KEY
bench run --num-prompts 8 --yes -- --header "X-Api-Key=Planted07"
logs --tail 20
status
runs list
config show
stop --yes=stop
"""
WRONG = (
    ("serve", "M", "--", "--api_key", "Planted08"),
    ("serve", "M", "--", "--api-ke=Planted08"),
    ("serve", "M", "--", "--hf_token", "Planted08"),
    ("launch", "-e", "DB_PASSWORD=Planted09"),
    ("lanch", "--api-key", "Planted10"),
    ("--json", "runs", "--password", "Planted11"),
    ("node", "add", "spark-09", "ada:Planted12@192.0.2.9"),
    ("--nodes", "https://Planted12@192.0.2.9", "status"),
)


def test_what_was_planted_is_nowhere(tmp_path: Path) -> None:
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "HF_TOKEN": HUB, "VLLM_API_KEY": KEY,
            "MY_SHORT_TOKEN": SHORT}  # fmt: skip
    said: list[str] = []

    def run(*words: str, script: str = SCRIPT) -> str:
        argv = [sys.executable, "-m", "sparkconsole", "--demo=lab", *words]
        done = subprocess.run(
            argv, env=env, input=script, capture_output=True, text=True, timeout=300, check=False
        )
        said.append(done.stdout + done.stderr)
        return done.stdout

    words = ("--script", "-", "--set", f"MY_PASSWORD={SET}", "--keep-going")
    run("--json", "--dry-run", *words)
    run(*words)
    ids = [row["id"] for row in json.loads(run("--json", "runs", "list"))["runs"]]
    assert len(ids) >= 8
    shows = "".join(f"runs show {name}\nruns show {name} --json\nruns export {name}\n" for name in ids)
    run("--script", "-", script=shows)
    for wrong in WRONG:
        run(*wrong)
    assert [(secret, text[:90]) for text in said for secret in PLANTED if secret in text] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    assert [
        (secret, path.name)
        for path in files
        for secret in PLANTED
        if secret.encode() in path.read_bytes() or secret in str(path)
    ] == []
    assert "***" in "".join(said)
    assert "MODE=x" in "".join(said), "what is no secret stays"


def test_a_value_of_set_is_hidden_and_given_on(tmp_path: Path) -> None:
    """On a node that is this very machine the command gets what the echo hides."""
    out = tmp_path / "out"
    (tmp_path / "cluster.toml").write_text(
        '[clusters.x]\nnodes = [{ name = "here", address = "127.0.0.1", local = true }]\n'
    )
    script = 'node exec -- sh -c \'printf %s "$1" >"$2"\' write ${MY_PASSWORD} ${OUT}\n'
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "sparkconsole", "--config", str(tmp_path / "cluster.toml"), "--script", "-",
            "--set", f"MY_PASSWORD={SET}", "--set", f"OUT={out}"]  # fmt: skip
    done = subprocess.run(
        argv, env=env, input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert out.read_text() == SET
    assert SET not in done.stdout + done.stderr
    assert str(out) in done.stderr
    out.unlink()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and SET.encode() in p.read_bytes()] == []
