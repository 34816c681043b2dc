"""What can be done with nodes from wherever nodes are selected: the same keys and the same words."""

from __future__ import annotations

from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.view import View
from sparkconsole.tui.views import show_logs

RESTART = Key("node.restart", "R", "restart…", changes=True)
STOP = Key("stop", "D", "down…", changes=True)
NODE_KEYS = (
    Key("node.logs", "l", "logs", "Show the logs of the selected nodes."),
    Key("node.shell", "s", "shell"),
    Key("node.address", "y", "copy address", "Copy the addresses of the selected nodes.", shown=False),
    RESTART,
    Key("launch", "U", "up…", changes=True),
    STOP,
    Key("node.trust", "T", "trust…", changes=True, shown=False),
)


class NodeActions(View):
    """A view in which nodes are selected; the words go the way of `:`."""

    async def action_node_logs(self) -> None:
        """`l`: the Logs view with only these nodes."""
        await show_logs(self, self.selected_nodes())

    def action_node_shell(self) -> None:
        """`s`: of the first one."""
        if names := self.selected_nodes():
            self.console.say(("node", "shell", names[0]))

    def action_node_address(self) -> None:
        """`y`"""
        nodes = self.console.store.nodes
        if found := [nodes[n].address for n in self.selected_nodes() if n in nodes]:
            self.app.copy_to_clipboard(" ".join(found))
            self.notify(f"copied: {' '.join(found)}", timeout=2, markup=False)

    def action_node_restart(self) -> None:
        """`R`"""
        if names := self.selected_nodes():
            self.console.say(("node", "restart", *names))

    def action_launch(self) -> None:
        """`U`: the cluster comes up as a whole."""
        self.console.say(("launch",))

    def action_stop(self) -> None:
        """`D`: and goes down as a whole."""
        self.console.say(("stop",))

    def action_node_trust(self) -> None:
        """`T`: the selected nodes that wait for it, else all that do."""
        nodes = self.console.store.nodes
        waiting = [n.name for n in nodes.values() if n.fingerprint]
        chosen = [n for n in self.selected_nodes() if n in waiting] or waiting
        if not chosen:
            self.notify("no host key is waiting to be trusted", timeout=3)
            return
        self.console.say(("node", "trust", *chosen))
