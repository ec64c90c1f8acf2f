"""What preview and bench may ask about a node: its part of the flow, if that is complete and its code may run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.gui.running.run_controller import RunController
from ryven_llm_nodes.gui.state.document import Document
from ryven_llm_nodes.gui.state.drawn import Drawn
from ryven_llm_nodes.program import Graph, Step, build, read_live_flow
from ryven_llm_nodes.run.examine.questions import bench_question, question

BYPASSED: Final = "This node is bypassed: the flow goes past it. Ctrl+B brings it back."
NO_TRAINER: Final = (
    "This reward feeds no trainer, so there are no rows to test it on: connect its output to the input reward of a "
    "trainer that has a model and a dataset with prompts."
)
UNKNOWN_CODE: Final = "This flow came with code that you have not allowed. Run it once (F5) to review the code."


class Looking:
    """Turns a selected node of ``document`` into a question, or into the reason why there is none."""

    def __init__(self, document: Document, runs: RunController) -> None:
        self._document, self._runs = document, runs

    def __call__(self, node: LLMNode, number: int, row: str, first: int) -> Mapping[str, Any] | str:
        """To see the rows of ``node``."""
        return self._asked(node, lambda graph, step: question(graph, step, number, row, first))

    def bench(
        self, node: LLMNode, number: int, pasted: str | None, sampling: Mapping[str, int], trainer: str = ""
    ) -> Mapping[str, Any] | str:
        """To score completions with the reward ``node``, of the first trainer that it feeds, or of ``trainer``."""
        return self._asked(node, lambda graph, step: bench_question(graph, step, number, pasted, trainer, **sampling))

    def trainers(self, node: LLMNode) -> Mapping[str, str] | str:
        """The trainers that the reward ``node`` feeds, each with its label, by name; or why there is none."""
        try:
            graph, step = self._found(node)
            if step is None:
                return BYPASSED
            return {one.name: one.label for one in graph.scorers(step) if one.node.leaves == "model"} or NO_TRAINER
        except FlowError as error:
            return "\n".join(str(problem) for problem in error.problems)

    def _found(self, node: LLMNode) -> tuple[Graph, Step | None]:
        """``node`` in its flow as it is drawn now; no step where it is bypassed."""
        drawn = Drawn.of(read_live_flow(node.flow, self._document.folder, self._document.source), node.flow)
        return drawn.graph, drawn.graph.by_name.get(drawn.step_of(node))

    def _asked(self, node: LLMNode, question_of: Callable[[Graph, Step], Mapping[str, Any]]) -> Mapping[str, Any] | str:
        try:
            graph, step = self._found(node)
            if step is None:
                return BYPASSED
            asked = question_of(graph, step)
            part = graph.upstream(asked["steps"])
            build(part)
        except FlowError as error:
            return "\n".join(str(problem) for problem in error.problems)
        if self._runs.untrusted(Drawn.of(part, node.flow)):
            return UNKNOWN_CODE
        return asked
