"""Flow -> graph -> checked program -> script text."""

from ryven_llm_nodes.program.build import build
from ryven_llm_nodes.program.flow import read_flow, read_live_flow
from ryven_llm_nodes.program.graph import Graph, Step, Wire
from ryven_llm_nodes.program.program import Program
from ryven_llm_nodes.program.settings import apply_settings

__all__ = ["Graph", "Program", "Step", "Wire", "apply_settings", "build", "read_flow", "read_live_flow"]
