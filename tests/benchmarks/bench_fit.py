"""How near the estimated memory of a stage is to the measured one.

Run by hand: ``python tests/benchmarks/bench_fit.py [--only sft] > table.md``. Models of 10 to 60 million parameters
with random weights are written to a temporary folder; each case trains two steps in a process of its own. With ``--smol
FOLDER``, SmolLM2-135M is among them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import flows

from ryven_llm_nodes.catalogue import LoRA, RewardFunction
from ryven_llm_nodes.quantities import size

COMMON: dict[str, Any] = {"gradient_checkpointing": False, "warmup_steps": 0, "logging_steps": 1, "save_strategy": "no"}
Case = tuple[str, str, dict[str, Any], bool]
CASES: tuple[Case, ...] = (
    ("llama", "sft", {"per_device_train_batch_size": 4}, False),
    ("llama", "sft", {"per_device_train_batch_size": 4}, True),
    ("llama", "sft", {"per_device_train_batch_size": 8, "gradient_checkpointing": True}, False),
    ("gpt2", "sft", {"per_device_train_batch_size": 4}, False),
    ("gpt2", "sft", {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, False),
    ("qwen3", "sft", {"per_device_train_batch_size": 4, "gradient_checkpointing": True}, True),
    ("smol", "sft", {"per_device_train_batch_size": 2, "gradient_checkpointing": True}, False),
    ("smol", "sft", {"per_device_train_batch_size": 2}, True),
    ("llama", "dpo", {"per_device_train_batch_size": 2}, False),
    ("qwen3", "dpo", {"per_device_train_batch_size": 2}, True),
    ("gpt2", "dpo", {"per_device_train_batch_size": 4, "gradient_checkpointing": True}, False),
    ("smol", "dpo", {"per_device_train_batch_size": 1, "gradient_checkpointing": True}, True),
    ("llama", "grpo", {"per_device_train_batch_size": 4, "num_generations": 4, "max_completion_length": 64}, False),
    ("qwen3", "grpo", {"per_device_train_batch_size": 8, "num_generations": 4, "max_completion_length": 128}, True),
    (
        "gpt2",
        "grpo",
        {
            "per_device_train_batch_size": 4,
            "num_generations": 4,
            "beta": 0.1,
            "max_completion_length": 64,
            "gradient_checkpointing": True,
        },
        False,
    ),
    ("smol", "grpo", {"per_device_train_batch_size": 4, "num_generations": 4, "max_completion_length": 32}, True),
    ("llama", "ppo", {"per_device_train_batch_size": 4, "max_completion_length": 64}, False),
    ("gpt2", "ppo", {"per_device_train_batch_size": 4, "max_completion_length": 64}, True),
    (
        "qwen3",
        "ppo",
        {"per_device_train_batch_size": 4, "max_completion_length": 64, "gradient_checkpointing": True},
        False,
    ),
    ("smol", "ppo", {"per_device_train_batch_size": 2, "max_completion_length": 32}, True),
)
"""Model, method, settings, and whether an adapter is trained."""


def configurations() -> dict[str, Any]:
    """Shapes of three families, of 10 to 60 million parameters."""
    from transformers import GPT2Config, LlamaConfig, Qwen3Config

    tokens = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    return {
        "llama": LlamaConfig(
            vocab_size=8000,
            hidden_size=256,
            intermediate_size=1024,
            num_hidden_layers=8,
            num_attention_heads=8,
            num_key_value_heads=4,
            **tokens,
        ),
        "gpt2": GPT2Config(vocab_size=32000, n_embd=512, n_layer=12, n_head=8, **tokens),
        "qwen3": Qwen3Config(
            vocab_size=32000,
            hidden_size=512,
            intermediate_size=1536,
            num_hidden_layers=12,
            num_attention_heads=8,
            num_key_value_heads=4,
            head_dim=64,
            tie_word_embeddings=True,
            **tokens,
        ),
    }


def write(folder: Path, smol: str) -> None:
    """The models and the rows."""
    from transformers import AutoModelForCausalLM

    for name, config in configurations().items():
        AutoModelForCausalLM.from_config(config).save_pretrained(folder / name)
        flows.make_tokenizer().save_pretrained(folder / name)
    if smol:
        (folder / "smol").symlink_to(smol)
    words = " ".join(f"number {i} follows {i - 1}" for i in range(200))
    rows: dict[str, Any] = {
        "sft": [{"prompt": words[:100], "completion": words[: 300 + i * 10]} for i in range(8)],
        "dpo": [{"prompt": words[:100], "chosen": words[: 250 + i * 10], "rejected": words[:200]} for i in range(8)],
        "prompts": [{"prompt": words[:200]} for i in range(8)],
    }
    for name, made in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))


def graph_of(case: Case, folder: Path) -> Any:
    """The flow of a case."""
    model, method, settings, lora = case
    rows = method if method in ("sft", "dpo") else "prompts"
    own = {"reward_threshold": None} if method == "grpo" else {}
    nodes = {
        "base": flows.node(flows.LoadModel, path=model),
        "rows": flows.node(flows.LoadDataset, path=f"{rows}.jsonl"),
        method: flows.node(flows.TRAINERS[method][0], **{**COMMON, **settings, **own}),
    }
    wires = f"base -> {method}, rows -> {method}"
    if rows == "prompts":
        nodes["variety"] = flows.node(RewardFunction, code=flows.REWARD)
        wires += f", variety -> {method}"
    if lora:
        nodes["lora"] = flows.node(LoRA, r=8)
        wires += f", lora -> {method}"
    return flows.graph(flows.draw(wires, **nodes), folder)


def results(folder: Path, only: str, smol: str) -> Iterator[tuple[Any, Any, Any]]:
    """Every case, with its estimate and what was measured."""
    from ryven_llm_nodes.program import build
    from ryven_llm_nodes.run.examine.opened import opened
    from ryven_llm_nodes.run.fit.estimate import estimates
    from ryven_llm_nodes.run.fit.measure import measured
    from ryven_llm_nodes.run.fit.workload import loaded_config

    write(folder, smol)
    for case in CASES:
        if only not in " ".join(case[:2]) or (case[0] == "smol" and not smol):
            continue
        program = build(graph_of(case, folder))
        with opened(program) as there:
            ((step, found),) = estimates(there, lambda model: loaded_config(model, folder))
        yield case, found, measured(program.graph, step)


PARTS = ("weights", "gradients", "optimizer", "reference", "activations", "generation")


def row(case: Case, found: Any, peak: int | str) -> str:
    """A row of the table."""
    model, method, settings, lora = case
    words = ", ".join([*(f"{name} {value}" for name, value in settings.items()), *(["LoRA"] if lora else [])])
    sizes = [size(found.parts[part]) if found.parts.get(part) else "" for part in PARTS]
    ends = [size(peak), f"{found.peak / peak - 1:+.0%}"] if isinstance(peak, int) else [peak, ""]
    return f"| {' | '.join([model, method, words, *sizes, size(found.peak), *ends])} |"


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="cases whose model and method contain this")
    parser.add_argument("--smol", default="", help="the folder of SmolLM2-135M")
    given = parser.parse_args()
    titles = ("model", "method", "settings", *PARTS, "estimated", "measured", "off")
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for result in results(Path(folder), given.only, given.smol):
            print(row(*result), flush=True)


if __name__ == "__main__":
    main()
