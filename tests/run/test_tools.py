"""GRPO with tools and environments: what a check says of them, and how calls appear in metrics and completions."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node
from rotation import turn

from ryven_llm_nodes.catalogue import GRPO, Environment, LoadModel, RewardFunction, Tools
from ryven_llm_nodes.run import Event, run_program
from ryven_llm_nodes.run.events import Completions

DOUBLE = '''def double(x: int) -> int:
    """Doubles a number.

    Args:
        x: The number.
    """
    return 2 * x
'''
GAME = '''class Game:
    """Counts its calls."""

    def reset(self, **kwargs):
        self.calls = 0

    def double(self, x: int) -> str:
        """Doubles a number.

        Args:
            x: The number.
        """
        self.calls += 1
        return f"it is {2 * x}"

    def get_reward(self) -> float:
        return float(self.calls)
'''
SCORE = '''def called(completions, environments=None, **kwargs):
    """The messages of a completion, and the calls that its environment has counted."""
    counted = [one.calls for one in environments] if environments else [0] * len(completions)
    return [len(messages) + calls for messages, calls in zip(completions, counted)]
'''
CALL = '<tool_call>\n{"name": "double", "arguments": {"x": 21}}\n</tool_call><|im_end|>'


def double(x: int) -> int:
    """Doubles a number.

    Args:
        x: The number.
    """
    return 2 * x


@pytest.fixture(scope="module")
def place(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model that has learned to call the tool ``double``, whatever it is asked."""
    folder = tmp_path_factory.mktemp("tools")
    flows.write_data(folder)
    flows.write_model(folder / "model")
    write_caller(folder / "caller")
    return folder


def write_caller(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = qwen_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=2048, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    asked = [{"role": "user", "content": "what is 1"}]
    prompt = tokenizer.apply_chat_template(asked, tools=[double], add_generation_prompt=True, return_dict=True)
    call = tokenizer(CALL)["input_ids"]
    ids = torch.tensor([prompt["input_ids"] + call])
    labels = torch.tensor([[-100] * len(prompt["input_ids"]) + call])
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def qwen_tokenizer() -> Any:
    """A byte-level BPE with the chat template of Qwen2.5."""
    import trl
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    template = (Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja").read_text(encoding="utf-8")
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<pad>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    bpe.train_from_iterator([template, CALL, DOUBLE] * 3, trainer)
    tokens = {"pad_token": "<pad>", "eos_token": "<|im_end|>"}
    return PreTrainedTokenizerFast(tokenizer_object=bpe, chat_template=template, **tokens)


def drawn(model: str = "caller", rows: str = "grpo", **kinds: Any) -> flows.Project:
    settings = {**flows.ROLLOUT, "num_generations": 4, "max_completion_length": 64, "temperature": 0.1}
    nodes = {
        "base": node(LoadModel, path=model),
        "rows": flows.ROWS[rows],
        "called": node(RewardFunction, code=SCORE),
        "grpo": node(GRPO, **settings, max_tool_calling_iterations=1, reward_threshold=None),
        **kinds,
    }
    wires = [f"{name} -> grpo" for name in kinds]
    return flows.draw(", ".join(["base -> grpo, rows -> grpo, called -> grpo", *wires]), "tools", **nodes)


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])


@pytest.mark.slow
@pytest.mark.parametrize("given", turn(["tools", "game"], 2))
def test_the_script_ends_with_the_weights_of_the_run(given: str, place: Path, tmp_path: Path) -> None:
    kinds = {"tools": node(Tools, code=DOUBLE), "game": node(Environment, code=GAME)}
    program = flows.program(drawn(**{given: kinds[given]}), place)
    assert run_program(program, tmp_path / "run").error is None
    script = tmp_path / "script.py"
    script.write_text(program.script_for(tmp_path).text, encoding="utf-8")
    command = [sys.executable, str(script), "--output-dir", str(tmp_path / "script")]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    of_run, of_script = (
        hashlib.sha256((tmp_path / where / "grpo" / "model.safetensors").read_bytes()).hexdigest()
        for where in ("run", "script")
    )
    assert of_run == of_script


def test_calls_and_their_results_are_in_completions_and_metrics(place: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    program = flows.program(drawn(tools=node(Tools, code=DOUBLE)), place)
    assert run_program(program, tmp_path, events.append).error is None
    assert metrics(tmp_path / "grpo")["tools/call_frequency"] > 0.5
    shown = [text for event in events if isinstance(event, Completions) for text in event.completions]
    assert any("[calls double(x=21)]" in text and "tool double: 42" in text for text in shown), shown


def test_an_environment_keeps_a_state_and_may_own_a_reward(place: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    program = flows.program(drawn(game=node(Environment, code=GAME)), place)
    assert run_program(program, tmp_path, events.append).error is None
    found = metrics(tmp_path / "grpo")
    assert found["rewards/Game/mean"] > 0.5
    assert found["rewards/called/mean"] > 2.5  # two messages and a call
    shown = [text for event in events if isinstance(event, Completions) for text in event.completions]
    assert any("tool double: it is 42" in text for text in shown), shown


@pytest.mark.parametrize(
    ("model", "rows", "said"),
    [
        ("model", "grpo", "does not show tools and their results to the model; use a model whose template knows"),
        ("caller", "ppo", "tools need conversations, and the prompt is text"),
    ],
)
def test_what_is_missing_is_said_before_anything_trains(
    model: str, rows: str, said: str, place: Path, tmp_path: Path
) -> None:
    program = flows.program(drawn(model, rows, tools=node(Tools, code=DOUBLE)), place)
    error = run_program(program, tmp_path).error
    assert said in str(error)
    assert not (tmp_path / "grpo" / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        (Tools, "x = 1", "defines no function"),
        (Tools, "def f(x: int): return x", "f() has no docstring"),
        (Tools, 'def f(x):\n    """F.\n\n    Args:\n        x: X.\n    """', "an argument 'x' without a type"),
        (Tools, 'def f(x: int):\n    """F."""', "does not mention the argument 'x'"),
        (Tools, 'def f(*x: int):\n    """F."""', "takes * or ** arguments"),
        (Environment, "def f(): pass", "defines no class"),
        (Environment, "class A:\n    pass", "A has no method reset(self, **kwargs)"),
        (Environment, "class A:\n    def reset(self): pass", "reset() must accept **kwargs"),
        (Environment, f"{GAME}\n    def more(self, y): pass", "more() has no docstring"),
    ],
)
def test_a_tool_that_a_model_would_not_understand(kind: type, code: str, said: str, data: Path) -> None:
    assert any(said in problem for problem in flows.problems(drawn("model", used=node(kind, code=code)), data))


def test_templates_are_accepted_by_transformers() -> None:
    from transformers.utils import get_json_schema

    for kind in (Tools, Environment):
        (code,) = (parameter.default for parameter in kind.parameters if parameter.name == "code")
        namespace: dict[str, Any] = {}
        exec(code, namespace)
        tool = namespace["calculate"] if kind is Tools else namespace["Counter"]().add
        assert get_json_schema(tool)["function"]["parameters"]["properties"]
