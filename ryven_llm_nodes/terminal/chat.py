"""A conversation in the terminal, with one model or with several next to each other."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TextIO

from rich.console import Console

from ryven_llm_nodes.errors import LLMNodesError, UsageError
from ryven_llm_nodes.quantities import duration
from ryven_llm_nodes.run.chat.replies import Message, Reply, Sampling, Speaker
from ryven_llm_nodes.system.causes import describe
from ryven_llm_nodes.terminal.display import quiet_libraries

HOW_TO: str = "Ctrl-C ends a reply, Ctrl-D the conversation; a line /new begins another."
PLAIN: str = "has no chat template: it continues each message as it is, without those before"


def load(models: Sequence[str], console: Console) -> list[Speaker]:
    """The models, loaded. Raises UsageError for one that cannot be."""
    quiet_libraries()
    from transformers.utils import logging

    logging.disable_progress_bar()
    speakers = []
    for model in models:
        try:
            speakers.append(Speaker(model))
        except Exception as error:
            raise UsageError(f"{model}: {describe(error)}") from error
        if not speakers[-1].converses:
            console.print(f"{model} {PLAIN}", highlight=False, markup=False)
    return speakers


def answer_once(speakers: Sequence[Speaker], talk: Sequence[Message], sampling: Sampling, as_json: bool) -> None:
    """Prints one reply of each model, and nothing else."""
    replies = {one.name: one.reply(talk, sampling, lambda piece: None, threading.Event()) for one in speakers}
    if as_json:
        print(json.dumps({name: asdict(reply) for name, reply in replies.items()}, ensure_ascii=False, indent=2))
        return
    for name, reply in replies.items():
        print(f"{name}: {reply.text}" if len(replies) > 1 else reply.text)


def converse(
    speakers: Sequence[Speaker], system: str, sampling: Sampling, console: Console, lines: TextIO = sys.stdin
) -> None:
    """A conversation, until ``lines`` end. Each model has its own, on the same messages of the user."""
    console.print(HOW_TO, style="dim", highlight=False)
    talks = _begin(speakers, system)
    while (said := _next_line(console, lines)) is not None:
        if said == "/new":
            talks = _begin(speakers, system)
        elif said:
            for speaker, talk in zip(speakers, talks, strict=True):
                talk.append({"role": "user", "content": said})
                if len(speakers) > 1:
                    console.print(speaker.name, style="bold cyan", highlight=False, markup=False)
                _say_reply(speaker, talk, sampling, console)


def _begin(speakers: Sequence[Speaker], system: str) -> list[list[Message]]:
    return [[{"role": "system", "content": system}] if system else [] for _ in speakers]


def _next_line(console: Console, lines: TextIO) -> str | None:
    console.print("> ", end="", style="bold green")
    line = lines.readline()
    return line.strip() if line else None


def _say_reply(speaker: Speaker, talk: list[Message], sampling: Sampling, console: Console) -> None:
    """Streams a reply, and adds it to ``talk``; an error takes its place, and the user's turn is taken back."""

    def say(piece: str) -> None:
        console.print(piece, end="", highlight=False, markup=False, soft_wrap=True)

    with _interruptible() as stop:
        try:
            reply = speaker.reply(talk, sampling, say, stop)
        except LLMNodesError as error:
            talk.pop()
            console.print(str(error), style="red", highlight=False, markup=False)
            return
    console.print(f"\n{_facts(reply)}", style="dim", highlight=False)
    talk.append({"role": "assistant", "content": reply.text})


def _facts(reply: Reply) -> str:
    return f"{reply.tokens} tokens in {duration(reply.seconds)}{reply.remark}"


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Inside, Ctrl-C sets the event and does nothing else."""
    stop = threading.Event()
    answer: Callable[..., None] = lambda *_: stop.set()  # noqa: E731
    before = signal.signal(signal.SIGINT, answer)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
