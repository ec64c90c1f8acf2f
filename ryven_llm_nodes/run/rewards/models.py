"""Loads each reward model once before training, lets it score two rows, and frees its memory."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from math import inf, isfinite
from typing import Any, Final

from ryven_llm_nodes.catalogue.values import RewardPart
from ryven_llm_nodes.errors import Cancelled, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.configs import completion_setting
from ryven_llm_nodes.run.loaded import LoadedProgram
from ryven_llm_nodes.run.rewards.calls import Caller
from ryven_llm_nodes.system.causes import describe, forget

SAMPLE_ROWS: Final = 2
MEASURED_ROWS: Final = 8
"""How many of the prompts with the most characters are tokenized to find the longest."""
ANSWER: Final = "This is a short answer."


def wrong_head(config: Any) -> str | None:
    """Why a model with this configuration is not a reward model, as far as the configuration tells."""
    if config.num_labels == 1:
        return None
    kind = next(iter(config.architectures or ()), "")
    if kind.endswith(("ForCausalLM", "LMHeadModel")):
        return f"is a language model ({kind}), with no head that scores; give a sequence classifier with one label."
    return f"has {config.num_labels} labels; give a sequence classifier with one."


def reward_model_problems(
    program: Program, loaded: LoadedProgram, tokenizers: Mapping[str, Any], cancelled: threading.Event
) -> Iterator[Problem]:
    """What is wrong with the reward models of ``program``. Raises Cancelled when asked to stop.

    ``tokenizers`` holds those of the models that could be found; the others are not tested.
    """
    for owner in program.steps:
        if owner.name not in tokenizers:
            continue
        fitting = []
        for trainer, part in _scored_by(program, owner, loaded):
            wrong = _template_problem(owner, trainer, tokenizers[owner.name], loaded)
            yield from wrong
            fitting += [] if wrong else [(trainer, part)]
        if fitting:
            model = loaded.evaluated(fitting[0][1].expression)
            yield from _tried(loaded, owner, model, [trainer for trainer, _ in fitting], cancelled)


def unloaded_problems(
    program: Program, loaded: LoadedProgram, tokenizers: Mapping[str, Any], cancelled: threading.Event
) -> Iterator[Problem]:
    """What can be told of the reward models of ``program`` without their weights."""
    for owner in program.steps:
        for trainer, part in _scored_by(program, owner, loaded) if owner.name in tokenizers else ():
            wrong = _template_problem(owner, trainer, tokenizers[owner.name], loaded)
            yield from wrong or _lengths_unloaded(owner, trainer, loaded, loaded.evaluated(part.expression))


def _lengths_unloaded(owner: Step, trainer: Step, loaded: LoadedProgram, model: Any) -> Iterator[Problem]:
    """Compares the longest prompts with the positions of a model of the same configuration, without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        model.load_tokenizer()
        with torch.device("meta"):
            hollow = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(model.model))
    except Exception as error:  # the stage would fail with the same error
        yield owner.problem(f"cannot be loaded: {describe(error)}", "path")
        return
    model.positions = loaded.module.__dict__["learned_positions"](hollow)
    yield from _wrong_lengths(owner, trainer, model, _longest_prompts(_data(loaded, trainer)))


def _scored_by(program: Program, owner: Step, loaded: LoadedProgram) -> Iterator[tuple[Step, RewardPart]]:
    """The trainers whose completions the reward model ``owner`` scores, and that have prompts."""
    for step in program.steps:
        part = next((part for part in program.rewards(step) if part.owner == owner.name), None)
        if part and program.cells[step.name].config and "prompt" in _columns(loaded, step):
            yield step, part


def _columns(loaded: LoadedProgram, trainer: Step) -> list[str]:
    """Those of its prompts; none where these are made later."""
    return list(_data(loaded, trainer).column_names) if loaded.rows(trainer) else []


def _data(loaded: LoadedProgram, trainer: Step) -> Any:
    return next(iter(loaded.rows(trainer).values()))


def _template_problem(owner: Step, trainer: Step, tokenizer: Any, loaded: LoadedProgram) -> list[Problem]:
    if isinstance(_data(loaded, trainer)[0]["prompt"], str) or tokenizer.chat_template is not None:
        return []
    message = (
        f"the prompts of {trainer.label} are conversations, but {shown(owner.given['path'])} has no chat template; "
        "use a reward model that has one, or plain-text prompts."
    )
    return [owner.problem(message, "path")]


def _tried(
    loaded: LoadedProgram, owner: Step, model: Any, trainers: list[Step], cancelled: threading.Event
) -> Iterator[Problem]:
    """Lets the reward ``model`` of ``owner`` score the longest prompts of each of ``trainers``."""
    trainer = trainers[0]
    try:
        with closing(Caller(cancelled)) as caller:
            for trainer in trainers:
                prompts = _longest_prompts(_data(loaded, trainer))
                if model.classifier is None:
                    caller.call(model.load, inf)
                if wrong := list(_wrong_lengths(owner, trainer, model, prompts)):
                    yield from wrong
                    continue
                scores = caller.call(lambda prompts=prompts: _scores(model, prompts[:SAMPLE_ROWS]), inf)
                yield from _wrong_scores(owner, trainer, scores)
    except Cancelled:
        raise
    except Exception as error:  # the stage would fail with the same error
        yield owner.problem(f"cannot score the prompts of {trainer.label}: {describe(error)}", "path")
        forget(error)
    finally:
        model.classifier = None
        loaded.module.__dict__["release_memory"]()


def _longest_prompts(data: Any) -> list[Any]:
    """The prompts with the most characters, longest first."""
    lengths = [len(str(prompt)) for prompt in data["prompt"]]
    return [data[row]["prompt"] for row in heapq.nlargest(MEASURED_ROWS, range(len(data)), key=lengths.__getitem__)]


def _completion(prompt: Any, answer: str) -> Any:
    return answer if isinstance(prompt, str) else [{"role": "assistant", "content": answer}]


def _scores(model: Any, prompts: list[Any]) -> list[float]:
    return model(prompts=prompts, completions=[_completion(prompt, ANSWER) for prompt in prompts])


def _wrong_scores(owner: Step, trainer: Step, scores: list[float]) -> Iterator[Problem]:
    wrong = [score for score in scores if not isfinite(score)]
    if wrong:
        remedy = "Load it in float32 (dtype), or use another model."
        yield owner.problem(f"scores a prompt of {trainer.label} with {wrong[0]}. {remedy}", "path")


def _wrong_lengths(owner: Step, trainer: Step, model: Any, prompts: list[Any]) -> Iterator[Problem]:
    """A model with learned positions fails beyond the last one; whether to truncate texts is the user's decision."""
    if model.positions is None or owner.setting("max_length") is not None:
        return
    texts = [(model.text(prompt, _completion(prompt, "")), isinstance(prompt, str)) for prompt in prompts]
    longest = max(len(model.tokenizer(text, add_special_tokens=plain)["input_ids"]) for text, plain in texts)
    name, most = completion_setting(trainer)
    if longest + most > model.positions:
        yield owner.problem(
            f"has positions for {model.positions} tokens, but the longest prompt of {trainer.label} takes {longest} "
            f"and a completion up to {most} ({name}). Shorten these, or set max_length to "
            f"{model.positions} here: longer texts are then truncated on the left.",
            "max_length",
        )
