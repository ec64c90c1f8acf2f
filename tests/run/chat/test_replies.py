"""Replies of a model: what it is asked, what it says, and how a reply ends."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.run.chat.replies import Sampling, Speaker

HELLO = [{"role": "user", "content": "what is 1"}]


@pytest.fixture(scope="module")
def speaker(workspace: Path) -> Speaker:
    return Speaker(str(workspace / "model"))


def say_all(speaker: Speaker, sampling: Sampling, stop: threading.Event | None = None) -> tuple[list[str], object]:
    pieces: list[str] = []
    return pieces, speaker.reply(HELLO, sampling, pieces.append, stop or threading.Event())


def test_the_prompt_is_what_the_chat_template_makes(speaker: Speaker, workspace: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(workspace / "model")
    wanted = tokenizer.apply_chat_template(HELLO, add_generation_prompt=True, return_dict=False)
    assert speaker.converses
    assert speaker.prompt_ids(HELLO)[0].tolist() == wanted


def test_without_a_template_the_newest_message_is_continued(workspace: Path, tmp_path: Path) -> None:
    plain = Path(shutil.copytree(workspace / "model", tmp_path / "plain"))
    (plain / "chat_template.jinja").unlink()
    speaker = Speaker(str(plain))
    assert not speaker.converses
    talk = [*HELLO, {"role": "assistant", "content": "x"}, {"role": "user", "content": "Once upon"}]
    assert speaker.prompt_ids(talk)[0].tolist() == speaker.tokenizer("Once upon").input_ids


def test_a_greedy_reply_is_that_of_generate(speaker: Speaker, workspace: Path) -> None:
    pieces, reply = say_all(speaker, Sampling(temperature=0, max_new_tokens=6))
    model = AutoModelForCausalLM.from_pretrained(workspace / "model")
    ids = speaker.prompt_ids(HELLO)
    made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=6)
    assert reply.text == speaker.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    assert "".join(pieces) == reply.text
    assert reply.tokens == made.shape[1] - ids.shape[1]
    assert 0 < reply.first_seconds <= reply.seconds


def test_the_seed_decides_what_is_sampled(speaker: Speaker) -> None:
    texts = [say_all(speaker, Sampling(1.0, 1.0, 12, seed))[1].text for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_length_and_stop_are_told_apart(speaker: Speaker) -> None:
    assert say_all(speaker, Sampling(1.0, 1.0, 2))[1].ended == "length"
    stop = threading.Event()
    stop.set()
    reply = say_all(speaker, Sampling(1.0, 1.0, 100), stop)[1]
    assert reply.ended == "stopped"
    assert reply.tokens < 3


def test_an_error_of_generation_reaches_who_asked(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(speaker.model, "generate", fail)
    with pytest.raises(RuntimeError, match="no memory left"):
        say_all(speaker, Sampling())


def test_a_conversation_beyond_the_context_is_rejected(speaker: Speaker) -> None:
    most = speaker.model.config.max_position_embeddings
    talk = [{"role": "user", "content": "what " * (most + 1)}]
    with pytest.raises(UsageError, match=rf"takes {most}\. Begin a new one"):
        speaker.reply(talk, Sampling(), print, threading.Event())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -1}, "temperature: must be at least 0, got -1"),
        ({"top_p": 0}, "top_p: must be above 0, at most 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens: must be at least 1, got 0"),
    ],
)
def test_sampling_that_no_model_takes_is_rejected(values: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampling(**values)
