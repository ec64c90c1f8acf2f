"""Whether a stage's settings fit its model, its tokenizer and its rows: checked before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Seen
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.catalogue.training.choices import source
from ryven_llm_nodes.errors import shown, suggestion
from ryven_llm_nodes.system.causes import describe

SAMPLE: Final = 1000
"""Rows that are searched for one that is short enough."""
TEMPLATE: Final = "chat_template_path"


@dataclass(frozen=True)
class Fitting:
    """A trainer, and what has been read for it."""

    context: NodeContext
    seen: Seen

    def findings(self) -> Iterator[Finding]:
        """All mismatches."""
        yield from (Finding(place, wrong) for place, wrong in self._tied_tokens())
        without_template = list(self._template_lacks())
        yield from (Finding(place, wrong) for place, wrong in without_template)
        if self.seen.tokenizer is not None and not without_template:
            yield from (Finding(place, wrong) for place, wrong in (*self._settings(), *self._lengths()))

    def _settings(self) -> Iterator[Complaint]:
        given = {name: value for name, value in self.context.given.items() if value not in (None, False)}
        for name, look in LOOKS.items():
            if name in given:
                yield from ((name, wrong) for wrong in look(self, given[name]))

    @property
    def _rows(self) -> Any:
        return self.seen.rows["dataset"]

    def _tied_tokens(self) -> Iterator[Complaint]:
        """With another model's chat template TRL adds tokens, if only to pad the vocabulary to a multiple of 64.

        TRL makes the adapter train these, which fails in peft if input and output embeddings are tied.
        """
        given = self.context.given.get(TEMPLATE)
        is_file = isinstance(given, str) and given.endswith((".jinja", ".j2"))
        is_tied = self.seen.config is not None and self.seen.config.get_text_config().tie_word_embeddings
        if given and not is_file and is_tied and "adapter" in self.context.inputs:
            yield (
                TEMPLATE,
                f"takes a template and its tokens from {shown(given)}, and LoRA cannot train new tokens if the "
                f"embeddings are tied, as in {shown(self.seen.model)}. Give only the template, as a .jinja file, or "
                "disconnect the adapter.",
            )

    def _template_lacks(self) -> Iterator[Complaint]:
        """Conversations need a chat template; without one every method fails after it has loaded the model."""
        held = (port for port, rows in self.seen.rows.items() if len(rows) and _holds_conversations(rows[0]))
        port, tokenizer = next(held, None), self.seen.tokenizer
        if port and tokenizer is not None and tokenizer.chat_template is None and not self.seen.other_template:
            yield (
                port,
                f"its dataset contains conversations, but {shown(self.seen.model)} has no chat template; use an "
                "instruct model, set chat_template_path on an SFT stage, or use plain text.",
            )

    def _router(self, coefficient: float) -> Iterator[str]:
        if coefficient and not hasattr(self.seen.config.get_text_config(), "output_router_logits"):
            yield f"balances the experts of a mixture-of-experts model; {self._model} has none. Clear it."

    @property
    def _model(self) -> str:
        return f"a model of type {self.seen.config.model_type!r}"

    def _token(self, token: str) -> Iterator[str]:
        if not self.seen.other_template and token not in self.seen.tokenizer.get_vocab():
            near = suggestion(token, [str(special) for special in self.seen.tokenizer.all_special_tokens])
            yield f"must be a token of the model's tokenizer, got {shown(token)}.{near}"

    def _template(self, place: str) -> Iterator[str]:
        from transformers import AutoTokenizer

        found = str(resolve(place, self.context.root)) if is_local(place, self.context.root) else place
        if Path(found).is_file():
            return
        try:
            AutoTokenizer.from_pretrained(found)
        except Exception as error:  # the stage would fail with the same error
            yield f"{shown(place)} has no tokenizer that can be loaded: {describe(error)}"

    def _model_settings(self, settings: dict[str, Any]) -> Iterator[str]:
        """What neither ``from_pretrained`` nor the configuration takes is passed to the model, which rejects it."""
        from transformers import PreTrainedModel

        known = {*signature(PreTrainedModel.from_pretrained).parameters, *vars(self.seen.config), *_popped()}
        for name in settings:
            if name not in known and not hasattr(self.seen.config, name):
                yield f"neither from_pretrained nor {self._model} knows {name!r}; remove it."

    def _assistant_only(self, wanted: bool) -> Iterator[str]:
        from trl import is_conversational
        from trl.chat_template_utils import get_training_chat_template, has_generation_markers

        if not is_conversational(self._rows[0]):
            yield "works with conversations (a column 'messages') only; clear it."
        elif not self.seen.other_template and not has_generation_markers(self.seen.tokenizer.chat_template):
            try:
                get_training_chat_template(self.seen.tokenizer)
            except Exception:  # its message is about internals
                yield (
                    "needs a chat template that marks the assistant's turns by {% generation %} and "
                    "{% endgeneration %}. Set chat_template_path to one, or clear this."
                )

    def _offloading(self, wanted: bool) -> Iterator[str]:
        import torch

        if not torch.accelerator.is_available():
            yield "offloads activations from GPU to CPU memory, and this machine has no GPU; clear it."

    def _lengths(self) -> Iterator[Complaint]:
        """Rows whose prompt alone fills ``max_length`` are dropped; some must remain."""
        limit = self.context["max_length"] if self.context.has("max_length") else None
        if limit is None or "prompt" not in self._rows.column_names or self.seen.other_template:
            return
        shortest = None
        for row in self._rows.select(range(min(SAMPLE, len(self._rows)))):
            length = self._prompt_length(row["prompt"])
            if length is None or length < limit:
                return
            shortest = length if shortest is None else min(shortest, length)
        if len(self._rows) <= SAMPLE:
            yield "max_length", f"is {limit}, but the shortest prompt already has {shortest} tokens: no row is left."

    def _prompt_length(self, prompt: Any) -> int | None:
        """The number of tokens; None of what is no prompt, or refused by the template: that is reported elsewhere."""
        if isinstance(prompt, str):
            return len(self.seen.tokenizer(prompt)["input_ids"])
        if not _is_conversation(prompt):
            return None
        try:
            text = self.seen.tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        except Exception:
            return None
        return len(self.seen.tokenizer(text, add_special_tokens=False)["input_ids"])


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


def _holds_conversations(row: Mapping[str, Any]) -> bool:
    return any(map(_is_conversation, row.values()))


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "role" in value[0]
