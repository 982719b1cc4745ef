"""Any Hugging Face model that reads text, from a folder or from the Hub; ``language.py`` runs it.

A folder is loaded without the network; only a name that is no folder asks the Hub. Weights are safetensors alone, since
a pickle can run code, and code from the Hub is never run. Every tensor of the network must be in the file.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pretrained.architectures.transformer import sinusoids
from pretrained.language import DecoderOnly, EncoderDecoder, EncoderOnly, LanguageModel
from pretrained.registry import Entry
from pretrained.tokenization import WORD_MARK, Pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

# Our names of sizes in the library's words; each of its configurations knows these, whatever it calls them itself.
SIZES = {
    "d_vocab": "vocab_size",
    "d_model": "hidden_size",
    "d_feedforward": "intermediate_size",
    "n_heads": "num_attention_heads",
    "n_layers": "num_hidden_layers",
    "n_positions": "max_position_embeddings",
}
SPREAD = 0.02  # standard deviation of first weights, GPT-2's and BERT's alike
MOST_TOKENS = 512
MOST_GIGABYTES = 4.0  # of weights that are fetched for a reader
FILES = (
    "config.json", "generation_config.json", "model.safetensors", "model-*-of-*.safetensors",
    "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
)  # fmt: skip


def load(name_or_folder: str | Path, *, revision: str | None = None) -> LanguageModel:
    """Load a model from a folder, or from the Hub if there is no such folder.

    Args:
        name_or_folder: a folder as ``save_pretrained`` writes it, or a name on the Hub: ``openai-community/gpt2``.
        revision: a branch, tag or commit on the Hub.

    Raises:
        ValueError: a model that cannot be had, loaded whole or shown, and why.
    """
    started = time.perf_counter()
    is_folder = Path(name_or_folder).is_dir()
    folder = Path(name_or_folder) if is_folder else _download(str(name_or_folder), revision)
    return _open(folder, Path(name_or_folder).resolve().name if is_folder else str(name_or_folder), None, started)


def load_entry(entry: Entry) -> LanguageModel:
    """Load a shipped model, every tensor of its file.

    Raises:
        ValueError: weights that are not exactly those of the network.
    """
    model = _open(entry.folder, entry.name, entry, time.perf_counter())
    if model.unused:
        raise ValueError(f"{entry.folder}: unexpected keys {', '.join(model.unused)}")
    return model


def build(entry: Entry, sizes: dict[str, Any] | None = None) -> nn.Module:
    """Make a network with random weights, of its usual sizes unless others are given, by our names or the library's.

    Learned positions begin as sinusoids of the usual spread, so that in a short training, too, heads can tell
    neighbours: with random ones no head of ``gpt-mini`` came to put more than 0.32 of its weight on the token before.
    """
    import transformers

    # The library's other attentions hide their weights, and for networks as small as these they are slower on a CPU.
    given: dict[str, Any] = {**entry.sizes, **(sizes or {}), "attn_implementation": "eager"}
    network_class = getattr(transformers, entry.architecture.partition(":")[2])
    named = {SIZES.get(name, name): value for name, value in given.items()}
    network: nn.Module = network_class(network_class.config_class(**named))
    for part in network.modules():
        if isinstance(part, torch.nn.Embedding) and part.num_embeddings == named["max_position_embeddings"]:
            part.weight.data = 2**0.5 * SPREAD * sinusoids(*part.weight.shape)
    return network


class HubTokenizer:
    """A fast tokenizer: text to pieces and back, with the character span of every piece; owns nothing that changes."""

    def __init__(self, tokenizer: Any) -> None:
        """Take a tokenizer of the library.

        Raises:
            ValueError: one that cannot tell where in a text its pieces are.
        """
        if not tokenizer.is_fast:
            raise ValueError("expected a fast tokenizer (tokenizer.json), which tells where its pieces are in a text")
        self._backend = tokenizer.backend_tokenizer
        # Set once here: set at every call, they would make two calls at once fail.
        self._backend.no_truncation()
        self._backend.no_padding()
        self.special = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
        self.mask: int | None = tokenizer.mask_token_id
        ends = (tokenizer.eos_token_id, tokenizer.bos_token_id)
        # GPT-2 names the end of a text as its unknown piece, and has none.
        self.unknown = None if tokenizer.unk_token_id in ends else tokenizer.unk_token_id
        self.max_tokens = int(tokenizer.model_max_length)

    def __len__(self) -> int:
        """Count the pieces of the vocabulary, special ones included."""
        return int(self._backend.get_vocab_size())

    def encode(self, text: str) -> Pieces:
        """Cut a text into pieces, with the special ones that its model expects; a special piece may be typed, too."""
        encoding = self._backend.encode(text)
        spans, labels = [], []
        place = 0
        for index, piece, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
            # The mark before the first character stands for none, where it is a piece of its own.
            if piece == WORD_MARK and not text[start:end].isspace():
                end = start
            # A piece that stands for no character has its place after those before it.
            start, end = _without_spaces(text, *((start, end) if start < end else (place, place)))
            place = end
            spans.append((start, end))
            labels.append(text[start:end] or self.special.get(index, " "))
        return Pieces(tuple(encoding.ids), tuple(spans), tuple(labels))

    def decode(self, ids: Sequence[int], *, after: Sequence[int] = ()) -> Pieces:
        """Name generated pieces by their place in the text that they spell.

        Special pieces keep their names; spans point into ``self.text(ids, after=after)``.
        """
        text = self.text(ids, after=after)
        spans, labels, place = [], [], 0
        for count, index in enumerate(ids, start=1):
            # A piece may hold half of a character: it is shown with the piece that completes it.
            spelled = self.text(ids[:count], after=after).rstrip("\ufffd")
            start, place = place, max(place, _in_common(spelled, text))
            start, end = _without_spaces(text, start, place)
            spans.append((start, end))
            labels.append(self.special.get(index) or text[start:end] or " ")
        return Pieces(tuple(ids), tuple(spans), tuple(labels))

    def text(self, ids: Sequence[int], *, after: Sequence[int] = ()) -> str:
        """Spell pieces as text that follows other pieces, special ones left out."""
        before = self._backend.decode([*after], skip_special_tokens=True)
        spelled: str = self._backend.decode([*after, *ids], skip_special_tokens=True)
        return spelled[_in_common(before, spelled) :]

    def label(self, index: int) -> str:
        """Show one piece by itself, as it looks within a text."""
        # The second of two alike shows neither the marks of a first piece nor those of a later one.
        return self.special.get(index) or self.text([index], after=[index]).strip() or " "


# What loads each family's networks, and the configurations that it knows.
FAMILIES = {
    DecoderOnly: ("AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING"),
    EncoderOnly: ("AutoModelForMaskedLM", "MODEL_FOR_MASKED_LM_MAPPING"),
    EncoderDecoder: ("AutoModelForSeq2SeqLM", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING"),
}


def _family(config: Any) -> type[LanguageModel]:
    """Tell a model's family by its configuration; raises ``ValueError`` for what reads and writes no text."""
    import transformers

    if config.is_encoder_decoder:
        family: type[LanguageModel] = EncoderDecoder
    elif type(config) in transformers.MODEL_FOR_MASKED_LM_MAPPING and not any(
        name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or ()
    ):
        family = EncoderOnly
    else:
        family = DecoderOnly
    if type(config) not in getattr(transformers, FAMILIES[family][1]):
        raise ValueError(
            f"expected a language model, got {config.model_type} ({', '.join(config.architectures or ())})"
        )
    return family


