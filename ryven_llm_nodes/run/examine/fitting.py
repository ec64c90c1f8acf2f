"""Whether a stage's settings fit its model, its tokenizer and its rows: looked at before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.choices import source
from ryven_llm_nodes.catalogue.node import Complaint
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.errors import shown, suggestion
from ryven_llm_nodes.program import Step
from ryven_llm_nodes.run.execute.failures import describe

SAMPLE: Final = 1000
"""Rows that are looked at for one that is short enough."""


@dataclass(frozen=True)
class Fitting:
    """A trainer ``step``, and what Load Model at the beginning of its line stands for: configuration and tokenizer.

    ``has_other_template`` tells that the step or one before it takes the template and tokens of another tokenizer.
    """

    step: Step
    config: Any
    tokenizer: Any
    rows: Any
    root: Path
    has_other_template: bool

    def complaints(self) -> Iterator[Complaint]:
        """A parameter, and what is wrong with it."""
        given = {name: value for name, value in self.step.given.items() if value not in (None, False)}
        for name, look in LOOKS.items():
            if name in given:
                yield from ((name, wrong) for wrong in look(self, given[name]))
        yield from self._lengths()

    def _router(self, coefficient: float) -> Iterator[str]:
        if coefficient and not hasattr(self.config.get_text_config(), "output_router_logits"):
            yield f"balances the experts of a mixture; {self._model} has none. Clear it."

    @property
    def _model(self) -> str:
        return f"a model of type {self.config.model_type!r}"

    def _token(self, token: str) -> Iterator[str]:
        if not self.has_other_template and token not in self.tokenizer.get_vocab():
            near = suggestion(token, [str(special) for special in self.tokenizer.all_special_tokens])
            yield f"must be a token of the model's tokenizer, got {shown(token)}.{near}"

    def _template(self, place: str) -> Iterator[str]:
        from transformers import AutoTokenizer

        found = str(resolve(place, self.root)) if is_local(place, self.root) else place
        if Path(found).is_file():
            return
        try:
            AutoTokenizer.from_pretrained(found)
        except Exception as error:  # whatever it is, it is what the stage would fail with
            yield f"{shown(place)} has no tokenizer that can be loaded: {describe(error)}"

    def _model_settings(self, settings: dict[str, Any]) -> Iterator[str]:
        """What ``from_pretrained`` and the configuration do not take is passed to the model, which knows none of it."""
        from transformers import PreTrainedModel

        known = {*signature(PreTrainedModel.from_pretrained).parameters, *vars(self.config), *_popped()}
        for name in settings:
            if name not in known and not hasattr(self.config, name):
                yield f"neither from_pretrained nor {self._model} knows {name!r}; remove it."

    def _assistant_only(self, wanted: bool) -> Iterator[str]:
        from trl import is_conversational
        from trl.chat_template_utils import get_training_chat_template, has_generation_markers

        if not is_conversational(self.rows[0]):
            yield "works with conversations (a column 'messages') only; clear it."
        elif not self.has_other_template and not has_generation_markers(self.tokenizer.chat_template):
            try:
                get_training_chat_template(self.tokenizer)
            except Exception:  # it tells of its own internals
                yield (
                    "needs a chat template that marks what the assistant says, by {% generation %} and "
                    "{% endgeneration %}. Give one by chat_template_path, or clear this."
                )

    def _offloading(self, wanted: bool) -> Iterator[str]:
        import torch

        if not torch.accelerator.is_available():
            yield "moves activations from a GPU to memory, and there is no GPU here; clear it."

    def _lengths(self) -> Iterator[Complaint]:
        """A row of which the prompt alone fills ``max_length`` is dropped; some must be left."""
        limit = self.step.setting("max_length") if "max_length" in self.step.node.all_parameters() else None
        if limit is None or "prompt" not in self.rows.column_names or self.has_other_template:
            return
        shortest = None
        for row in self.rows.select(range(min(SAMPLE, len(self.rows)))):
            length = self._prompt_length(row["prompt"])
            shortest = length if shortest is None else min(shortest, length)
            if length is None or length < limit:
                return
        if len(self.rows) <= SAMPLE:
            yield "max_length", f"is {limit}, but the shortest prompt has {shortest} tokens already: no row is left."

    def _prompt_length(self, prompt: Any) -> int:
        if isinstance(prompt, str):
            return len(self.tokenizer(prompt)["input_ids"])
        text = self.tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])


LOOKS: Final = {
    "router_aux_loss_coef": Fitting._router,
    "eos_token": Fitting._token,
    "pad_token": Fitting._token,
    "chat_template_path": Fitting._template,
    "model_init_kwargs": Fitting._model_settings,
    "assistant_only_loss": Fitting._assistant_only,
    "activation_offloading": Fitting._offloading,
}


def _popped() -> set[str]:
    """The names that ``from_pretrained`` takes out of its keyword arguments."""
    return set(re.findall(r'kwargs\.pop\(\s*"(\w+)"', source("transformers/modeling_utils.py")))
