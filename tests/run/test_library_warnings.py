"""What the libraries warn of during a run is an event, once, at its stage; an ordinary run has none."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import node

from ryven_llm_nodes.catalogue import PPO, RewardFunction
from ryven_llm_nodes.run import Event
from ryven_llm_nodes.run.events import Warned
from ryven_llm_nodes.run.library_warnings import LIBRARIES, hearing

Run = Callable[..., tuple[Any, list[Event]]]


def warned(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.step, event.text) for event in events if isinstance(event, Warned)]


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("method", flows.METHODS)
def test_an_ordinary_run_has_none(run: Run, method: str, lora: bool) -> None:
    """With the libraries' own defaults of what these tests shorten otherwise."""
    usual = {"gradient_checkpointing": True, "save_strategy": "steps", "save_steps": 1}
    outcome, events = run(flows.alone(method, lora, **usual))
    assert outcome.error is None
    assert warned(events) == []


def _with_reward(body: str) -> flows.Project:
    scores = "return [float(len(str(completion))) for completion in completions]"
    code = f"import logging, warnings\n\n\ndef noisy(completions, **kwargs):\n    {body}\n    {scores}\n"
    return flows.draw(
        "base -> ppo, rows -> ppo, noisy -> ppo",
        base=flows.BASE,
        rows=flows.ROWS["ppo"],
        noisy=node(RewardFunction, code=code),
        ppo=node(PPO, **flows.ROLLOUT),
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_logger_is_heard_once(run: Run, capsys: pytest.CaptureFixture[str], library: str) -> None:
    outcome, events = run(_with_reward(f"logging.getLogger('{library}.part').warning('rows %s', 'dropped')"))
    assert outcome.error is None
    assert warned(events) == [("ppo", "PPO 'ppo': rows dropped")]
    assert "rows dropped" not in capsys.readouterr().err


@pytest.mark.parametrize("category", ["UserWarning", "RuntimeWarning", "FutureWarning"])
def test_a_warning_of_python_is_heard_once(run: Run, capsys: pytest.CaptureFixture[str], category: str) -> None:
    _, events = run(_with_reward(f"warnings.warn('a\\nhead is random', {category})"))
    assert warned(events) == [("ppo", "PPO 'ppo': a head is random")]
    assert "head is random" not in capsys.readouterr().err


def test_what_is_for_developers_is_not_heard(run: Run) -> None:
    _, events = run(_with_reward("warnings.warn('old', DeprecationWarning)"))
    assert warned(events) == []


def test_every_run_hears_what_a_library_says_once_a_process(run: Run) -> None:
    body = "from transformers.utils import logging as hf; hf.get_logger('transformers.x').warning_once('only once')"
    for _ in range(2):
        _, events = run(_with_reward(body), fresh=True)
        assert warned(events) == [("ppo", "PPO 'ppo': only once")]


def test_they_are_recorded(run: Run, tmp_path: Path) -> None:
    run(_with_reward("warnings.warn('a head is random')"))
    (log,) = (tmp_path / "out/run-records").glob("*/log.txt")
    assert log.read_text().count("warning: PPO 'ppo': a head is random") == 1


def test_a_setting_that_is_deprecated_is_said_before_training(run: Run) -> None:
    drawn = flows.alone("grpo", vllm_importance_sampling_cap=2.0)
    _, events = run(drawn)
    ((step, text),) = warned(events)
    assert step == "grpo"
    assert "`vllm_importance_sampling_cap` argument is deprecated" in text
    started = next(i for i, event in enumerate(events) if getattr(event, "label", "") == "GRPO 'grpo'")
    assert next(i for i, event in enumerate(events) if isinstance(event, Warned)) < started


def test_afterwards_all_is_as_it_was() -> None:
    logger = logging.getLogger("trl")
    handlers, level, filters = logger.handlers[:], logger.level, warnings.filters[:]
    heard: list[Event] = []
    with hearing(heard.append):
        logging.getLogger("trl.trainer").warning("inside")
    logging.getLogger("trl.trainer").warning("outside")
    assert [event.text for event in heard] == ["inside"]
    assert (logger.handlers, logger.level, warnings.filters) == (handlers, level, filters)
