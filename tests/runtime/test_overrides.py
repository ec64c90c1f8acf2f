"""Every name of a library's class that a subclass of ours takes for itself is declared here, with its reason to be.

A name that is taken by accident (a private method of another version, an attribute) breaks what the library does with
it, and is found here before anybody trains.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

import pytest
from transformers import TrainerCallback

from ryven_llm_nodes.run.execute.callback import FiniteGradients, Quiet, Watch
from ryven_llm_nodes.run.execute.early_end import EarlyEnd, OwnCheckpoints
from ryven_llm_nodes.run.execute.stopping import Stop
from ryven_llm_nodes.runtime.checkpoints import AtomicCheckpoints
from ryven_llm_nodes.runtime.ppo import PPOTrainer, ValueHead
from ryven_llm_nodes.runtime.ppo_config import PPOConfig

DECLARED: dict[type, tuple[str, ...]] = {
    PPOTrainer: (
        *("__init__", "_tag_names", "_name", "_paper", "compute_loss"),
        *("_calculate_rewards", "_generate_and_score_completions", "_get_per_token_logps_and_entropies"),
        *("_get_train_sampler", "_save_optimizer_and_scheduler", "_load_optimizer_and_scheduler"),
        *("_step", "_buffered_inputs", "ref_model"),
    ),
    PPOConfig: (
        *("__post_init__", "learning_rate", "num_iterations", "epsilon", "entropy_coef", "num_generations"),
        *("num_generations_eval", "disable_dropout"),
    ),
    ValueHead: ("__init__", "forward"),
    AtomicCheckpoints: ("on_train_begin", "on_step_end", "on_save"),
    Watch: ("on_train_begin", "on_step_end", "on_log"),
    Stop: ("on_train_begin", "on_step_begin", "on_step_end", "on_save", "on_train_end"),
    FiniteGradients: ("on_train_begin", "on_pre_optimizer_step", "on_step_end", "on_train_end"),
    EarlyEnd: ("on_step_end",),
    OwnCheckpoints: ("on_save",),
    Quiet: (),
}
"""What is overridden on purpose; ``_step``, ``_buffered_inputs`` and ``ref_model`` are attributes that PPO sets too."""

OF_EVERY_CLASS = {
    "__module__",
    "__doc__",
    "__qualname__",
    "__annotations__",
    "__dict__",
    "__weakref__",
    "__firstlineno__",
}
OF_DATACLASSES = {"__init__", "__repr__", "__eq__", "__hash__", "__match_args__", "__static_attributes__"}
OF_DATACLASSES |= {"__dataclass_fields__", "__dataclass_params__", "__replace__"}


def ancestors(kind: type) -> list[type]:
    return [base for base in kind.__mro__[1:] if not base.__module__.startswith("ryven_llm_nodes")]


def set_by(kind: type) -> set[str]:
    """The attributes that the methods of a class give to ``self``."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):
        return set()  # object, and what is written in C
    stores = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {node.attr for node in stores if isinstance(node.value, ast.Name) and node.value.id == "self"}


def taken(kind: type) -> Iterator[str]:
    """The names of a base that ``kind`` defines or sets."""
    theirs = {name for base in ancestors(kind) for name in (*vars(base), *set_by(base))}
    ours = {name for name in vars(kind) if name not in OF_EVERY_CLASS} | set_by(kind)
    yield from ours & (theirs - (OF_DATACLASSES if kind is PPOConfig else {"__static_attributes__"}))


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_only_what_is_declared_is_overridden(kind: type) -> None:
    known = {"__init__"} if issubclass(kind, TrainerCallback) else set()
    assert set(taken(kind)) - known == set(DECLARED[kind]) - known


def test_an_accident_would_be_noticed() -> None:
    """``Trainer._evaluate`` takes a trial; ``lr_scheduler`` is an attribute of it."""

    class Accident(PPOTrainer):
        def _evaluate(self, model: object, batch: object) -> None:
            self.lr_scheduler = None

    assert {"_evaluate", "lr_scheduler"} <= set(taken(Accident))


def test_every_subclass_of_ours_is_looked_at() -> None:
    import ryven_llm_nodes.run.execute.callback as callback
    import ryven_llm_nodes.run.execute.early_end as early_end
    import ryven_llm_nodes.runtime.checkpoints as checkpoints
    import ryven_llm_nodes.runtime.ppo as ppo
    import ryven_llm_nodes.runtime.ppo_config as ppo_config
    import ryven_llm_nodes.runtime.rewards as rewards
    import ryven_llm_nodes.runtime.stages as stages

    for module in (callback, early_end, checkpoints, ppo, ppo_config, rewards, stages):
        own = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
        subclasses = {kind for kind in own if set(ancestors(kind)) - {object}}
        assert subclasses <= set(DECLARED)
