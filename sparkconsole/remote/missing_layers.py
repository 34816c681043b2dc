"""The transfer that sends only the layers a receiver lacks, between graph drivers; nothing is installed and
no `sudo` is needed: the layers are read in a container of the image itself. What cannot be read or loaded
that way is followed by the whole image, and the log says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources

from sparkconsole.model.copying import Receiver, known_hosts, ssh_argv
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.image import full_name
from sparkconsole.model.image_way import ImageWay
from sparkconsole.remote.shell import Shell
from sparkconsole.remote.transfer import STREAM

PROGRAM = "read_layers.py"

# Without `--log-driver none` the engine writes every byte of the image to its own log. The container is
# removed by name: killing `docker run` leaves it; before that the pipe's reading end must be closed, as the
# engine waits for what is still to be written to it. A lost or refused connection (255) and a full disk would
# end the whole image the same way, so that is not tried.
MISSING = """
LC_ALL=C; export LC_ALL
tag=$1; id=$2; shared=$3; shift 3
folder=${JOB_DIR:-$PWD}; reader=sparkconsole-${folder##*/}
away(){ docker rm -f "$reader" >/dev/null 2>&1; }
trap away EXIT; trap 'exit 143' TERM INT HUP
root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)
{ docker run --rm -i --name "$reader" --network none --log-driver none --read-only --user 0:0 \\
    --entrypoint python3 -v "${root:-/var/lib/docker}:/store:ro" "$id" \\
    -u - /store "$id" "$tag" "$shared" <read_layers.py; echo $? >save.rc; } 2>save.err |
{ dd bs=1M iflag=fullblock status=progress; echo $? >stream.rc; } |
{ "$@" >load.out 2>load.err; rc=$?; exec </dev/null; echo $rc >load.rc; [ $rc -eq 0 ] || away; }
echo
ended(){ cat "$1.rc" 2>/dev/null || echo none; }
load=$(ended load)
unpacked(){ ! grep -q 'Error unpacking' load.out load.err; }
whole(){ [ "$(ended save) $(ended stream) $load" = "0 0 0" ] && unpacked; }
if whole || [ "$load" = 255 ] || grep -q 'no space left' load.err; then
  sed 's/^/save: /' save.err; sed 's/^/load: /' load.out load.err
  echo "copy ended: save=$(ended save) stream=$(ended stream) load=$load"
  whole; exit
fi
first=load.err; grep -q 'unexpected EOF' load.err && [ -s save.err ] && first=save.err
echo "fell back: $(tail -n 1 $first)"
away; trap - EXIT TERM INT HUP
rm -f save.* stream.* load.*
set -- "$tag" "$@"
"""


@dataclass(frozen=True, slots=True)
class MissingLayers:
    """A Transfer: what the receiver lacks, then, if that cannot be done, the whole image."""

    image: ImageIdentity
    way: ImageWay
    total_bytes: int

    @property
    def sentence(self) -> str:
        """What it does, for the plan."""
        return f"{self.way.missing} of {self.way.layers} layers: {self.way.why}; if that fails, `docker save`"

    def bytes_to_send(self, image: ImageIdentity, present: Sequence[ImageIdentity]) -> int:
        """The missing layers."""
        return self.total_bytes

    def files(self, receiver: Receiver) -> Mapping[str, str]:
        """The only host keys that the sender's ssh will believe, and the reader of layers."""
        program = resources("sparkconsole.remote").joinpath("image_layers_program.py").read_text("utf-8")
        return {"known_hosts": known_hosts(receiver), PROGRAM: program}

    def argv(self, tag: str, receiver: Receiver) -> tuple[str, ...]:
        """The reader and, behind it, the pipeline of the whole image, as one script."""
        words = (full_name(tag), self.image.id, str(self.way.shared))
        return ("sh", "-c", MISSING + STREAM, "copy", *words, *ssh_argv(receiver), "docker", "load")


async def layer_sizes(shell: Shell, image: str) -> tuple[int, ...]:
    """The sizes of the image's steps in bytes, newest first."""
    asked = ("docker", "history", "--human=false", "--format", "{{.Size}}", image)
    told = (await shell.run(asked, timeout=30)).checked()
    return tuple(int(word) for word in told.text.split() if word.isdigit())