def _open(folder: Path, name: str, entry: Entry | None, started: float) -> LanguageModel:
    import transformers
    from huggingface_hub.errors import StrictDataclassError

    # What it would print is said here: as an error, or as a model's unused weights.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"{name}: expected weights in *.safetensors, got none in {folder}; "
            "pickles (.bin, .pt) can run code and are never opened"
        )
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **here)
        family = _family(config)
        tokenizer = HubTokenizer(transformers.AutoTokenizer.from_pretrained(folder, **here))
        network, report = getattr(transformers, FAMILIES[family][0]).from_pretrained(
            folder,
            config=config,
            attn_implementation="eager",
            dtype=torch.float32,
            use_safetensors=True,
            # Told here, with the tensor's name.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **here,
        )
    except (ValueError, OSError, KeyError, ImportError, RuntimeError, StrictDataclassError) as error:
        raise ValueError(f"{name} cannot be loaded: {error}") from error
    # The library would fill them with random numbers, and show attention that was never learned.
    absent = sorted([*report["missing_keys"], *(str(key) for key, *_ in report["mismatched_keys"])])
    if absent:
        raise ValueError(
            f"{name} has no weights, or none of the right shape, for {len(absent)} tensors: {', '.join(absent)}"
        )
    network.eval().requires_grad_(requires_grad=False)
    positions = getattr(config, "max_position_embeddings", None) or MOST_TOKENS
    entry = entry or Entry(
        name=name,
        family="attention",
        task=family.TASK,
        paper="",
        year=0,
        architecture=f"transformers:{type(network).__name__}",
        max_tokens=min(MOST_TOKENS, positions, tokenizer.max_tokens),
        attention=family.ATTENTION,
        states=family.STATES,
        positions="",
        summary=f"a {config.model_type} model from Hugging Face",
    )
    unused = tuple(sorted(report["unexpected_keys"]))
    return family(entry, network, tokenizer, 1000 * (time.perf_counter() - started), unused=unused)


def _download(name: str, revision: str | None) -> Path:
    """Find a model that was fetched from the Hub before, or fetch it: configuration, tokenizer and safetensors.

    Raises:
        ValueError: no such model, no way to the Hub, or weights that are too large.
    """
    from huggingface_hub import snapshot_download as fetch
    from huggingface_hub.errors import LocalEntryNotFoundError
    from huggingface_hub.utils import httpx

    files = list(FILES)
    try:
        with contextlib.suppress(LocalEntryNotFoundError):
            return Path(fetch(name, revision=revision, allow_patterns=files, local_files_only=True))
        found = fetch(name, revision=revision, allow_patterns=files, dry_run=True)
        gigabytes = sum(file.file_size or 0 for file in found) / 1e9
        if gigabytes > MOST_GIGABYTES:
            raise ValueError(f"expected at most {MOST_GIGABYTES} GB, got {gigabytes:.1f} GB")
        return Path(fetch(name, revision=revision, allow_patterns=files))
    except (ValueError, OSError, httpx.HTTPError) as error:
        raise ValueError(f"{name}: neither a folder nor a model to be had from the Hub: {error}") from error


def _without_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out the space around a piece; of nothing but space there is left the end."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _in_common(one: str, other: str) -> int:
    """Count the characters with which two texts both begin."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
