"""A reward model reads texts as it was trained to, and is refused where it was not trained to score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    OPTConfig,
    OPTForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from ryven_llm_nodes.runtime.rewards import RewardModel, learned_positions

SPECIAL = ["<pad>", "<eos>", "<unk>", "<bos>", "[CLS]", "[SEP]"]
WORDS = "abcdefghijklmnopqrstuvwxyz"
TEMPLATE = "<bos> {% for m in messages %}{{ m['role'][0] }} {{ m['content'] }} <eos> {% endfor %}"
HEADS = {"vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_labels": 1}
SIZES = {**HEADS, "intermediate_size": 64, "pad_token_id": 0}


def tokenizer(form: str = "$A", **special: str) -> PreTrainedTokenizerFast:
    """A token a letter; ``form`` is what becomes of a text, such as ``[CLS] $A [SEP]``."""
    vocab = {token: index for index, token in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = [(token, vocab[token]) for token in form.split() if token in vocab]
    words.post_processor = processors.TemplateProcessing(single=form, special_tokens=marks)
    given = {"pad_token": "<pad>", "unk_token": "<unk>", "chat_template": TEMPLATE, **special}
    return PreTrainedTokenizerFast(tokenizer_object=words, **{name: token for name, token in given.items() if token})


def saved(folder: Path, model: PreTrainedModel, words: PreTrainedTokenizerFast) -> str:
    """The folder, with a model of random weights that are large enough for scores to differ."""
    torch.manual_seed(3)
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) * 0.3
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def bert(folder: Path, **config: Any) -> str:
    model = BertForSequenceClassification(BertConfig(**SIZES, **config))
    return saved(folder, model, tokenizer("[CLS] $A [SEP]", cls_token="[CLS]", sep_token="[SEP]"))


def llama(folder: Path, **special: Any) -> str:
    model = LlamaForSequenceClassification(LlamaConfig(**SIZES))
    return saved(folder, model, tokenizer("<bos> $A", bos_token="<bos>", eos_token="<eos>", **special))


def score(folder: str, text: str, **options: Any) -> float:
    """The score by transformers alone."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt", **options)).logits[0, 0].item()


def scores(folder: str, *pairs: tuple[Any, Any], **options: Any) -> list[float]:
    prompts, completions = (list(column) for column in zip(*pairs, strict=True))
    return RewardModel(folder, "rm", **options)(prompts=prompts, completions=completions)


@pytest.mark.parametrize("make", [bert, llama])
def test_plain_text_gets_the_special_tokens_of_its_tokenizer(make: Any, tmp_path: Path) -> None:
    folder = make(tmp_path)
    texts = ["a b c d", "e f g"]
    assert scores(folder, ("a b", " c d"), ("e f", " g")) == pytest.approx([score(folder, t) for t in texts], abs=1e-5)
    assert score(folder, texts[0]) != pytest.approx(score(folder, texts[0], add_special_tokens=False), abs=1e-3)


def test_plain_text_that_brings_its_beginning_gets_no_second_one(tmp_path: Path) -> None:
    folder = llama(tmp_path)
    assert scores(folder, ("<bos> a b", " c")) == pytest.approx([score(folder, "a b c")], abs=1e-5)
    assert score(folder, "<bos> a b c") != pytest.approx(score(folder, "a b c"), abs=1e-3)


def test_a_beginning_that_the_tokenizer_does_not_add_is_left(tmp_path: Path) -> None:
    words = tokenizer("$A", bos_token="<bos>")
    folder = saved(tmp_path, LlamaForSequenceClassification(LlamaConfig(**SIZES)), words)
    assert scores(folder, ("<bos> a b", " c")) == pytest.approx([score(folder, "<bos> a b c")], abs=1e-5)


