"""The first real cause of a container that did not start, or ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.parse.image.docker import name_taken, why_refused
from sparkconsole.parse.serve.ray import why_ended


@pytest.mark.parametrize(
    ("stderr", "cause"),
    [
        ("Unable to find image 'vllm-node:latest' locally\ndocker: Error response from daemon: pull access",
         "the image vllm-node:latest is not on this node"),
        ('docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
         "docker has no NVIDIA runtime here"),
        ('docker: Error response from daemon: failed to create task: exec: "ray": executable file not found'
         " in $PATH: unknown.", "the image has no `ray`"),
        ("permission denied while trying to connect to the Docker daemon socket",
         "docker may not be used by this user"),
        ("docker: invalid reference format.\nSee 'docker run --help'.",
         "docker said: docker: invalid reference format."),
    ],
)  # fmt: skip
def test_why_docker_refused(stderr: str, cause: str) -> None:
    assert why_refused(stderr).cause == cause


def test_a_name_that_someone_else_took_is_known_as_theirs() -> None:
    said = 'docker: Conflict. The container name "/vllm_node" is already in use by container "ab12".'
    assert name_taken(said)
    assert "left alone" in why_refused(said).cause
    assert not name_taken("docker: address already in use")


def test_a_worker_that_cannot_reach_the_head_only_follows_from_it() -> None:
    why = why_ended(["rpc_client.h:153: Failed to connect to GCS at address 10.0.0.1:6379 within 5 s"], 1)
    assert why.follows
    assert not why_ended(["ValueError: something"], 1).follows


def test_the_end_of_a_traceback_beats_what_was_printed_after_it() -> None:
    said = [
        "Traceback (most recent call last):",
        "  raise e",
        "pkg.mod.OddError: disk on fire",
        "INFO Local node IP",
    ]
    assert why_ended(said, 1).cause == "OddError: disk on fire"
    said[2] = "Exception: Cannot include dashboard with missing packages."
    assert why_ended(said, 1).cause == "the image's Ray has no dashboard"


def test_a_container_that_says_nothing_known_gives_its_status_and_last_line() -> None:
    assert why_ended(["one", "last words", ""], 3).cause == "the container ended with status 3: last words"
    assert "137" in why_ended([], 137).cause
    assert why_ended([], None).cause == "the container is gone"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("version-mismatch-ray-start.txt", "Ray 2.59.0 with Python 3.11.7 cannot join Ray 2.60.0"),
        ("start-head-port-in-worker-range.txt", "port 16479"),
        ("connect-no-gcs.txt", "could not reach Ray on the head"),
    ],
)
def test_real_logs(captures_of_others: Path, file: str, words: str) -> None:
    lines = (captures_of_others / "ray" / file).read_text().splitlines()
    assert words in why_ended(lines, 1).cause
