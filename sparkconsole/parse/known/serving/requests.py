"""What vLLM says of requests that it cannot serve, and its web server too: the server is well."""

from sparkconsole.parse.known.known import cause, fact, warning

REQUESTS = {
    "tool-choice-off": warning(
        r"tool choice requires .{0,10}--enable-auto-tool-choice|"
        r"--enable-auto-tool-choice and --tool-call-parser",
        "a request asked for tools, and the server was started without them",
        "a client let the model choose tools; the server is well otherwise",
        "serve with --enable-auto-tool-choice --tool-call-parser and the model's parser",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    ),
    "number-format": cause(
        r"(?P<dtype>torch\.\w{1,20}) is not supported for quantization method (?P<method>\w+)",
        "this quantisation does not run in that number format: {dtype}, {method}",
        "the line names the formats that it runs in",
        "serve with --dtype and one of those: --dtype half",
        "ValueError: torch.bfloat16 is not supported for quantization method awq. Supported dtypes: "
        "[torch.float16]",
    ),
    "request-other-model": fact(
        r"The model `(?P<model>[^`]{1,160})` does not exist",
        "a request asked for a model that is not served: {model}",
        "the request was refused; the server is well",
        "ask for the name that /v1/models lists, or serve with --served-model-name",
        "The model `gpt-4` does not exist.",
    ),
    "request-too-many-items": fact(
        r"At most (?P<most>\d+) (?P<what>\w{1,20}(?:\(s\))?) may be provided",
        "a request had more than the {most} {what} that the server takes",
        "the request was refused; the server is well",
        "fewer of them in a request; or serve with a larger --limit-mm-per-prompt",
        "ValueError: At most 1 image(s) may be provided in one prompt.",
    ),
    "request-too-long": fact(
        r"This model's maximum context length is (?P<most>\d+) tokens|"
        r"maximum context length of (?P<most2>\d+) tokens|"
        r"is longer than the maximum model length of (?P<most3>\d+)",
        "a request was longer than the {most} tokens that the server takes",
        "the request was refused; the server is well",
        "a shorter prompt or fewer max_tokens; or serve with a larger --max-model-len",
        "ValueError: This model's maximum context length is 4096 tokens. However, you requested 9000 tokens",
    ),
}
ANSWERS = {
    # Behind every cause: the same line may say why.
    "request-failed": warning(
        r"\"(?:GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) (?P<path>[^\" ]{1,200}) HTTP/[\d.]{1,4}\" "
        r"(?P<code>5\d\d)\b",
        "the server answered {code} to a request: {path}",
        "it runs, and could not do what it was asked",
        "its lines before that one say why; sparkconsole logs",
        'INFO:     10.0.0.1:5 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error',
    ),
}
