"""make_tiny_model.py FOLDER: a Llama of a million random parameters with tokenizer and chat template.

Offline and the same every time. float32, since dtype `auto` would choose bfloat16 kernels; head size 32,
the smallest that vLLM's CPU kernels take.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END, START, STOP, PAD = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>")
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def corpus() -> Iterator[str]:
    """Enough words for two thousand tokens."""
    for number in range(4000):
        yield f"node {number} sends {number * number} words to the head, and waits for {number % 7}"
    yield from ("the quick brown fox jumps over the lazy dog", "hello, how are you today?")


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with 2048 tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2048, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(corpus(), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=END, eos_token=STOP, pad_token=PAD, model_max_length=2048
    )
    fast.chat_template = CHAT
    return fast


def model() -> LlamaForCausalLM:
    """Four layers, hidden size 128, seeded."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2048, hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=2048, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=2, pad_token_id=3,
    )  # fmt: skip
    return LlamaForCausalLM(config).to(torch.float32)


if __name__ == "__main__":
    folder = sys.argv[1]
    tokenizer().save_pretrained(folder)
    model().save_pretrained(folder)
