"""Rewards beyond a plain function: a reward model as a function, and a penalty below a threshold."""

from collections.abc import Callable

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import apply_chat_template, is_conversational


class RewardModel:
    """A sequence classifier with one label as a reward function: the score of each prompt with its completion.

    Texts are made and scored as GRPOTrainer does where it is given the classifier itself. The model is loaded at
    the first call, so that it takes no memory before the stage that needs it.
    """

    def __init__(self, model: str, name: str, batch_size: int = 8, dtype: str = "float32", **where: object) -> None:
        self.__name__ = name  # the key under which TRL logs the reward
        self.model, self.batch_size, self.dtype, self.where = model, batch_size, dtype, where
        self.classifier = None

    def load(self) -> None:
        """Load classifier and tokenizer, to the GPU where there is one."""
        self.tokenizer = AutoTokenizer.from_pretrained(self.model, **self.where)
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        classifier = AutoModelForSequenceClassification.from_pretrained(
            self.model, num_labels=1, dtype=self.dtype, **self.where
        )
        # The score is read at the last token that is no padding, so the classifier has to know the padding token.
        classifier.config.get_text_config().pad_token_id = self.tokenizer.pad_token_id
        device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        self.classifier = classifier.eval().to(device)

    def __call__(self, prompts: list, completions: list, **kwargs: object) -> list[float]:
        """One score a completion."""
        if self.classifier is None:
            self.load()
        texts = [self.text(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
        batches = (texts[start : start + self.batch_size] for start in range(0, len(texts), self.batch_size))
        return [score for batch in batches for score in self.scores(batch)]

    def text(self, prompt: str | list, completion: str | list) -> str:
        """Prompt and completion as the classifier reads them."""
        if is_conversational({"prompt": prompt}):
            return apply_chat_template({"messages": prompt + completion}, self.tokenizer)["text"]
        return prompt + completion

    @torch.no_grad()
    def scores(self, texts: list[str]) -> list[float]:
        """The classifier's logit for each text."""
        inputs = self.tokenizer(
            texts, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False
        ).to(self.classifier.device)
        return self.classifier(**inputs).logits[:, 0].float().tolist()


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
