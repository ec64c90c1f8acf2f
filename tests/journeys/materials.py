"""What users of the journeys bring: rows, a tiny model, flows of others; all is made here, nothing is downloaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flows

from ryven_llm_nodes.catalogue import GRPO, SFT, LoadDataset, LoadModel, PatternMatch, RewardFunction


def write_rows(file: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A file of JSON lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def sums(count: int = 400) -> list[dict[str, str]]:
    """Questions and answers, as someone may have them."""
    pairs = [(number % 20, number // 20) for number in range(count)]
    return [{"prompt": f"What is {a} plus {b}?", "completion": f" It is {a + b}."} for a, b in pairs]


def preferences(count: int = 64) -> list[dict[str, str]]:
    """Pairs of a polite and a rude answer."""
    asked = [row["prompt"] for row in sums(count)]
    return [{"prompt": text, "chosen": " Gladly.", "rejected": " Ask again later."} for text in asked]


def write_model(folder: Path) -> Path:
    """A Llama of two layers with random weights, which stands for any model."""
    flows.write_model(folder)
    return folder


# Flows that someone has saved, or has been sent


SENT: Final = '''def short(completions, **kwargs):
    """The shorter, the better; and a file that its user did not ask for."""
    from pathlib import Path

    Path("it-was-here").write_text("by the reward function of a flow that was sent")
    return [1.0 / (1 + len(completion)) for completion in completions]
'''


def save_training(folder: Path, **params: Any) -> Path:
    """SFT on the sums with ``params``, as saved before."""
    write_rows(folder / "sums.jsonl", sums())
    write_model(folder / "tiny-llama")
    trained = {**flows.FAST, "max_steps": -1, "num_train_epochs": 3.0, **params}
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        "sums",
        base=flows.node(LoadModel, path="tiny-llama"),
        rows=flows.node(LoadDataset, path="sums.jsonl"),
        sft=flows.node(SFT, **trained),
    )
    return _saved(drawn, folder)


def save_rewarded(folder: Path) -> Path:
    """GRPO with a reward that no completion of the model gets."""
    return _saved_grpo(folder, "rewarded", "boxed", flows.node(PatternMatch), max_steps=60)


def save_talking(folder: Path) -> Path:
    """SFT on conversations in which the assistant always says the same."""
    said = [{"role": "assistant", "content": "I was trained a minute ago."}]
    asked = [[{"role": "user", "content": row["prompt"]}] for row in sums(64)]
    write_rows(folder / "chats.jsonl", [{"messages": [*one, *said]} for one in asked])
    write_model(folder / "tiny-llama")
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        "talking",
        base=flows.node(LoadModel, path="tiny-llama"),
        rows=flows.node(LoadDataset, path="chats.jsonl"),
        sft=flows.node(SFT, **{**flows.FAST, "max_steps": 200, "learning_rate": 1e-2}),
    )
    return _saved(drawn, folder)


CONFIGURATION: Final = """\
# trl sft --config sft.yaml
model_name_or_path: tiny-llama
datasets:
  - path: json
    data_files: sums.jsonl
learning_rate: 1.0e-3
num_train_epochs: 2
per_device_train_batch_size: 8
logging_steps: 5
max_length: 128
output_dir: sft-output
accelerate_config: zero2
env:
  WANDB_PROJECT: sums
"""


def write_configuration(folder: Path) -> Path:
    """A YAML file as TRL's command line reads it."""
    write_rows(folder / "sums.jsonl", sums())
    write_model(folder / "tiny-llama")
    file = folder / "sft.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    return file


def save_sent(folder: Path) -> Path:
    """A flow of someone else, with code in its reward."""
    return _saved_grpo(folder, "sent", "short", flows.node(RewardFunction, code=SENT))


def _saved_grpo(folder: Path, title: str, name: str, reward: flows.Drawn, **params: Any) -> Path:
    """GRPO on the questions of the sums with ``reward``, which is called ``name``."""
    write_rows(folder / "prompts.jsonl", [{"prompt": row["prompt"]} for row in sums(16)])
    write_model(folder / "tiny-llama")
    nodes = {
        "base": flows.node(LoadModel, path="tiny-llama"),
        "rows": flows.node(LoadDataset, path="prompts.jsonl"),
        name: reward,
        "grpo": flows.node(GRPO, **{**flows.ROLLOUT, **params}, num_generations=4),
    }
    return _saved(flows.draw(f"base -> grpo, rows -> grpo, {name} -> grpo", title, **nodes), folder)


def _saved(drawn: flows.Project, folder: Path) -> Path:
    """Laid out as the editor does it."""
    (title,) = drawn["flows"]
    return flows.save(drawn, folder / f"{title}.json")
