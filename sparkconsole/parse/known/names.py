"""Names that are not resolved, as resolvers of C, Python, Go, Rust, curl, apt and wget say it."""

from __future__ import annotations

from sparkconsole.parse.known.known import During, cause

NAMES = {
    "node-name-unknown": cause(
        r"ssh: Could not resolve hostname (?P<name>[\w.-]{1,120})",
        "the name of a node is not known here: {name}",
        "it is in neither /etc/hosts, ~/.ssh/config, DNS nor mDNS",
        "use its address, or put the name into /etc/hosts or ~/.ssh/config",
        "ssh: Could not resolve hostname spark-02: Name or service not known",
    ),
    "name-not-resolved": cause(
        r"Could not resolve (?:host(?:name)?|proxy)?:? ?['\"]?(?P<curl>[\w.-]{1,120})|"
        r"(?:Temporary )?[Ff]ailure resolving ['\"‘](?P<apt>[\w.-]{1,120})|"
        r"[Ff]ailed to resolve ['\"](?P<requests>[\w.-]{1,120})|"
        r"unable to resolve (?:host )?(?:address )?['\"‘]?(?P<wget>[\w.-]{1,120})|\blookup "
        r"(?P<go>[\w.-]{1,120}?)(?: on [\w.:\[\]]{1,60})?: (?:no such host|[Tt]emporary failure|server "
        r"misbehaving|.{0,80}i/o timeout)|(?:host=|://|[Cc]annot connect to host )['\"]?"
        r"(?P<other>[\w.-]{1,120}).{0,500}(?:Temporary failure in name resolution|Name or service not known|"
        r"NameResolutionError|No address associated)|Temporary failure (?:in name resolution|resolving)|"
        r"Name or service not known|failed to lookup address|no such host|"
        r"No address associated with hostname|getaddrinfo (?:EAI_AGAIN|ENOTFOUND) (?P<node>[\w.-]{1,120})",
        "a name was not resolved: {curl}{apt}{requests}{wget}{go}{other}",
        "the node's DNS does not answer, the node has no Internet, or the name is wrong",
        "check the node's DNS and Internet: resolvectl status, and resolvectl query with the name, on the "
        "node",
        "curl: (6) Could not resolve host: huggingface.co",
        remedies={During.BUILD: "the build has no name service: try --network host"},
    ),
}
