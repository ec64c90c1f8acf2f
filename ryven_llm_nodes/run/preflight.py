"""Tries what can go wrong late before anything is trained: settings, data, chat templates, reward functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ryven_llm_nodes.catalogue import LoadModel
from ryven_llm_nodes.catalogue.cell import RewardValue
from ryven_llm_nodes.catalogue.columns import missing_columns
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.train import Trainer
from ryven_llm_nodes.errors import FlowError, Problem, shown
from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.failures import describe
from ryven_llm_nodes.run.loaded import LoadedProgram

SAMPLE_ROWS = 2


def preflight(program: Program, loaded: LoadedProgram) -> None:
    """Raises FlowError with everything that would stop a stage of ``program`` later.

    The data sets have been loaded. Reward functions are called once, in a namespace apart, with two rows.
    """
    problems: list[Problem] = []
    for step in program.steps:
        if issubclass(step.node, Trainer):
            problems += _config_problems(program, loaded, step)
            data = list(_data_problems(program, loaded, step))
            problems += data or [*_template_problems(program, loaded, step), *_reward_problems(program, loaded, step)]
    if problems:
        raise FlowError(list(dict.fromkeys(problems)))


def _config_problems(program: Program, loaded: LoadedProgram, step: Step) -> Iterator[Problem]:
    """Builds the configuration: TRL checks combinations of settings there."""
    cell, module = program.cells[step.name], loaded.module
    settings = {**module.DEVICE, **dict(cell.settings)}
    try:
        getattr(module, cell.config)(output_dir=str(module.output_dir), **settings)
    except Exception as error:  # whatever it is, it is what the stage would fail with
        yield step.problem(f"{cell.config} refuses its settings: {describe(error)}")


def _data_problems(program: Program, loaded: LoadedProgram, step: Step) -> Iterator[Problem]:
    context = NodeContext(step.node, step.name, step.given, {}, program.graph.root)
    for port in ("dataset", "eval_dataset"):
        if port in step.wires:
            data = loaded.module.__dict__[step.wires[port].step]
            needs = step.node.needs(context)  # type: ignore[attr-defined]
            for wrong in missing_columns(step.node.title, needs, tuple(data.column_names)):
                yield step.problem(wrong, port)


def _template_problems(program: Program, loaded: LoadedProgram, step: Step) -> Iterator[Problem]:
    """Conversations need a chat template; without one every method fails, once it has loaded the model."""
    row = loaded.module.__dict__[step.wires["dataset"].step][0]
    if not any(_is_conversation(value) for value in row.values()) or "chat_template_path" in step.given:
        return
    origin = _origin(program, step)
    context = NodeContext(origin.node, origin.name, origin.given, {}, program.graph.root)
    from transformers import AutoTokenizer

    where = {"revision": context["revision"] or "main", "trust_remote_code": context["trust_remote_code"]}
    try:
        tokenizer = AutoTokenizer.from_pretrained(loaded.module.__dict__[origin.name], **where)
    except Exception as error:
        yield origin.problem(f"its tokenizer cannot be loaded: {describe(error)}", "path")
        return
    if tokenizer.chat_template is None:
        model = shown(context["path"])
        yield step.problem(
            f"its data set holds conversations, but {model} has no chat template; take an instruct model, set "
            "chat_template_path on an SFT stage before, or use plain text.",
            "dataset",
        )


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "role" in value[0]


def _origin(program: Program, step: Step) -> Step:
    """The Load Model that the policy of ``step`` descends from."""
    while step.node is not LoadModel:
        step = program.graph.by_name[step.wires["model"].step]
    return step


def _reward_problems(program: Program, loaded: LoadedProgram, step: Step) -> Iterator[Problem]:
    if "reward" not in step.wires:
        return
    wire = step.wires["reward"]
    value = program.cells[wire.step].values[wire.port]
    names = {part.expression for part in value.parts} if isinstance(value, RewardValue) else set()
    sample = _sample(loaded.module.__dict__[step.wires["dataset"].step])
    for owner in program.graph.upstream([wire.step]).steps:
        cell = program.cells[owner.name]
        if owner.node.holds_code and names & cell.defines:
            yield from _tried(loaded, owner, next(iter(names & cell.defines)), sample)


def _sample(data: Any) -> dict[str, list[Any]]:
    """The keyword arguments that TRL would pass for the first rows, with a short answer as completion."""
    rows = [data[i] for i in range(min(SAMPLE_ROWS, len(data)))]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name not in ("prompt", "completion")}
    answer = "This is a short answer."
    as_chat = isinstance(rows[0]["prompt"], list)
    completions = [[{"role": "assistant", "content": answer}] if as_chat else answer for _ in rows]
    prompts = [row["prompt"] for row in rows]
    return columns | {"prompts": prompts, "completions": completions, "completion_ids": [[0] for _ in rows]}


def _tried(loaded: LoadedProgram, owner: Step, name: str, sample: Mapping[str, list[Any]]) -> Iterator[Problem]:
    """Calls the reward function ``name`` of ``owner`` as TRL would."""
    from inspect import iscoroutinefunction

    from transformers import TrainerState

    helpers = {"trainer_state": TrainerState(), "log_extra": lambda *_: None, "log_metric": lambda *_: None}
    namespace = dict(loaded.module.__dict__)
    try:
        exec(loaded.definition(owner.name), namespace)
        if iscoroutinefunction(namespace[name]):
            return  # it waits for something, a server perhaps, which a trial should not call
        rewards = namespace[name](**sample, **helpers)
    except Exception as error:
        line = max(loaded.lines_of(error.__traceback__), default=0) - loaded.script.definitions[owner.name][0]
        yield owner.problem(f"line {line}: {describe(error)} Tried with two rows of its data set.", "code")
        return
    wrong = _wrong_rewards(name, rewards, len(sample["prompts"]))
    if wrong:
        yield owner.problem(wrong, "code")


def _wrong_rewards(name: str, rewards: Any, wanted: int) -> str | None:
    try:
        values = list(rewards)
    except TypeError:
        return f"{name}() returned {shown(rewards)}; return a list with one number a completion."
    if len(values) != wanted:
        return f"{name}() returned {len(values)} rewards for {wanted} completions; return one number for each."
    for value in values:
        try:
            float(0 if value is None else value)
        except (TypeError, ValueError):
            return f"{name}() returned {shown(value)} as a reward; return numbers, or None."
    return None
