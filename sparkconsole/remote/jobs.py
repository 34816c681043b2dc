"""Jobs on a node: a folder with the command's pid, log and exit status, and nothing else installed.

A job is a session of its own (setsid), so it outlives the connection that started it, and has a name of its
own: what has either is ended (`remote/ending.py`). Measured: a process started by `docker exec` outlives its
client, so a job in a container is ended inside the container too; runc makes it a group's leader there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from sparkconsole.errors import SparkError
from sparkconsole.model.work.job import Job, JobState
from sparkconsole.parse.values import whole
from sparkconsole.remote.ending import NAME, end_of_all
from sparkconsole.remote.foreseen_shell import then_on
from sparkconsole.remote.shell import Shell

# `pid` holds the pid and its start time: after a reboot the number alone may be somebody else's.
_PRELUDE = """
d=${XDG_STATE_HOME:-$HOME/.local/state}/sparkconsole/jobs/$1
started(){ cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null; }
alive(){ [ -e "$d/pid" ] && read -r p s <"$d/pid" && [ "$(started "$p")" = "$s" ]; }
"""

START = (
    _PRELUDE
    + """
set -e
if [ -e "$d/pid" ]; then echo "a job of that name is there already" >&2; exit 17; fi
umask 077; mkdir -p "$d"; : >"$d/log"
JOB_DIR=$d NAME=$1; export JOB_DIR NAME
cd "${2:-$d}"
shift 2
setsid sh -c '
  echo $$ "$(cut -d" " -f22 /proc/$$/stat)" >"$JOB_DIR/pid.tmp"; mv "$JOB_DIR/pid.tmp" "$JOB_DIR/pid"
  "$@" >"$JOB_DIR/log" 2>&1 </dev/null; rc=$?
  echo $rc >"$JOB_DIR/status.tmp"; mv "$JOB_DIR/status.tmp" "$JOB_DIR/status"
' job "$@" </dev/null >/dev/null 2>&1 &
n=0; while [ ! -e "$d/pid" ]; do n=$((n+1)); [ $n -lt 200 ] || exit 18; sleep 0.05; done
"""
).replace("NAME", NAME)

STATE = (
    _PRELUDE
    + """
[ -d "$d" ] || { echo unknown; exit 0; }
running=ended; alive && running=running
status=-; [ -e "$d/status" ] && { status=$(cat "$d/status"); running=ended; }
echo "$running $status $(wc -c <"$d/log" 2>/dev/null || echo 0)"
"""
)

# A silent `tail` would outlive a lost connection: it is ended when our end of standard input closes.
FOLLOW = (
    _PRELUDE
    + """
[ -d "$d" ] || { echo "the node knows no such job" >&2; exit 19; }
alive || exec tail -c "+$(($2 + 1))" "$d/log"
exec 3<&0
tail -s 0.2 -c "+$(($2 + 1))" -f --pid="$p" "$d/log" & t=$!
{ while read -r _ <&3; do :; done; kill $t; } >/dev/null 2>&1 & w=$!
wait $t; r=$?; kill $w 2>/dev/null; exit $r
"""
)

_END = end_of_all(kill_after_s=10, most_s=20)
CANCEL = (
    _PRELUDE
    + _END
    + """
m=$1; alive || p=-
[ ! -d "$d" ] || [ -e "$d/status" ] || end
if [ -d "$d" ] && [ ! -e "$d/status" ]; then echo 143 >"$d/status"; fi
"""
)

FORGET = (
    _PRELUDE
    + """
