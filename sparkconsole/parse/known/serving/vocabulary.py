"""The vocabulary that gpt-oss needs beside its weights, and that vLLM downloads when it starts."""

from __future__ import annotations

from sparkconsole.parse.known.known import cause

VOCABULARY = {
    "vocabulary-not-downloaded": cause(
        r"HarmonyError|(?:download|load)\w*.{0,40}\bvocab(?:ulary)? file|"
        r"openaipublic\.blob\.core\.windows\.net|(?:[Ee]rror|[Ff]ailed|not found).{0,200}\.tiktoken\b",
        "the vocabulary of gpt-oss (harmony, tiktoken) could not be downloaded",
        "it is no part of the model: it is downloaded at the start, and the node has no Internet, no DNS, or "
        "a proxy in between",
        "let the node reach openaipublic.blob.core.windows.net once; or put o200k_base.tiktoken and "
        "cl100k_base.tiktoken into a folder that the container sees, and name it: -e "
        "TIKTOKEN_ENCODINGS_BASE=…",
        "openai_harmony.HarmonyError: error downloading or loading vocab file: failed to download or load "
        "vocab file",
    ),
}
