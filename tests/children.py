"""What tests run in processes of their own, which find it by import."""

from __future__ import annotations

import os
from pathlib import Path

import flows


def run_saving_every_step(workspace: Path, output_dir: Path, method: str, lora: bool) -> None:
    """Runs one trainer that saves every step, and ends the process."""
    import torch

    from ryven_llm_nodes.run import run_program

    torch.set_num_threads(1)
    rollout = {"num_iterations": 2} if method in ("ppo", "grpo") else {}
    saved = {"max_steps": 12, "save_strategy": "steps", "save_steps": 1}
    outcome = run_program(flows.program(flows.alone(method, lora, **saved, **rollout), workspace), output_dir)
    os._exit(0 if outcome.status == "done" else 1)
