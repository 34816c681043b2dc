"""Which models a node has in its Hugging Face cache: one command, nothing is read but names and an index."""

from __future__ import annotations

from sparkconsole.model.cached import CachedModel
from sparkconsole.parse.models import parse_models
from sparkconsole.remote.shell import Shell

# The snapshot is the one that refs/main names, else the newest. The files of a snapshot are links into
# blobs/, or further into blobs that all models share; what is under way is called *.incomplete. The index
# names every weight file of a big model.
_LOOK = r"""
cd "$HOME/.cache/huggingface/hub" 2>/dev/null || exit 0
for d in models--*; do
  [ -d "$d" ] || continue
  ref=$(cat "$d/refs/main" 2>/dev/null)
  [ -n "$ref" ] && [ -d "$d/snapshots/$ref" ] || ref=$(ls -t "$d/snapshots" 2>/dev/null | head -n 1)
  s="$d/snapshots/$ref"
  printf 'model %s\nsnapshot %s\n' "$d" "$ref"
  printf 'unfinished %s\n' "$(find "$d" -name '*.incomplete' 2>/dev/null | wc -l)"
  printf 'kib %s\n' "$(du -skL "$d" 2>/dev/null | cut -f 1)"
  [ -n "$ref" ] || continue
  printf 'files %s\n' "$(find "$s" ! -type d | wc -l)"
  find "$s" -type l ! -exec test -e {} ';' -print |
    { n=0; while read -r f; do
        n=$((n+1)); [ $n -gt 3 ] || printf 'dangles %s\n' "${f#"$s"/}"
      done; printf 'dangling %s\n' "$n"; }
  [ -e "$s/config.json" ] || [ -e "$s/params.json" ] && echo 'config yes'
  find -L "$s" -type f '(' -name '*.safetensors' -o -name '*.bin' -o -name '*.gguf' -o -name '*.pt' ')' |
    grep -q . && echo 'weights yes'
  if [ -e "$s/model.safetensors.index.json" ]; then
    grep -o '"[^"]*\.safetensors"' "$s/model.safetensors.index.json" | sort -u | tr -d '"' |
      { n=0; while read -r f; do
          [ -e "$s/$f" ] && continue
          n=$((n+1)); [ $n -gt 3 ] || printf 'lacks %s\n' "$f"
        done; printf 'missing %s\n' "$n"; }
  fi
done
exit 0
"""


def look_argv() -> tuple[str, ...]:
    """The command that lists them."""
    return ("sh", "-c", _LOOK, "model-look")


async def cached_models(shell: Shell) -> tuple[CachedModel, ...]:
    """Every model in the login's cache, which the containers share; SparkError when it cannot be asked."""
    done = await shell.run(look_argv(), timeout=30)
    return parse_models(done.checked().text)
