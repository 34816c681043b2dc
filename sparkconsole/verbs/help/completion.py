"""`completion`: what makes a shell complete our words; the words themselves come from `_complete`."""

from __future__ import annotations

from enum import StrEnum

from sparkconsole.model.work.answer import Answer
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here


class Name(StrEnum):
    """The shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_BASH = """\
# sparkconsole, bash: put this line into ~/.bashrc:  eval "$(sparkconsole completion bash)"
_sparkconsole() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\\n'
    local word="${line##*[[:space:]]}"
    COMPREPLY=($(sparkconsole _complete "$line" 2>/dev/null))
    # bash breaks words at = and : as well, and wants what follows the last of them.
    local front="${word%"${word##*[=:]}"}"
    if [[ -n $front ]]; then COMPREPLY=("${COMPREPLY[@]#"$front"}"); fi
}
complete -o default -F _sparkconsole sparkconsole
"""
_ZSH = """\
#compdef sparkconsole
# sparkconsole, zsh: put this line into ~/.zshrc, below compinit:  eval "$(sparkconsole completion zsh)"
_sparkconsole() {
    local -a found
    found=("${(@f)$(sparkconsole _complete "$LBUFFER" 2>/dev/null)}")
    found=(${found:#})
    if (( $#found )); then
        compadd -Q -a found
    else
        _files
    fi
}
if [[ $funcstack[1] == _sparkconsole ]]; then
    _sparkconsole "$@"
else
    compdef _sparkconsole sparkconsole
fi
"""
_FISH = """\
# sparkconsole, fish: once:  sparkconsole completion fish > ~/.config/fish/completions/sparkconsole.fish
function __sparkconsole_words
    set -l line (commandline -cp)
    set -l found (sparkconsole _complete "$line" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c sparkconsole -f -a '(__sparkconsole_words)'
"""
SCRIPTS = {Name.BASH: _BASH, Name.ZSH: _ZSH, Name.FISH: _FISH}


@verb("completion", local=True)
async def completion(session: Here, shell: Name, /) -> Answer:
    """Print what makes a shell complete verbs, options and names of nodes, images and models.

    Names come from the inventory and the journal on this machine; no node is asked. The first lines say where
    the rest belongs.

    Parameters
    ----------
    shell
        Which shell reads it.
    """
    text = SCRIPTS[shell]
    return Answer({"shell": shell.value, "script": text}, (text.rstrip("\n"),))
