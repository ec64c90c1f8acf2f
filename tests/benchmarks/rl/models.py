"""The models of the gym, made on the spot in seconds, and cached in a folder.

A language model of 4 layers of 64 is trained on sentences of random words that end with EOS: it knows the words
and when to end, and nothing else. The reward model is a sequence classifier that was trained on pairs of sentences
of which the one with more of the word in question is preferred.
"""

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

TEXT = """
red blue green black white brown cat dog bird fish horse mouse sun moon star rain snow wind
tree leaf root stone sand sea hill road door key bread milk salt tea
"""
WORDS = TEXT.split()
GOOD, SECOND = "blue", "moon"
"""The word that rewards ask for, and the word that has to follow it in the sparse task."""
PAD, EOS = len(WORDS), len(WORDS) + 1
PROMPT = 4
"""Words per prompt."""
LAYERS, SIZE, HEADS = 4, 64, 4


@dataclass(frozen=True)
class TinyModel:
    """What to make: the architecture, the mean number of words per sentence, and the length of its rows."""

    kind: str = "llama"
    mean_words: int = 16
    row: int = 48  # tokens
    steps: int = 150


MODELS = {
    "tiny": TinyModel(),
    "tiny-long": TinyModel(mean_words=1000, row=264, steps=60),
    "tiny-gpt2": TinyModel(kind="gpt2"),
}


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: i for i, word in enumerate([*WORDS, "<pad>", "<eos>"])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        eos_token="<eos>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def make_config(model: TinyModel, layers: int = LAYERS, **settings: Any) -> PretrainedConfig:
    """The configuration of an untrained model; GPT-2 has its usual dropout of 0.1."""
    special = {"vocab_size": len(WORDS) + 2, "pad_token_id": PAD, "eos_token_id": EOS, "bos_token_id": None, **settings}
    if model.kind == "gpt2":
        return GPT2Config(n_layer=layers, n_embd=SIZE, n_head=HEADS, n_positions=512, **special)
    sizes = {"hidden_size": SIZE, "intermediate_size": 4 * SIZE, "num_attention_heads": HEADS}
    return LlamaConfig(num_hidden_layers=layers, max_position_embeddings=512, **sizes, **special)


def sentences(model: TinyModel, count: int) -> torch.Tensor:
    """Rows (count, row) of random words; EOS after about `mean_words`, and padding behind it."""
    rows = torch.randint(len(WORDS), (count, model.row))
    ends = torch.rand(count, model.row) < 1 / model.mean_words
    ends[:, :PROMPT] = False
    after = ends.cumsum(1)
    rows[(after == 1) & ends] = EOS
    rows[(after > 1) | ((after == 1) & ~ends)] = PAD
    return rows


def train_language_model(model: TinyModel, folder: Path) -> None:
    """Train the model on fresh sentences, and save it with its tokenizer."""
    torch.manual_seed(0)
    policy = AutoModelForCausalLM.from_config(make_config(model)).train()
    optimizer = torch.optim.AdamW(policy.parameters(), lr=3e-3)
    for _ in range(model.steps):
        rows = sentences(model, 32)
        loss = policy(rows, attention_mask=rows != PAD, labels=rows.masked_fill(rows == PAD, -100)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    policy.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)


def train_reward_model(folder: Path) -> None:
    """Train a classifier of 2 layers with Bradley and Terry's loss: more of the good word is better."""
    torch.manual_seed(1)
    config = make_config(TinyModel(), layers=2, num_labels=1)
    classifier = AutoModelForSequenceClassification.from_config(config).train()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-3)
    good = WORDS.index(GOOD)
    for _ in range(200):
        rows = torch.randint(len(WORDS), (64, PROMPT + 12))
        share = torch.rand(64, 1)  # from none to all of a completion
        rows[:, PROMPT:][torch.rand(64, 12) < share] = good
        counts = (rows[:, PROMPT:] == good).sum(1)
        scores = classifier(rows).logits[:, 0]
        sign = (counts[:32] - counts[32:]).sign()
        loss = -logsigmoid(sign * (scores[:32] - scores[32:]))[sign != 0].mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    classifier.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)


def model_folder(name: str, cache: Path) -> Path:
    """The folder of a model, which is made first if it is not there; a name that is no tiny model's is a folder."""
    if name not in MODELS and name != "reward-model":
        return Path(name)
    folder = cache / name
    if not folder.exists():
        unfinished = cache / f".{name}-{os.getpid()}"
        if name == "reward-model":
            train_reward_model(unfinished)
        else:
            train_language_model(MODELS[name], unfinished)
        move(unfinished, folder)
    return folder


def move(source: Path, target: Path) -> None:
    """Rename a finished folder; where another process was first, its folder stays."""
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise
        shutil.rmtree(source)


def word_prompts(seed: int) -> Iterator[str]:
    """Prompts of random words, without end."""
    draw = random.Random(seed)
    while True:
        yield " ".join(draw.choice(WORDS) for _ in range(PROMPT))


def sum_prompts(seed: int) -> Iterator[str]:
    """Additions of two numbers below 20, with two examples before them, without end."""
    draw = random.Random(seed)
    while True:
        yield f"2 + 3 = 5\n14 + 8 = 22\n{draw.randrange(20)} + {draw.randrange(20)} ="
