"""Ryven sessions without a window: the same nodes, flow and run as from the command line."""

from __future__ import annotations

from pathlib import Path

from ryvencore import Flow, Session

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.program import Graph, build, read_flow, read_live_flow
from ryven_llm_nodes.program.project import project_of
from ryven_llm_nodes.run import CancelToken, Listener, Outcome
from ryven_llm_nodes.run.trust.seen import refusal, unseen


def new_session() -> Session:
    """A session that knows all nodes of this package, and whose nodes can run."""
    session = Session(gui=False)
    session.register_node_types(list(ALL_NODES))
    LLMNode.runner = staticmethod(run_live_flow)
    return session


def open_project(path: Path) -> Session:
    """A session with the project at ``path``.

    Raises FlowError for a file that is no project, has an unknown node, or holds a pickle that is not plain data.
    """
    graph = read_flow(path)
    session = new_session()
    session.load(project_of(graph, graph.root))  # only the meaning of the flow, not what else the file contains
    return session


def run_live_flow(
    flow: Flow,
    to: LLMNode | None = None,
    root: Path | None = None,
    output_dir: Path | None = None,
    listen: Listener = lambda event: None,
    cancel: CancelToken | None = None,
    trust: bool = False,
) -> Outcome:
    """Runs a live flow, up to the node ``to`` if given.

    ``root`` is the folder that relative paths are looked up in (default: the current one), ``output_dir`` where the
    models go (default: ``outputs`` and the flow's title, below the current folder). Raises FlowError for a flow that
    cannot be run, and without ``trust`` for one with code that the user of this machine has not allowed yet.
    """
    from ryven_llm_nodes.run import run_program

    graph = up_to(read_live_flow(flow, root or Path.cwd()), flow, to)
    program, folder = build(graph), output_dir or default_output_dir(graph.title)
    if not trust and (items := unseen(graph, folder)):
        raise refusal(items, "review it, then run with trust=True.")
    return run_program(program, folder, listen, cancel)


def up_to(graph: Graph, flow: Flow, to: LLMNode | None) -> Graph:
    """The part of ``graph``, just read from ``flow``, that the node ``to`` needs; all of it without ``to``."""
    if to is None:
        return graph
    return graph.upstream([step.name for step in graph.steps if flow.nodes[step.index] is to])


def default_output_dir(title: str) -> Path:
    """Where the models of the flow called ``title`` go unless told otherwise."""
    from ryven_llm_nodes.program.names import identifier

    return Path("outputs") / identifier(title, "flow")
