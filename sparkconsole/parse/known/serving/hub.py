"""What huggingface_hub, transformers and safetensors say of a model that cannot be had or read."""

from sparkconsole.parse.known.known import During, cause, end, harmless, warning

_OF_HUB = (
    r"(?!.{0,300}https?://(?!(?:[\w-]{1,40}\.){0,3}hf[\w-]{0,20}\.|(?:[\w-]{1,40}\.){0,3}huggingface\.))"
)
"""Another host's answer is not the hub's."""

HUB = {
    "cache-not-written": warning(
        r"(?:Ignored error while writing|[Ww]ill ignore error and continue|Could not cache "
        r"non-existence).{0,400}(?P<why>Permission denied|Read-only file system|No space left)",
        "the model cache cannot be written: {why}",
        "it belongs to another user (root, from a container), or is mounted read-only; loading goes on",
        "sudo chown -R $USER ~/.cache/huggingface on the node: sparkconsole doctor cache",
        "Ignored error while writing commit hash to /root/x/refs/main: [Errno 13] Permission denied: "
        "'/root/x'.",
    ),
    "hub-gated": cause(
        r"access (?:a |to )?(?:a )?gated repo|Access to model \S+ is restricted|GatedRepoError|"
        r"not in the authorized list|[Aa]wait(?:ing)? a review from the repo authors",
        "the hub does not give this model to you",
        "its licence was not accepted by the account, or no account was named",
        "accept the licence on the model's page and set HF_TOKEN",
        "OSError: You are trying to access a gated repo.",
    ),
    "hub-unauthorised": cause(
        rf"40[13] Client Error{_OF_HUB}|Client error '40[13] {_OF_HUB}|"
        r"Invalid (?:user )?(?:token|credentials)|LocalTokenNotFoundError|"
        rf"Invalid username or password|HTTP(?:Status)?Error: (?:401|403){_OF_HUB}|Unauthorized for url: "
        r"https://huggingface",
        "the hub refused the request",
        "HF_TOKEN is missing, expired, or may not read this model",
        "hf auth login, or set HF_TOKEN; a model that does not exist says this too",
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/x",
    ),
    "hub-no-such-model": cause(
        rf"RepositoryNotFoundError|404 Client Error{_OF_HUB}|Client error '404 {_OF_HUB}|"
        r"EntryNotFoundError: 404|"
        r"RevisionNotFoundError|"
        r"is not a valid model identifier listed on",
        "the hub knows no such model, or no such revision or file of it",
        "a typo, or a private model without a token",
        "check the name on the hub; sparkconsole model list shows what is here",
        "huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. (Request ID: x)",
    ),
    "model-not-cached": cause(
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|outgoing traffic has been disabled|"
        r"an appropriate cached snapshot|couldn't connect to 'https://huggingface\.co'|"
        r"Cannot (?:reach|find) the requested files in the (?:local cache|disk cache)|in offline mode",
        "the model is not in this node's cache, and the hub cannot be asked",
        "HF_HUB_OFFLINE is set, or the node has no way to the internet",
        "sparkconsole model download, then model copy to the other nodes",
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder",
    ),
    "model-no-such-path": cause(
        r"Repo id must be in the form|HFValidationError|is not a (?:local folder|valid model)|"
        r"(?:Can't|Cannot|Unable to) load (?:the )?(?:configuration|config) (?:of|for|from)|"
        r"does not appear to have a file named config\.json|Invalid repository ID or local directory|"
        r"Cannot find any model weights with|No (?:safetensors|model) weights? (?:files? )?found",
        "the model is neither a folder in the container nor a name on the hub",
        "the path does not exist there: only ~/.cache/huggingface is mounted unless --volume says more",
        "check the path on every node; give a name of the hub otherwise",
        "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name': '/models/none'.",
    ),
    "model-file-damaged": cause(
        r"SafetensorError|header too large|HeaderTooLarge|InvalidHeader|MetadataIncompleteBuffer|"
        r"incomplete metadata, file not fully covered|Error while deserializing header|"
        r"PytorchStreamReader failed|unexpected EOF, expected \d+ more bytes|"
        r"Consistency check failed: file should be",
        "a file of the model is damaged or cut short",
        "a download or a copy did not end",
        "sparkconsole model list names the shards; model copy sends only those again",
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
    ),
    "model-shard-missing": cause(
        r"FileNotFoundError: .{0,400}?(?P<file>(?<![\w.-])(?:[\w.-]{1,200}\.(?:safetensors|gguf)\b|"
        r"[\w.-]{0,120}model[\w.-]{0,80}\.bin\b|"
        r"[\w.-]{0,80}(?:config|tokenizer|special_tokens_map|index|vocab)\.json\b)|"
        r"tokenizer[\w.-]{0,40}\.model\b|params\.json\b)|"
        r"does not appear to have (?:a file|files) named (?P<file2>[\w./-]{1,120})|"
        r"No such file or directory: \S{0,400}?(?<![\w.-])(?P<other>[\w.-]{1,200}\.(?:safetensors|bin|gguf))",
        "a file of the model is missing: {file}",
        "a shard or its link is gone: rsync copies links and says that all is well",
        "sparkconsole model list names what is missing on which node",
        "FileNotFoundError: No such file or directory: "
        "/root/.cache/huggingface/hub/x/model-00003-of-00008.safetensors",
    ),
    "weights-not-initialised": cause(
        r"[Ww]eights were not initialized from checkpoint|size mismatch for|"
        r"Attempted to load weight \(torch\.Size.{0,400}into parameter|"
        r"KeyError: '(?:model|lm_head|language_model|layers)[\w.]*\.(?:weight|scale|bias)\w*'",
        "the files are not this model's, or not all of it",
        "an incomplete download, or this vLLM knows the architecture otherwise",
        "compare the model on all nodes: sparkconsole model list; try a newer vLLM",
        "ValueError: Following weights were not initialized from checkpoint: {'lm_head.weight'}",
    ),
    "trust-remote-code": cause(
        r"(?:pass|set|with|option) .{0,60}trust_remote_code=True|"
        r"requires you to execute the (?:configuration|modeling|tokenizer) file",
        "the model brings code of its own, which was not allowed to run",
        "vLLM runs it only when told",
        "read the code, then serve with --trust-remote-code",
        "ValueError: The repository for x contains custom code; please pass the argument "
        "`trust_remote_code=True`",
    ),
    "model-type-unknown": cause(
        r"does not recognize this architecture|model type `?(?P<type>[\w-]{1,80})`?.{0,400}not recogni[sz]e|"
        r"Model architectures? \[?.{0,400}\]? (?:are|is) not supported|Unrecognized model in|"
        r"has no vLLM implementation|failed to be inspected|"
        r"KeyError: '(?:rope_\w+|text_config|vision_config)'$|"
        r"KeyError: '(?P<kind>[a-z]\w{0,60}_moe|qwen\w*|glm\w*|gemma\w*|deepseek\w*)'$",
        "this vLLM, or its transformers, is too old for the model",
        "the architecture came after the image was built",
        "build a newer one: sparkconsole image build --rebuild-vllm",
        "ValueError: Model architectures ['NewForCausalLM'] are not supported for now.",
    ),
    "model-config-damaged": cause(
        r"config file at '(?P<file>[^']+)' is not a valid JSON file",
        "a description of the model is damaged: {file}",
        "it was cut short, edited by hand, or an error page was saved in its place",
        "copy it from a node that has it whole: sparkconsole model verify, model copy; or download it again",
        "OSError: It looks like the config file at '/m/config.json' is not a valid JSON file.",
    ),
    "tokenizer-broken": cause(
        r"(?:Can't|Cannot|Unable to|Couldn't) (?:load|instantiate)(?: the)?(?: backend)? tokenizer|"
        r"data did not match any variant of untagged enum (?:PyPreTokenizerTypeWrapper|ModelWrapper)|"
        r"Tokenizer class \S+ does not exist|No tokenizer file found|could not parse ModelProto|"
        r"[Ss]entence[Pp]iece.{0,80}(?:[Ee]rror|[Ff]ailed)",
        "the tokenizer cannot be loaded",
        "its files are missing or newer than the image's tokenizers library",
        "download the model again; build a newer image",
        "OSError: Can't load tokenizer for 'x/y'.",
    ),
    "cache-not-writable": cause(
        r"(?:PermissionError|OSError: \[Errno (?:1|13|30)\]|Permission denied|Read-only file system).{0,400}"
        r"(?:huggingface|/\.cache/|/hub/|\.locks|vllm/torch_compile)|"
        r"There was a problem when trying to write in your cache folder",
        "the model cache cannot be written",
        "it belongs to another user (root, from a container), or is mounted read-only",
        "sudo chown -R $USER ~/.cache/huggingface on the node: sparkconsole doctor cache",
        "PermissionError: [Errno 13] Permission denied: '/root/.cache/huggingface/hub'",
    ),
    "disk-full": cause(
        r"[Nn]o space left on device|Not enough free disk space|Disk quota exceeded|ENOSPC",
        "the disk is full",
        "images, build cache and models share it",
        "sparkconsole image prune; docker system df on the node",
        "OSError: [Errno 28] No space left on device",
        remedies={
            During.BUILD: "make room: docker builder prune, docker image prune; then build again",
            During.COPY: "make room there: sparkconsole model list, image prune; then copy again",
            During.LAUNCH: "see what docker holds: docker system df",
        },
    ),
    "hub-transfer-broke": cause(
        r"CAS (?:service|client) error|Data processing error: |hf_xet\S{0,80} .{0,80}(?:[Ee]rror|[Ff]ailed)|"
        r"An error occurred while downloading using `hf_transfer`|ChunkedEncodingError|IncompleteRead\(|"
        r"Connection broken: |IncompleteBody|"
        r"(?:[Cc]onsistency check|[Hh]ash mismatch).{0,80}(?:safetensors|resolve/)",
        "a download from the hub broke off",
        "the network, a proxy, or the hub's own transfer (xet)",
        "try again, it goes on where it stopped; HF_HUB_DISABLE_XET=1; or copy it from a node that has it: "
        "sparkconsole model copy",
        "RuntimeError: Data processing error: CAS service error : ReqwestMiddleware Error: Request failed "
        "after 5 retries",
    ),
    "hub-down": cause(
        r"(?:50[0234] Server Error|Service (?:Temporarily )?Unavailable|Bad Gateway|Gateway "
        r"Time-?out).{0,400}huggingface",
        "the hub does not answer as it should",
        "it is down, or overloaded",
        "wait, or serve what is in the cache: --offline",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: "
        "https://huggingface.co/x",
    ),
    "hub-not-reached": cause(
        r"(?:ConnectTimeout|ReadTimeout|ConnectionError|ConnectError|MaxRetryError|Max retries).{0,300}"
        r"(?:huggingface\.co|hf\.co)",
        "the hub cannot be reached",
        "the node has no way to the internet, a proxy is in between, or the hub is slow",
        "try curl -I https://huggingface.co on the node; or copy the model from a node that has it: model "
        "copy",
        "requests.exceptions.ConnectTimeout: HTTPSConnectionPool(host='huggingface.co', port=443): Max "
        "retries",
    ),
    "hub-slow": warning(
        r"429 Client Error|Client error '429|HTTP(?:Status)?Error: 429|HTTP Error 429|"
        r"\b429 Too Many Requests|Too Many Requests for url: https://huggingface|"
        r"rate.?limit.{0,400}huggingface",
        "the hub limits how fast it is asked: 429, a rate limit",
        "many requests without a token",
        "set HF_TOKEN; download once and copy: sparkconsole model copy",
        "429 Client Error: Too Many Requests for url: https://huggingface.co/x",
    ),
    "file-missing": end(
        r"FileNotFoundError: \[Errno 2\] No such file or directory: ['\"](?P<path>[^'\"]{1,300})",
        "a file is not there: {path}",
        "the path is wrong, or the folder is not mounted into the container",
        "check the path on the node, and in the container: docker exec … ls",
        "FileNotFoundError: [Errno 2] No such file or directory: '/workspace/bench/prompts.json'",
    ),
    "http-refused": end(
        r"\b(?P<status>4\d\d) Client Error.{0,160}?https?://(?P<host>[\w.:\[\]-]{1,120})|"
        r"Client error '(?P<status2>4\d\d) .{0,160}?https?://(?P<host2>[\w.:\[\]-]{1,120})",
        "the server {host} refused a request: {status}",
        "the path is wrong there, or the right to it is missing; it is not the model hub",
        "check the address; that server's own log says more",
        "requests.exceptions.HTTPError: 404 Client Error: Not Found for url: http://localhost:8000/v1/none",
    ),
    "hub-unauthenticated": harmless(
        r"sending unauthenticated requests to the HF Hub|HF_TOKEN.{0,400}higher rate limits|"
        r"Xet Storage is enabled|`resume_download` is deprecated|Error retrieving (?:file list|safetensors)",
        "public models need no token",
        "Warning: You are sending unauthenticated requests to the HF Hub. Please set a HF_TOKEN",
    ),
}
