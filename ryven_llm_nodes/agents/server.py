"""The tools that an agent can call, and the server that offers them (the Python SDK of MCP, an extra).

A tool is a method of :class:`Tools`; its docstring is what the agent reads. Errors of the user's are told to the agent
in the words that a terminal shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes import __version__
from ryven_llm_nodes.agents import editing
from ryven_llm_nodes.agents.active_runs import ActiveRuns
from ryven_llm_nodes.catalogue import ALL_NODES
from ryven_llm_nodes.catalogue.described import node_data, parameter_data
from ryven_llm_nodes.errors import FlowError, LLMNodesError, UsageError
from ryven_llm_nodes.host.session import default_output_dir
from ryven_llm_nodes.program import Graph, Program, build, read_flow
from ryven_llm_nodes.program.project import write_project
from ryven_llm_nodes.program.settings import part_up_to
from ryven_llm_nodes.run.comparing.comparison import comparison_of
from ryven_llm_nodes.run.comparing.found import evaluations_at
from ryven_llm_nodes.run.examine.check import checked
from ryven_llm_nodes.run.health.watch import of_curves
from ryven_llm_nodes.run.records.history import find_run, past_runs
from ryven_llm_nodes.run.trust.seen import refusal, remember, unseen
from ryven_llm_nodes.system.files import write_whole
from ryven_llm_nodes.templates import project_from

ABOUT: Final = (
    "Post-training pipelines for language models as graphs: Load Model, datasets, rewards, SFT, DPO, PPO, GRPO and "
    "others, Evaluate, Compare. Build a flow with new_flow, add_node and connect, check_flow it until there are no "
    "errors, run_flow it, follow it with run_status, and export_script it as one plain Python script that gives the "
    "same weights."
)
LONGEST_WAIT: Final = 600.0
NOT_ALLOWED: Final = (
    "this code has not been allowed on this machine. Its user can review and allow it with `ryven-llm run`, or start "
    "this server with --trust."
)


class Tools:
    """Tools of one server. ``trust`` allows the code of all flows without a question."""

    def __init__(self, trust: bool = False) -> None:
        self._trust, self._runs = trust, ActiveRuns()

    def end(self) -> None:
        """Stops what is running."""
        self._runs.stop_all()

    # Nodes

    def list_nodes(self) -> list[dict[str, Any]]:
        """All kinds of nodes: what each does, its inputs and outputs with their kinds, its essential parameters."""
        return [node_data(node) for node in ALL_NODES]

    def describe_node(self, kind: str, parameter: str = "") -> dict[str, Any]:
        """A kind of node with its essential parameters in full, or one of all its parameters.

        Each has its types, default, range, choices, typical values and help.
        """
        node = editing.kind_of(kind)
        known = node.all_parameters()
        if parameter:
            if parameter not in known:
                raise UsageError(node._unknown(parameter))
            return parameter_data(known[parameter])
        others = sorted(set(known) - {one.name for one in node.parameters})
        return {**node_data(node), "parameters": [*map(parameter_data, node.parameters)], "other_parameters": others}

    # Flows

    def new_flow(self, flow: str, template: str = "") -> dict[str, Any]:
        """Creates the flow file ``flow``: empty, or from a template (sft, dpo, grpo, methods, full)."""
        path = Path(flow)
        if path.exists():
            raise UsageError(f"{path} already exists; choose another name.")
        if not template:
            editing.write(Graph(path.stem, (), path.parent), path)
        else:
            write_project(project_from(template), path)
        return self.show_flow(flow)

    def show_flow(self, flow: str) -> dict[str, Any]:
        """The nodes of a flow file with the values that were set, and its wires."""
        return editing.described(read_flow(Path(flow)))

    def add_node(self, flow: str, kind: str, name: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
        """Adds a node to a flow file; ``values`` are parameters. Returns its name and ports."""
        graph, step = editing.add(read_flow(Path(flow)), kind, name, values)
        editing.write(graph, Path(flow))
        return {"name": step.name, **node_data(step.node)}

    def set_values(self, flow: str, node: str, values: dict[str, Any]) -> dict[str, Any]:
        """Sets parameters of a node; null puts one back to its default. Returns the values that are set."""
        graph = editing.set_values(read_flow(Path(flow)), node, values)
        editing.write(graph, Path(flow))
        return dict(graph.by_name[node].given)

    def remove_node(self, flow: str, node: str) -> dict[str, Any]:
        """Removes a node and its wires."""
        editing.write(editing.remove(read_flow(Path(flow)), node), Path(flow))
        return self.show_flow(flow)

    def connect(self, flow: str, source: str, target: str) -> str:
        """Draws a wire from NODE or NODE.PORT to NODE or NODE.PORT; the ports are needed where several fit."""
        graph, wire = editing.connect(read_flow(Path(flow)), source, target)
        editing.write(graph, Path(flow))
        return wire

    def disconnect(self, flow: str, target: str) -> dict[str, Any]:
        """Removes the wire into NODE.PORT."""
        editing.write(editing.disconnect(read_flow(Path(flow)), target), Path(flow))
        return self.show_flow(flow)

    # Checking, running, exporting

    def check_flow(self, flow: str) -> list[dict[str, Any]]:
        """Everything that is wrong with a flow, or probably not as intended, before anything trains.

        Settings, rows, tokenizers and models are examined. Each finding has a weight (error: it cannot run), the node,
        the parameter, the message with the remedy, and the first row that it is about.
        """
        try:
            program = self._program(flow)
        except FlowError as error:
            return [problem.to_dict() for problem in error.problems]
        output_dir = default_output_dir(program.graph.title)
        untrusted = [] if self._trust else unseen(program.graph, output_dir)
        found = checked(program, output_dir, [(item.step, item.parameter) for item in untrusted])
        return [problem.to_dict() for problem in found]

    def run_flow(self, flow: str, to: str = "", output_dir: str = "") -> dict[str, Any]:
        """Starts to run a flow, up to the node ``to`` if one is given, in the background. Returns the run's number.

        What is cached and has not changed is reused. Follow it with run_status.
        """
        program = self._program(flow, to)
        folder = Path(output_dir) if output_dir else default_output_dir(program.graph.title)
        items = unseen(program.graph, folder)
        if items and not self._trust:
            raise refusal(items, NOT_ALLOWED)
        remember(items)
        number = self._runs.start(program, folder.absolute())
        return {"run": number, **self._runs[number].status}

    def run_status(self, run: int, wait_seconds: float = 0) -> dict[str, Any]:
        """What a run has done so far: its stages with progress and newest metrics, warnings, the last log lines.

        Waits until it has ended, or for ``wait_seconds`` (at most 600).
        """
        active = self._runs[run]
        active.wait(min(wait_seconds, LONGEST_WAIT))
        return active.status

    def stop_run(self, run: int) -> dict[str, Any]:
        """Stops a run after its step, with a checkpoint; running the flow again resumes there."""
        self._runs[run].stop()
        self._runs[run].wait(LONGEST_WAIT)
        return self._runs[run].status

    def export_script(self, flow: str, script: str, lean: bool = False) -> str:
        """Writes the flow as one plain Python script that needs no part of this package; ``lean`` without resuming."""
        place = Path(script)
        if place.resolve() == Path(flow).resolve():
            raise UsageError(f"{place} is the flow itself; choose another file.")
        write_whole(place, self._program(flow).script_for(place.absolute().parent, lean).text)
        return f"wrote {place}"

    # Results

    def list_runs(self, output_dir: str = "outputs") -> list[dict[str, Any]]:
        """Earlier runs in an output folder, or in all folders of one, newest first."""
        return [
            {"run": past.name, "flow": past.flow, "began": past.began, "status": past.status, "seconds": past.seconds}
            for past in past_runs(Path(output_dir))
        ]

    def read_run(self, run: str, output_dir: str = "outputs") -> dict[str, Any]:
        """One earlier run, by name: each stage with the last value of its metrics, and its health in words."""
        past = find_run(Path(output_dir), run)
        stages = {}
        for stage in past.stages:
            curves = past.metrics(stage)
            newest = {name: points[-1][1] for name, points in curves.items() if points}
            stages[stage] = {"state": past.state(stage), "metrics": newest, "health": of_curves(curves)}
        return {
            "run": past.name,
            "status": past.status,
            "error": past.error,
            "warnings": past.warnings,
            "stages": stages,
        }

    def compare(self, places: list[str], alpha: float = 0.05) -> dict[str, Any]:
        """Evaluations side by side: which model is better, by how much, and by more than chance.

        ``places`` are folders of evaluations, of models that were evaluated, of runs, or of outputs.
        """
        return dict(comparison_of(evaluations_at(map(Path, places)), alpha).table)

    def _program(self, flow: str, to: str = "") -> Program:
        return build(part_up_to(read_flow(Path(flow)), to))


def tools_of(tools: Tools) -> list[Callable[..., Any]]:
    """The methods of ``tools`` that an agent can call."""
    names = [name for name in vars(Tools) if not name.startswith("_") and name != "end"]
    return [getattr(tools, name) for name in names]


def server_of(tools: Tools) -> Any:
    """The server. Raises UsageError where the package ``mcp`` is missing."""
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError as error:
        raise UsageError("the server needs the package mcp: pip install 'ryven-llm-nodes[mcp]'.") from error
    server = MCPServer("ryven-llm", instructions=ABOUT, version=__version__)
    for tool in tools_of(tools):
        server.tool()(_telling(tool))
    return server


def _telling(tool: Callable[..., Any]) -> Callable[..., Any]:
    """``tool``, whose errors reach the agent in full, and which leaves the output of the process to the protocol."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            with redirect_stdout(sys.stderr):
                return tool(*args, **kwargs)
        except LLMNodesError as error:
            raise ToolError(str(error)) from error

    return called
