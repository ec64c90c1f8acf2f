"""Math Accuracy: completions whose result is right, however it is written."""

from __future__ import annotations

from collections.abc import Iterator

from ryven_llm_nodes.catalogue.cell import RUNTIME, literal
from ryven_llm_nodes.catalogue.coded_reward import TIME_LIMIT, CodedReward, defined
from ryven_llm_nodes.catalogue.node import NodeContext, Package
from ryven_llm_nodes.catalogue.parameters import text


class MathAccuracy(CodedReward):
    r"""TRL's ``accuracy_reward``: 1 for a completion whose result equals that of a column, else 0; for mathematics.

    Results are LaTeX, as in ``\boxed{\frac{1}{3}}``, and are compared by their value. A row whose solution cannot be
    parsed gets no reward. Needs the package math-verify (``pip install 'ryven-llm-nodes[math]'``).
    """

    title = "Math Accuracy"
    position = 12
    stem = "math_accuracy"
    icon = "sigma"
    tags = ["reward", "math", "accuracy", "latex", "boxed", "math-verify", "solution", "verifiable", "trl"]
    imports = (f"from {RUNTIME}.scoring import as_message", "from trl.rewards import accuracy_reward")
    parameters = (text("column", "solution", "Column with the right results, as LaTeX.", required=True), TIME_LIMIT)

    @classmethod
    def function(cls, context: NodeContext) -> str:
        body = (
            "answers = [as_message(completion) for completion in completions]\n"
            f"solutions = [str(solution) for solution in kwargs[{literal(context['column'])}]]\n"
            "return accuracy_reward(answers, solutions, log_extra=log_extra)"
        )
        about = "1 for a completion whose result equals the solution, else 0."
        return defined(context.name, "completions, log_extra=None", about, body)

    @classmethod
    def columns(cls, context: NodeContext) -> Iterator[str]:
        yield context["column"]

    @classmethod
    def packages(cls, context: NodeContext) -> Iterator[Package]:
        yield "math_verify", "'ryven-llm-nodes[math]'"
