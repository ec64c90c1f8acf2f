"""Rewards: a Python function, a reward model, or several of them weighted."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.beside import hiding_libraries, modules_of
from ryven_llm_nodes.catalogue.cell import Cell, RewardPart, RewardValue, call, literal
from ryven_llm_nodes.catalogue.node import Complaint, LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import choice, flag, number, text, whole
from ryven_llm_nodes.catalogue.places import location_expression
from ryven_llm_nodes.catalogue.sources import DTYPES, REVISION, TRUST, model_complaints
from ryven_llm_nodes.catalogue.usercode import CodeError, read_code, signature_complaint

TEMPLATE = '''def reward(completions, **kwargs):
    """One number a completion: here, the share of the words of an answer that are different ones."""
    scores = []
    for completion in completions:
        answer = completion if isinstance(completion, str) else completion[0]["content"]
        words = answer.split()
        scores.append(len(set(words)) / max(len(words), 1))
    return scores
'''


class RewardFunction(LLMNode):
    """A reward that is computed by a Python function of yours, with the signature that TRL calls.

    The function gets ``prompts``, ``completions``, and every further column of the data set by name, and returns a
    list with one number a completion (None where the reward does not apply).
    """

    title = "Reward Function"
    family = "reward"
    stem = "reward"
    tags = ["reward", "function", "python", "code", "score", "verifiable"]
    holds_code = True
    out_ports = (Port("reward", "reward"),)
    parameters = (
        text(
            "code",
            TEMPLATE,
            "Python that defines the function, with its imports and helpers.",
            widget="code",
        ),
        text("function", "", "Name of the function to use; empty: the last one that the code defines."),
        whole(
            "time_limit",
            600,
            "Seconds that one call may take; a run ends the stage when one takes longer. The script does not watch.",
            at_least=1,
            typical="10 to 600",
            outcome=False,
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        code = read_code(context["code"], context["function"]).named(context.name)
        part = RewardPart(code.function.name, is_async=code.is_async)
        values = {"reward": RewardValue((part,))}
        modules = tuple(modules_of(code.text, context.root))
        return Cell(definition=code.text, values=values, modules=modules, defines=code.names, borrows=code.imported)

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        place = "code"
        try:
            code = read_code(context["code"])
            place = "function"
            code = read_code(context["code"], context["function"])
        except CodeError as error:
            yield place, str(error)
            return
        if wrong := signature_complaint(code.function):
            yield "code", wrong
        for name in hiding_libraries(code.text, context.root):
            yield "code", f"imports {name!r}: a library, and a file beside the flow that hides it; rename the file."


class RewardModel(LLMNode):
    """A reward model: a sequence classifier with one label that scores prompt and completion together.

    Conversations go through its own chat template; plain text gets the special tokens that its own tokenizer adds.
    """

    title = "Reward Model"
    family = "reward"
    stem = "reward_model"
    tags = ["reward", "model", "classifier", "preference", "score", "rlhf"]
    out_ports = (Port("reward", "reward"),)
    parameters = (
        text(
            "path",
            "",
            "Hub id (owner/name) or local folder of a sequence classifier with one label.",
            required=True,
            typical="trl-lib/Qwen2-0.5B-Reward",
            widget="folder",
        ),
        REVISION,
        choice("dtype", "float32", DTYPES, "Precision that the reward model is loaded in."),
        whole("batch_size", 8, "Completions that are scored at once.", at_least=1),
        whole(
            "max_length",
            None,
            "Tokens of the longest text; a longer one loses its beginning. Empty: what the model has positions for.",
            at_least=1,
            typical="512 to 4096",
        ),
        flag(
            "add_eos",
            False,
            "End plain text in the tokenizer's end token: on where TRL's RewardTrainer trained it on plain text.",
        ),
        TRUST,
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        place = location_expression(context["path"], context.root)
        defaults = {name: parameter.default for name, parameter in cls.all_parameters().items()}
        given = {
            name: literal(context[name])
            for name in ("revision", "dtype", "batch_size", "max_length", "add_eos", "trust_remote_code")
            if context[name] != defaults[name]
        }
        expression = call("RewardModel", place, name=literal(context.name), **given)
        imports = ("from ryven_llm_nodes.runtime.rewards import RewardModel",)
        return Cell(values={"reward": RewardValue((RewardPart(expression, imports=imports),))})

    @classmethod
    def complaints(cls, context: NodeContext) -> Iterator[Complaint]:
        yield from model_complaints(context)


SLOTS = (1, 2, 3, 4)


class CombineRewards(LLMNode):
    """A weighted sum of up to four rewards; combine the outcome again for more."""

    title = "Combine Rewards"
    family = "reward"
    stem = "rewards"
    tags = ["reward", "combine", "sum", "weight", "several", "mix"]
    in_ports = tuple(Port(f"reward_{slot}", "reward", optional=slot > 1) for slot in SLOTS)
    out_ports = (Port("reward", "reward"),)
    parameters = tuple(
        number(f"weight_{slot}", 1.0, f"Weight of reward {slot} in the sum.", typical="0.1 to 1") for slot in SLOTS
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        parts = []
        for slot in SLOTS:
            value = context.inputs.get(f"reward_{slot}")
            if isinstance(value, RewardValue):
                weight = float(context[f"weight_{slot}"])
                parts += [RewardPart(p.expression, p.weight * weight, p.imports, p.is_async) for p in value.parts]
        return Cell(values={"reward": RewardValue(tuple(parts))})
