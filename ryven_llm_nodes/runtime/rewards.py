"""Reward models as reward functions, and a penalty below a reward threshold."""

import warnings
from collections.abc import Callable

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from trl import apply_chat_template, is_conversational

POSITION_TABLES = ("wpe", "position_embeddings", "embed_positions")  # names of learned position embeddings


class RewardModel:
    """A sequence classifier with one label as a reward function: the score of each prompt with its completion.

    A text is prepared as TRL's RewardTrainer prepares it for training. A conversation goes through the chat template,
    which brings all special tokens. A plain text gets those that the tokenizer itself adds, such as [CLS] or a token
    for its beginning, but only once; with `add_eos` it also ends in the tokenizer's end token, which
    RewardTrainer appends and other trainers do not. (GRPOTrainer itself adds nothing to plain text.)

    A text of more than `max_length` tokens, or than the classifier has positions for, is truncated on the left. The
    model is loaded at the first call, so that it takes no memory before the stage that needs it.
    """

    def __init__(
        self,
        model: str,
        name: str,
        batch_size: int = 8,
        dtype: str = "float32",
        max_length: int | None = None,
        add_eos: bool = False,
        **where: object,
    ) -> None:
        self.__name__ = name  # the name under which TRL logs the reward
        self.model, self.batch_size, self.dtype, self.where = model, batch_size, dtype, where
        self.max_length, self.add_eos = max_length, add_eos
        self.classifier = None

    def load(self) -> None:
        """Load tokenizer and classifier, to the GPU if there is one. Raise ValueError if either cannot score."""
        self.load_tokenizer()
        classifier, report = AutoModelForSequenceClassification.from_pretrained(
            self.model, num_labels=1, dtype=self.dtype, output_loading_info=True, **self.where
        )
        if missing := ", ".join(sorted(report["missing_keys"])):
            raise ValueError(f"{self.model} has no {missing}: it was not trained as a reward model")
        # The score is read at the last non-padding token, so the classifier has to know the padding token.
        classifier.config.get_text_config().pad_token_id = self.tokenizer.pad_token_id
        self.positions = learned_positions(classifier)
        self.limit = min((n for n in (self.max_length, self.positions) if n), default=None)
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        self.classifier = classifier.eval().to(device)

    def load_tokenizer(self) -> None:
        """Load the tokenizer, and test whether it adds a BOS token itself."""
        self.tokenizer = AutoTokenizer.from_pretrained(self.model, truncation_side="left", **self.where)
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        if self.tokenizer.pad_token is None:
            raise ValueError(f"the tokenizer of {self.model} has no padding token: set its pad_token and save it")
        begins = self.tokenizer("")["input_ids"][:1] == [self.tokenizer.bos_token_id]
        self.beginning = self.tokenizer.bos_token if begins else ""

    def __call__(self, prompts: list, completions: list, **kwargs: object) -> list[float]:
        """One score per completion."""
        if self.classifier is None:
            self.load()
        is_plain = isinstance(prompts[0], str)
        texts = [self.text(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
        batches = (texts[start : start + self.batch_size] for start in range(0, len(texts), self.batch_size))
        return [score for batch in batches for score in self.scores(batch, is_plain)]

    def text(self, prompt: str | list, completion: str | list) -> str:
        """Prompt and completion as one text, without the special tokens that the tokenizer adds."""
        if is_conversational({"prompt": prompt}):
            return apply_chat_template({"messages": prompt + completion}, self.tokenizer)["text"]
        text, end = (prompt + completion).removeprefix(self.beginning), self.tokenizer.eos_token or ""
        return text + end if self.add_eos and not text.endswith(end) else text

    @torch.no_grad()
    def scores(self, texts: list[str], is_plain: bool) -> list[float]:
        """The classifier's logit for each text."""
        if self.limit is not None:
            self.warn_of_cuts(texts, is_plain)
        inputs = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            padding_side="right",
            add_special_tokens=is_plain,
            truncation=self.limit is not None,
            max_length=self.limit,
        ).to(self.classifier.device)
        return self.classifier(**inputs).logits[:, 0].float().tolist()

    def warn_of_cuts(self, texts: list[str], is_plain: bool) -> None:
        """Warn of texts that are too long for the classifier; Python shows the same warning once."""
        longest = max(map(len, self.tokenizer(texts, add_special_tokens=is_plain, verbose=False)["input_ids"]))
        if longest > self.limit:
            text = f"{self.__name__}: texts of more than {self.limit} tokens are truncated on the left"
            warnings.warn(text, stacklevel=2)


def learned_positions(model: PreTrainedModel) -> int | None:
    """The number of tokens that a model has learned positions for; None if they are computed, for any number."""
    tables = [module for name, module in model.named_modules() if name.split(".")[-1] in POSITION_TABLES]
    sizes = [
        table.num_embeddings - getattr(table, "offset", 0 if table.padding_idx is None else table.padding_idx + 1)
        for table in tables
        if isinstance(table, nn.Embedding)
    ]
    return min(sizes, default=None)


def penalize_shortfall(rewards: list[Callable], threshold: float, weights: list[float] | None = None) -> Callable:
    """The weighted sum of ``rewards``, penalised below ``threshold``.

    A completion with reward ``r`` of at least ``threshold`` keeps ``r``; one below it gets ``r - threshold``. A reward
    that is None or NaN for a completion counts as absent; where all are, so is the sum. Each reward is logged raw.
    """
    weights = weights or [1.0] * len(rewards)

    def column(reward: Callable, completions: list, **kwargs: object) -> list[float]:
        scores = [float("nan") if s is None else float(s) for s in reward(completions=completions, **kwargs)]
        if len(scores) != len(completions):
            raise ValueError(f"{reward.__name__}() returned {len(scores)} rewards for {len(completions)} completions")
        return scores

    def shaped_reward(completions: list, log_metric: Callable | None = None, **kwargs: object) -> list[float | None]:
        columns = [column(reward, completions, log_metric=log_metric, **kwargs) for reward in rewards]
        scores = torch.tensor(columns, dtype=torch.float32).T  # (completions, rewards)
        raw = (scores * torch.tensor(weights)).nansum(dim=1)
        raw[scores.isnan().all(dim=1)] = float("nan")
        if log_metric is not None:
            for reward, values in zip(rewards, scores.T, strict=True):
                log_metric(f"raw_reward/{reward.__name__}", values.nanmean().item())
            log_metric("raw_reward", raw.nanmean().item())
        shaped = torch.where(raw >= threshold, raw, raw - threshold)
        return [None if score != score else score for score in shaped.tolist()]

    return shaped_reward


def limit_reward(reward: Callable, threshold: float, mode: str, name: str) -> Callable:
    """`reward`, changed below `threshold`.

    At or above it, the reward is 1 in the mode "pass", else itself. Below, it is 0, or the shortfall (a negative
    number) in the mode "penalize". A reward that is None stays None.
    """

    def limited(score: float | None) -> float | None:
        if score is None or score != score:
            return None
        if score >= threshold:
            return 1.0 if mode == "pass" else float(score)
        return float(score) - threshold if mode == "penalize" else 0.0

    def limited_reward(**kwargs: object) -> list[float | None]:
        return [limited(score) for score in reward(**kwargs)]

    limited_reward.__name__ = name  # the name under which TRL logs the reward
    return limited_reward
