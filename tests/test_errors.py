"""What an error quotes of a command that failed: the reason, and not what its tool adds to it."""

from __future__ import annotations

import pytest

from sparkconsole import errors
from sparkconsole.errors import CommandFailed, last_reason
from sparkconsole.parse.image.docker import why_refused
from sparkconsole.remote.image_program import protocol

NO_SHELL = 'docker: Error response from daemon: exec: "sh": executable file not found in $PATH: unknown.'
AFTERWARDS = (
    'time="2026-01-01T10:00:00Z" level=error msg="error waiting for container: context canceled"',
    "See 'docker run --help'.",
    "\nRun 'docker run --help' for more information\n",
)


def test_the_program_on_a_node_knows_the_same_afterthoughts() -> None:
    """It stands alone there, and imports nothing of ours."""
    assert protocol.AFTERWARDS == errors._AFTERWARDS


@pytest.mark.parametrize("after", AFTERWARDS)
def test_the_reason_of_docker_is_quoted_whoever_asked(after: str) -> None:
    stderr = f"{NO_SHELL}\n{after}"
    assert str(CommandFailed(("docker", "run", "x"), 127, stderr)).endswith(NO_SHELL)
    assert "waiting for container" not in why_refused(stderr).cause
    assert "--help" not in why_refused(stderr).cause


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("", ""),
        (" \n\n", ""),
        ("one\ntwo\n\n", "two"),
        ("See 'docker run --help'.", "See 'docker run --help'."),
    ],
)
def test_a_command_that_says_nothing_else_is_quoted_as_it_is(stderr: str, reason: str) -> None:
    assert last_reason(stderr) == reason


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (("sh", "-c", "one\ntwo", "mark-put", "20260131-launch"), "`mark-put 20260131-launch`"),
        (
            ("docker", "exec", "v", "sh", "-c", "\none\n", "end-ranks", "a b"),
            "`docker exec v end-ranks 'a b'`",
        ),
        (("sudo", "-n", "sh", "-c", "one\n", "drop"), "`sudo -n drop`"),
        (("sh", "-c", "one\ntwo"), "`sh -c 'one two'`"),
        (("sh", "-c", "true; false"), "`sh -c 'true; false'`"),
        (("printf", "a\nb", "c"), "`printf 'a b' c`"),
        (("one\ntwo", "x"), "`'one two' x`"),
        (("true",), "`true`"),
    ],
)
def test_a_script_of_ours_goes_by_its_name_wherever_it_runs(argv: tuple[str, ...], shown: str) -> None:
    assert errors.in_short(argv) == shown


@pytest.mark.parametrize(
    ("status", "stderr", "said"),
    [
        (-9, "", "`true` was killed by SIGKILL"),
        (-15, "over\n", "`true` was killed by SIGTERM: over"),
        (-200, "", "`true` was killed by signal 200"),
        (137, "", "`true` ended with status 137: it said nothing"),
        (None, "", "`true` ended with an unknown end (the connection was lost): it said nothing"),
    ],
)
def test_how_a_command_ended_is_said(status: int | None, stderr: str, said: str) -> None:
    assert str(CommandFailed(("true",), status, stderr)) == said