def test_conversations_get_what_the_template_has_and_no_more(tmp_path: Path) -> None:
    folder = llama(tmp_path)
    pair = ([{"role": "user", "content": "a b"}], [{"role": "assistant", "content": "c"}])
    wanted = score(folder, "<bos> u a b <eos> a c <eos> ", add_special_tokens=False)
    assert scores(folder, pair) == pytest.approx([wanted], abs=1e-5)


def test_plain_text_is_tokenized_as_rewardtrainer_does_in_training(tmp_path: Path) -> None:
    """TRL appends the end token to plain text; ``add_eos`` does the same."""
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    folder = llama(tmp_path / "rm")
    rows = Dataset.from_dict({"prompt": ["a b"], "chosen": [" c d"], "rejected": [" e <eos>"]})
    args = RewardConfig(output_dir=str(tmp_path / "out"), use_cpu=True, bf16=False, report_to="none")
    trainer = RewardTrainer(model=folder, args=args, train_dataset=rows)
    model = RewardModel(folder, "rm", add_eos=True)
    model.load()
    (row,) = trainer.train_dataset
    for completion, ids in ((" c d", row["chosen_ids"]), (" e <eos>", row["rejected_ids"])):
        assert model.tokenizer(model.text("a b", completion))["input_ids"] == ids
    assert scores(folder, ("a b", " c d"), add_eos=True) == pytest.approx([score(folder, "a b c d <eos>")], abs=1e-5)
    assert scores(folder, ("a b", " c d")) == pytest.approx([score(folder, "a b c d")], abs=1e-5)


def test_a_language_model_is_no_reward_model(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"has no score\.weight: it was not trained as a reward model"):
        scores(str(tmp_path), ("a", "b"))


def test_a_tokenizer_has_to_have_a_token_to_pad_with(tmp_path: Path) -> None:
    model = LlamaForSequenceClassification(LlamaConfig(**SIZES))
    folder = saved(tmp_path, model, tokenizer(pad_token="", eos_token=""))
    with pytest.raises(ValueError, match="has no padding token: set its pad_token and save it"):
        scores(folder, ("a", "b"))


@pytest.mark.parametrize(
    ("model", "positions"),
    [
        (GPT2ForSequenceClassification(GPT2Config(vocab_size=32, n_embd=32, n_layer=1, n_head=4, n_positions=12)), 12),
        (BertForSequenceClassification(BertConfig(**SIZES, max_position_embeddings=12)), 12),
        (
            RobertaForSequenceClassification(RobertaConfig(**{**SIZES, "pad_token_id": 1}, max_position_embeddings=14)),
            12,
        ),
        (
            OPTForSequenceClassification(
                OPTConfig(**HEADS, word_embed_proj_dim=32, ffn_dim=32, max_position_embeddings=12)
            ),
            12,
        ),
        (LlamaForSequenceClassification(LlamaConfig(**SIZES, max_position_embeddings=12)), None),
    ],
    ids=["gpt2", "bert", "roberta", "opt", "llama"],
)
def test_positions_are_those_that_the_model_can_take(model: PreTrainedModel, positions: int | None) -> None:
    assert learned_positions(model) == positions
    length = positions or 40
    model.config.pad_token_id = model.config.pad_token_id or 0
    assert model.eval()(input_ids=torch.full((1, length), 9)).logits.shape == (1, model.config.num_labels)
    if positions:
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, length + 1), 9))


def test_what_is_too_long_loses_its_beginning_and_that_is_said(tmp_path: Path) -> None:
    folder = bert(tmp_path, max_position_embeddings=6)
    with pytest.warns(UserWarning, match="rm: texts of more than 6 tokens are truncated on the left"):
        (cut,) = scores(folder, ("a b c d", " e f"))
    assert cut == pytest.approx(score(folder, "c d e f"), abs=1e-5)
    with pytest.warns(UserWarning, match="rm: texts of more than 4 tokens"):
        (cut,) = scores(folder, ("a b", " c"), max_length=4)
    assert cut == pytest.approx(score(folder, "b c"), abs=1e-5)
