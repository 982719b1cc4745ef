"""Hugging Face models of a few thousand random numbers, one a family, as folders like those on the Hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

TEXTS = (
    "The cat drank the milk because it was hungry.",
    "She went to the bank of the river.",
    "I can't see the bank, can you?",
    "Once upon a time there was a little house on a hill.",
) * 3
library: Any = transformers  # whose configurations take more than their signatures tell
DECODERS, ENCODER_DECODERS = ("gpt2", "llama"), ("t5", "marian")
FAMILIES = (*DECODERS, "bert", *ENCODER_DECODERS)
LAYERS, HEADS, KV_HEADS, D_MODEL, POSITIONS = 2, 4, 2, 16, 64


def byte_pieces(*special: str) -> tokenizers.Tokenizer:
    """GPT-2's way: pieces of bytes, so that half of a character may be a piece."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def word_pieces(*special: str) -> tokenizers.Tokenizer:
    """BERT's way: lower case, and a mark before whatever is not the start of a word."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    frame = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=frame)
    return tokenizer


def marked_pieces(*special: str, frame: str) -> tokenizers.Tokenizer:
    """SentencePiece's way: a mark before the start of a word."""
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=90, special_tokens=list(special), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in special]
    tokenizer.post_processor = processors.TemplateProcessing(single=frame, special_tokens=ends)
    return tokenizer


def tokenizer_of(family: str) -> transformers.PreTrainedTokenizerFast:
    roles: dict[str, str] = {}
    if family == "gpt2":
        pieces = byte_pieces("<|endoftext|>")
        roles = dict.fromkeys(("unk_token", "bos_token", "eos_token"), "<|endoftext|>")
    elif family == "llama":
        pieces = marked_pieces("<s>", "</s>", "<unk>", frame="<s> $A")
        roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    elif family == "bert":
        pieces = word_pieces("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
        roles = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    else:
        pieces = marked_pieces("<pad>", "</s>", "<unk>", frame="$A </s>")
        roles = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=pieces, **roles)


def network_of(family: str, d_vocab: int) -> Any:
    sizes: dict[str, Any] = {"vocab_size": d_vocab, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
    long = {"hidden_size": D_MODEL, "max_position_embeddings": POSITIONS}
    torch.manual_seed(FAMILIES.index(family))
    network: Any
    if family == "gpt2":
        config = library.GPT2Config(**sizes, **long, bos_token_id=0, eos_token_id=0)
        network = library.GPT2LMHeadModel(config)
    elif family == "llama":
        sizes |= {"num_key_value_heads": KV_HEADS, "intermediate_size": 24}
        network = library.LlamaForCausalLM(library.LlamaConfig(**sizes, **long, bos_token_id=0, eos_token_id=1))
    elif family == "bert":
        network = library.BertForMaskedLM(library.BertConfig(**sizes, **long, intermediate_size=24))
    elif family == "t5":
        network = library.T5ForConditionalGeneration(
            library.T5Config(
                vocab_size=d_vocab, d_model=D_MODEL, d_kv=4, d_ff=24, num_layers=LAYERS, num_decoder_layers=3,
                num_heads=HEADS, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
            )
        )  # fmt: skip
    else:
        network = library.MarianMTModel(
            library.MarianConfig(
                vocab_size=d_vocab, d_model=D_MODEL, encoder_layers=LAYERS, decoder_layers=LAYERS,
                encoder_attention_heads=HEADS, decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24,
                max_position_embeddings=POSITIONS, pad_token_id=0, eos_token_id=1, forced_eos_token_id=None,
                decoder_start_token_id=0,
            )
        )  # fmt: skip
        # As on the Hub: padding is never written.
        network.generation_config.bad_words_ids = [[0]]
    for parameter in network.parameters():
        # Wide enough for attention that is far from even, and biases and norms that are not nothing.
        nn.init.normal_(parameter, std=0.5)
    return network


def folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Write all families."""
    for family in FAMILIES:
        tokenizer = tokenizer_of(family)
        network_of(family, len(tokenizer)).save_pretrained(root / family)
        tokenizer.save_pretrained(root / family)
        yield family, root / family
