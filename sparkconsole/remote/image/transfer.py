"""The whole image from node to node: `FULL_STREAM` sends it without a temporary file of ours, `relay` through
this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sparkconsole.errors import CommandFailed, SparkError
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.layers_to_send import docker_load
from sparkconsole.model.transfer.ends import Receiver, ssh_argv
from sparkconsole.remote.shell import Pipe, Shell

CHUNK_BYTES = 1 << 20


# A failure of any stage is a failure of the whole, and each stage's own words are kept. When the far side
# ends early, `docker save` is told at once: it may still be serialising to its temporary folder for a minute.
STREAM = """
LC_ALL=C; export LC_ALL
tag=$1; shift
# containerd's store has images of several platforms of which it holds one: without a choice the archive names
# parts that are nowhere (Docker 28 and newer take the choice).
only=
if docker info --format '{{.DriverStatus}}' 2>/dev/null | grep -q io.containerd.snapshotter &&
  docker save --help 2>/dev/null | grep -q -e --platform
then only=--platform=$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}'); fi
{ sh -c 'echo $$ >save.pid; exec docker save $2 "$1"' save "$tag" "$only"; echo $? >save.rc; } 2>save.err |
{ dd bs=1M iflag=fullblock status=progress; echo $? >stream.rc; } |
{ "$@" >load.out 2>load.err; rc=$?; echo $rc >load.rc
  if [ $rc -ne 0 ]; then
    n=0; while [ ! -s save.pid ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
    [ -e save.rc ] || kill -TERM "$(cat save.pid)" 2>/dev/null
  fi; }
echo
sed 's/^/save: /' save.err; sed 's/^/load: /' load.out load.err
said(){ cat "$1.rc" 2>/dev/null || echo none; }
echo "copy ended: save=$(said save) stream=$(said stream) load=$(said load)"
[ "$(said save) $(said stream) $(said load)" = "0 0 0" ] && ! grep -q 'Error unpacking' load.out load.err
"""


class FullStream:
    """`docker save | dd | ssh … docker load`: works between every engine and store."""

    sentence, amount, folder, program = "the whole image, streamed", "the whole image", "", ""

    def files(self, receiver: Receiver) -> Mapping[str, str]:
        """None of its own."""
        return {}

    def argv(self, tag: str, receiver: Receiver) -> tuple[str, ...]:
        """The pipeline as one script; image and ssh line are its arguments.

        The full name: `docker save NAME` without a version sends every version there is.
        """
        return ("sh", "-c", STREAM, "copy", full_name(tag), *ssh_argv(receiver), *docker_load(receiver))


FULL_STREAM = FullStream()


async def usable(shell: Shell, tag: str) -> None:
    """A container of the image can be created (and is removed again); SparkError otherwise.

    The containerd store says `Loaded image` also of images that cannot be unpacked: only this tells.
    """
    made = await shell.run(("docker", "create", "--network", "none", "--entrypoint", "true", tag), timeout=60)
    if not made.ok:
        removed = (await shell.run(("docker", "rmi", tag), timeout=60)).ok
        after = "so its name was taken away again" if removed else f"remove it there: docker rmi {tag}"
        raise SparkError(
            f"{tag} was loaded but no container can be made of it ({made.error_text.strip()}); {after}",
            hint="copy it again, whole: sparkconsole image copy --whole",
            node=shell.node,
        )
    (await shell.run(("docker", "rm", made.text.split()[-1]))).checked()


async def relay(sender: Shell, receiver: Shell, tag: str, sent: Callable[[int], None]) -> None:
    """Sends the image through this machine; CommandFailed by the side that failed; `sent` hears all bytes.

    A save that failed is never followed by a clean end of the stream, so nothing half-sent is loaded.
    """
    source = await sender.pipe(("docker", "save", full_name(tag)))
    sink = await receiver.pipe(("docker", "load"))
    try:
        if not await _pump(source, sink, sent):
            (await sink.wait()).checked()
            raise SparkError("docker load stopped reading", hint="copy again", node=receiver.node)
        (await source.wait()).checked()
        await sink.close_input()
        (await sink.wait()).checked()
    finally:
        await source.kill()
        await sink.kill()


async def _pump(source: Pipe, sink: Pipe, sent: Callable[[int], None]) -> bool:
    """Moves everything; False when the receiving side stopped reading (it says why when it is waited for)."""
    total = 0
    while chunk := await source.read(CHUNK_BYTES):
        try:
            await sink.write(chunk)
        except (OSError, CommandFailed):
            return False
        total += len(chunk)
        sent(total)
    return True
