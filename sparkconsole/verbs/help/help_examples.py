"""What is typed and what it does, for every verb: shown by help, the reference and the man page.

A test understands each line, and holds that no verb is without one.
"""

from __future__ import annotations

from itertools import dropwhile

from sparkconsole.verbs.grammar.registry import load

EXAMPLES = (
    ("node add spark-01 192.168.177.11", "The first node is the head."),
    (
        "node add spark-02 10.77.0.12 --user ann --fabric 192.168.177.12",
        "SSH by one address, data by another.",
    ),
    ("node list --check", "Every node, and whether it answers."),
    ("node remove spark-02", "Out of the inventory; the machine is not touched."),
    ("node scan", "Sparks on the subnets of this machine's fast link."),
    ("node scan 192.168.177.0/24", "Sparks of one subnet."),
    ("node trust spark-02", "Show its host key's fingerprint, and store it when agreed."),
    ("node restart spark-02", "Its containers, in an order that leaves a working cluster."),
    ("node reboot spark-02 --yes=reboot", "The machine, agreed to beforehand."),
    ("node exec -- nvidia-smi -L", "On every node."),
    ("node exec --node spark-02 -- df -h /", "On one node."),
    ("node shell spark-02", "A login shell on the machine."),
    ("node drop-caches spark-01", "Free its page cache for a model."),
    ("check", "What would hinder a launch; nothing is changed."),
    ("check --nodes spark-01,spark-02 --json", "Two nodes, as JSON."),
    ("doctor", "Every check on every node."),
    ("doctor --skew", "Which node differs from the others."),
    ("doctor --fix --dry-run", "What the safe remedies would run."),
    ("explain server.log", "The root cause in a log."),
    ("explain - < server.log", "The same, from standard input."),
    ("status", "How everything stands, once."),
    ("status --watch --every 5", "A line every 5 s until ctrl+c."),
    ("image build", "On the head, from source."),
    ("image build --recipe vllm-node-wheels", "From prebuilt wheels, in minutes."),
    ("image build -t vllm-node --rebuild-vllm -c all", "Rebuild vLLM only, then copy to all other nodes."),
    ("image list", "Which node has which image, and what each was built from."),
    ("image copy --to all", "Only the layers that each node lacks, over the fast link."),
    ("image copy vllm-node --to spark-02 --dry-run", "What one copy would run."),
    ("image rollback", "The name means the build before this one again."),
    ("image prune --keep 3 --dry-run", "What would be removed."),
    ("model list", "Which node has which model whole."),
    ("model fit Qwen/Qwen3-235B-A22B --tp 2", "Whether it fits on two nodes, and how long requests may be."),
    ("model copy Qwen/Qwen3-0.6B --to all", "Only the files that each node lacks."),
    ("model verify Qwen/Qwen3-0.6B", "Every byte compared with its hash."),
    ("model download Qwen/Qwen3-0.6B --on spark-01", "From the hub onto one node."),
    ("fabric test", "Pings, whole frames, routes and RDMA rate between the nodes."),
    ("fabric test --quick", "Without the rates."),
    ("fabric history --last 5", "What the last five tests measured."),
    ("launch", "Containers and Ray on every node; ready when every GPU joined."),
    ("launch --solo --nodes spark-01", "One machine alone, without Ray."),
    ("launch --repair", "Complete a half-running cluster."),
    ("stop", "Servers, then containers, on every node that answers."),
    ("serve Qwen/Qwen3-0.6B --max-model-len 4096", "Followed until a completion proved it."),
    ("serve Qwen/Qwen3-0.6B -- --enable-prefix-caching", "Words after -- are vLLM's own."),
    ("serve status", "Whether the server answers, and with which model."),
    ("serve keep --restarts 3 --within 6", "At most three restarts in any six hours."),
    ("serve stop", "The server ends; the containers stay."),
    ("bench run --num-prompts 24", "vllm bench serve against the served model; the result is kept."),
    ("bench run --num-prompts 100 --max-concurrency 8", "At most eight requests at a time."),
    ("bench list", "The results kept, the newest first."),
    ("bench show", "The newest result."),
    ("bench compare b7f2 c901", "Two results beside each other, by the end of their ids."),
    ("exec -- nvidia-smi", "In the head's container; its exit code is passed on."),
    ("exec --node spark-02 -- python3 -c 'import vllm'", "In another node's container."),
    ("logs --tail 20", "The last lines of all nodes, merged by time."),
    ("logs -f serve", "Follow the server's log."),
    ("logs kernel --since 10m", "What every kernel said in ten minutes."),
    ("runs list --limit 5", "The last five things done."),
    ("runs show 7f2c", "Its plan and its result, by the last four letters of its id."),
    ("runs again 7f2c", "The same words once more; the plan is shown first."),
    ("runs compare 7f2c 90ab", "What differs between two runs."),
    ("runs export 7f2c", "A script that does it again."),
    ("runs attach 7f2c", "Follow a job that continued without a console."),
    ("runs stop 7f2c", "End its jobs on every node."),
    ("wait-for ray --timeout 300", "Until every node has joined."),
    ("wait-for server", "Until the server answers."),
    ("config path", "Where configuration and state lie."),
    ("config show", "What the configuration says, defaults included."),
    ("config schema", "Every key of cluster.toml, as JSON Schema."),
    ("--demo=lab demo fault spark-02 lost", "Pull a plug in the pretend cluster lab, which lasts."),
    ("--demo=lab demo clear spark-02", "Plug it in again."),
    ("--demo demo faults", "Everything that can be broken."),
    ("examples", "The scripts that come with this program."),
    ("examples list --json", "The same, as JSON."),
    ("examples show first-run", "One of them, to begin your own with."),
    ("web --port 8000", "Prints an address that only this machine can open."),
    ("completion bash", "For ~/.bashrc: eval the output there."),
    ("completion fish", "For ~/.config/fish/completions/sparkconsole.fish."),
    ("help image build", "One verb."),
    ("help serve", "A group of verbs."),
    ("version", "The same as --version."),
)


def examples_of(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The lines that begin with this verb, and not with a longer one (`serve status` is none of `serve`)."""
    others = load(words[0]).keys() - {words}
    typed = {line: tuple(dropwhile(lambda word: word[0] == "-", line.split())) for line, _ in EXAMPLES}
    mine = {line for line, start in typed.items() if start[: len(words)] == words and start[:2] not in others}
    return tuple((line, what) for line, what in EXAMPLES if line in mine)