if alive && [ ! -e "$d/status" ]; then echo "it is in use: its job runs" >&2; exit 21; fi
rm -rf "$d"; j=${d%/*}; rmdir "$j" "${j%/*}" 2>/dev/null; :
"""
)
PUT = _PRELUDE + 'umask 077; mkdir -p "$d" && cat >"$d/$2"\n'
# Modes of a context enter the image: the folder above is private, what is in it keeps the modes it came with.
UNPACK = _PRELUDE + 'umask 077; mkdir -p "$d/$2" && umask 022 && exec tar -xzp -C "$d/$2"\n'
HOLDS = _PRELUDE + 'sha256sum <"$d/$2" | cut -d" " -f1\n'
"""What PUT wrote, as its SHA-256."""
UNPACKED = _PRELUDE + 'find "$d/$2" -type f | wc -l\n'
"""How many files UNPACK made."""
READ = _PRELUDE + '[ -z "$3" ] || exec tail -c "$3" "$d/$2"\nexec cat "$d/$2"\n'

# sh stays as the group's leader, so that the group can be found by the file and the file goes with it.
INSIDE = (
    'f=/tmp/sparkconsole-$1.pid NAME=$1; export NAME; shift; echo $$ >"$f"; "$@"; rc=$?; rm -f "$f"; exit $rc'
).replace("NAME", NAME)
CANCEL_INSIDE = (
    _END
    + """
m=$1; f=/tmp/sparkconsole-$1.pid; [ -e "$f" ] || exit 0
p=$(cat "$f"); [ "$p" -gt 1 ] || p=-; end; rm -f "$f"
"""
)


def script(text: str, name: str, *arguments: str) -> tuple[str, ...]:
    """The argv that runs a script on a node; its arguments are `$1`, `$2`, …, never part of its text."""
    return ("sh", "-c", text, name, *arguments)


def host_argv(job: Job, secrets: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What runs on the node: the command itself, or the `docker exec` that runs it inside its container."""
    if not job.container:
        return job.argv
    named = tuple(word for name in secrets for word in ("-e", name))
    return ("docker", "exec", *named, job.container, "sh", "-c", INSIDE, "job", job.id, *job.argv)


async def start(shell: Shell, job: Job, secrets: Mapping[str, str]) -> None:
    """Starts a job; returns once its process is there. SparkError when a job of that id exists already."""
    argv = script(START, "job-start", job.id, job.workdir, *host_argv(job, tuple(secrets)))
    (await shell.run(argv, secrets=secrets)).checked("look at what is running: sparkconsole runs list")


async def state(shell: Shell, job: Job) -> JobState:
    """What the node says of the job right now."""
    seen = (await shell.run(script(STATE, "job-state", job.id))).checked()
    now = parse_state(seen.text)
    return now.model_copy(update={"running": False}) if then_on(shell).ended(job.id) else now


def parse_state(text: str) -> JobState:
    """`unknown`, or `running|ended STATUS BYTES` where STATUS is `-` when the job could not say."""
    words = text.split()
    if len(words) != 3:
        return JobState(known=False)
    running, status, size = words
    return JobState(
        known=True,
        running=running == "running",
        status=int(status) if status.removeprefix("-").isdecimal() else None,
        log_bytes=whole(size) or 0,
    )


async def output(shell: Shell, job: Job, offset: int) -> AsyncIterator[bytes]:
    """The job's output from byte `offset` on, as it comes, until the job ended or had ended."""
    pipe = await shell.pipe(script(FOLLOW, "job-follow", job.id, str(offset)))
    try:
        while chunk := await pipe.read():
            yield chunk
        (await pipe.wait()).checked()
    finally:
        await pipe.kill()


async def cancel(shell: Shell, job: Job) -> None:
    """Ends the job's whole process group, in its container too; returns once it is gone, read back."""
    if job.container:
        inside = script(CANCEL_INSIDE, "job-cancel", job.id)
        ended = await shell.run(("docker", "exec", job.container, *inside), timeout=40)
        if not any(text in ended.error_text for text in ("No such container", "is not running")):
            ended.checked(
                "its processes in the container may still run: sparkconsole stop ends the container"
            )
    (await shell.run(script(CANCEL, "job-cancel", job.id), timeout=40)).checked()
    if (await state(shell, job)).running:
        raise SparkError(
            f"job {job.id} did not end", hint="look at its processes on the node", node=shell.node
        )


async def forget(shell: Shell, job: Job) -> None:
    """Removes the job's folder; refuses while the job runs."""
    (await shell.run(script(FORGET, "job-forget", job.id))).checked("the job still runs: cancel it first")


async def read(shell: Shell, job: Job, name: str, last: int | None = None) -> bytes:
    """A file that the job left in its folder, or that many bytes of its end."""
    most = () if last is None else (str(last),)
    return (await shell.run(script(READ, "job-read", job.id, name, *most))).checked().stdout
