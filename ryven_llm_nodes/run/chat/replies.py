"""Replies of a model, piece by piece as they are generated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty
from typing import Any, Final

from ryven_llm_nodes.errors import UsageError

Message = dict[str, str]
"""A turn of a conversation, with ``role`` and ``content``."""
ROLES: Final = ("system", "user", "assistant")


@dataclass(frozen=True)
class Sampling:
    """How a reply is sampled; a ``temperature`` of 0 takes the most probable token each time."""

    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no model takes."""
        for name, is_right, limits in (
            ("temperature", self.temperature >= 0, "at least 0"),
            ("top_p", 0 < self.top_p <= 1, "above 0, at most 1"),
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
        ):
            if not is_right:
                raise UsageError(f"{name}: must be {limits}, got {getattr(self, name)}.")

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of ``generate``."""
        if not self.temperature:
            return {"do_sample": False, "max_new_tokens": self.max_new_tokens}
        chosen = {"temperature": self.temperature, "top_p": self.top_p, "top_k": 0}
        return {"do_sample": True, "max_new_tokens": self.max_new_tokens, **chosen}


@dataclass(frozen=True)
class Reply:
    """The end of a reply: its text without special tokens, its length, and what it took.

    ``ended`` is why: ``stop token``, ``length`` or ``stopped``. ``first_seconds`` is the time to the first piece.
    """

    text: str
    tokens: int
    first_seconds: float
    seconds: float
    ended: str

    @property
    def remark(self) -> str:
        """Why it ended, where that was not its own end: the end of a sentence, or nothing."""
        return {"length": ", cut at the most tokens", "stopped": ", stopped"}.get(self.ended, "")


class Speaker:
    """A model that has been loaded, with its tokenizer. Loading takes seconds."""

    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.name = model
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype="auto").eval()
        if torch.accelerator.is_available():
            self.model.to(torch.accelerator.current_accelerator())

    @property
    def converses(self) -> bool:
        """Whether the model has a chat template; without one, it continues the newest message alone."""
        return bool(self.tokenizer.chat_template)

    def prompt_ids(self, messages: Sequence[Message]) -> Any:
        """The prompt (1, T) as the model was trained to see it.

        Raises UsageError for a conversation that the chat template does not take.
        """
        if not self.converses:
            return self.tokenizer(messages[-1]["content"], return_tensors="pt").input_ids
        from jinja2.exceptions import TemplateError

        try:
            return self.tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=False
            )
        except TemplateError as error:
            roles = ", ".join(message["role"] for message in messages)
            raise UsageError(f"the chat template of {self.name} does not take the turns {roles}: {error}") from error

    def reply(
        self, messages: Sequence[Message], sampling: Sampling, say: Callable[[str], Any], stop: threading.Event
    ) -> Reply:
        """Generates a reply to ``messages``; calls ``say`` with each piece of text, until ``stop`` is set.

        The same messages, sampling and seed give the same reply. Raises UsageError where nothing fits the context.
        """
        from transformers import StoppingCriteriaList, TextIteratorStreamer, set_seed

        ids = self.prompt_ids(messages).to(self.model.device)
        self._refuse_too_long(ids.shape[1])
        set_seed(sampling.seed)
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=0.1)
        started, made = time.perf_counter(), _Made(stop)
        arguments = {**self._tokens(), **sampling.arguments, "streamer": streamer}
        work = threading.Thread(
            target=made.generate, args=(self.model, ids, StoppingCriteriaList([made.is_stopped]), arguments)
        )
        work.start()
        pieces, first = [], 0.0
        for piece in _pieces(streamer, work):
            first = first or time.perf_counter() - started
            pieces.append(piece)
            say(piece)
        work.join()
        if made.error:
            raise made.error
        tokens = made.length - ids.shape[1]
        ended = "stopped" if stop.is_set() else "length" if tokens >= sampling.max_new_tokens else "stop token"
        return Reply("".join(pieces), tokens, first, time.perf_counter() - started, ended)

    def _tokens(self) -> dict[str, Any]:
        """The tokens at which a reply ends: those of the model, and the end of the tokenizer's turns."""
        ends = self.model.generation_config.eos_token_id
        ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}
        pad = self.tokenizer.pad_token_id
        return {"eos_token_id": sorted(ends) or None, "pad_token_id": min(ends, default=0) if pad is None else pad}

    def _refuse_too_long(self, length: int) -> None:
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if most and length >= most:
            raise UsageError(f"the conversation has {length} tokens; {self.name} takes {most}. Begin a new one.")


class _Made:
    """What the thread that generates leaves behind."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.length, self.error = 0, None

    def is_stopped(self, ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        return torch.full((ids.shape[0],), self._stop.is_set(), device=ids.device, dtype=torch.bool)

    def generate(self, model: Any, ids: Any, criteria: Any, arguments: dict[str, Any]) -> None:
        import torch

        try:
            mask = torch.ones_like(ids)
            self.length = model.generate(ids, attention_mask=mask, stopping_criteria=criteria, **arguments).shape[1]
        except Exception as error:  # raised again in the thread that waits for pieces
            self.error = error


def _pieces(streamer: Any, work: threading.Thread) -> Iterator[str]:
    """The pieces of text that are not empty, until generation has ended, by an error too."""
    while True:
        try:
            piece = next(streamer)
        except StopIteration:
            return
        except Empty:
            if not work.is_alive():
                return
            continue
        if piece:
            yield piece
