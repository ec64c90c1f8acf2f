"""Tokens and passwords stay out of flows, scripts, logs and the folders of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flows import BASE, FAST, ROWS, TRAINERS, alone, draw, node, problems, save
from typer.testing import CliRunner

from ryven_llm_nodes.catalogue import GRPO, SFT, LoadModel, RewardFunction
from ryven_llm_nodes.catalogue.secrets import REMEDY
from ryven_llm_nodes.cli import app

TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
NAMES = ("hub_token", "push_to_hub_token", "HF_TOKEN", "token", "vllm_api_key", "wandb_api_key", "password", "apikey")


def with_given(**params: Any) -> Any:
    """A trainer with these values, which need not be fields of its own."""
    return alone("sft", **params)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_that_are_called_so(name: str, data: Path) -> None:
    (wrong,) = problems(with_given(**{name: "quite secret"}), data)
    assert wrong == f"SFT 'sft' > {name}: {REMEDY}"


@pytest.mark.parametrize("name", ["eos_token", "pad_token"])
def test_tokens_of_a_tokenizer_are_none(name: str, data: Path) -> None:
    assert problems(with_given(**{name: "<eos>"}), data) == []


@pytest.mark.parametrize(
    "secret",
    [TOKEN, "sk-proj-" + "a1" * 20, "ghp_" + "a1" * 18, "AKIA" + "A1" * 8, "https://me:pass@example.com/v1"],
)
def test_values_that_look_so(secret: str, data: Path) -> None:
    for params in (
        {"run_name": secret},
        {"model_init_kwargs": {"revision": secret}},
        {"lr_scheduler_kwargs": {"x": [{"y": secret}]}},
        {"lr_scheduler_kwargs": {secret: 1}},
    ):
        (wrong,) = problems(with_given(**params), data)
        assert wrong == f"SFT 'sft' > {next(iter(params))}: {REMEDY}"


def test_inside_dictionaries(data: Path) -> None:
    (wrong,) = problems(with_given(model_init_kwargs={"token": "x"}), data)
    assert wrong.endswith(REMEDY)
    assert problems(with_given(model_init_kwargs={"token": True}), data) == []


def test_in_code_and_paths(data: Path) -> None:
    code = f"def reward(completions, **kwargs):\n    login({TOKEN!r})\n    return [0.0]"
    assert problems(draw(n=node(RewardFunction, code=code)), data) == [f"Reward Function 'n' > code: {REMEDY}"]
    assert problems(draw(n=node(LoadModel, path=TOKEN)), data) == [f"Load Model 'n' > path: {REMEDY}"]


@pytest.mark.parametrize("text", ["sk-learn-compatible-estimators-of-all-kinds", "hf_internal/tiny", "a:b@c", "risk-1"])
def test_other_values_are_left_alone(text: str, data: Path) -> None:
    assert problems(with_given(run_name=text), data) == []


@pytest.mark.parametrize("kind", [SFT, GRPO], ids=lambda kind: kind.__name__)
def test_no_secret_reaches_a_script_a_log_or_a_run(kind: Any, work: Path) -> None:
    method = kind.__name__.lower()
    texts = [name for name, p in kind.all_parameters().items() if str in p.types and not p.choices]
    for names in (texts, list(NAMES), ["beta", "learning_rate"]):
        params = {**TRAINERS[method][1], **FAST, **dict.fromkeys(names, TOKEN)}
        drawn = draw("base -> t, rows -> t", base=BASE, rows=ROWS[method], t=node(kind, **params))
        flow = save(drawn, work / "f.json")
        for command in (["check"], ["export"], ["run", "--trust", "--output-dir", str(work / "out")]):
            done = CliRunner().invoke(app, [command[0], str(flow), *command[1:]])
            assert done.exit_code == 2
            assert TOKEN not in done.output
            assert done.stderr.count(REMEDY) == len(names)
    assert not (work / "out").exists()
