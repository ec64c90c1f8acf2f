"""The demo from end to end: model, data, flow, run, and what each stage gained on held-out rows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ryven_llm_nodes.catalogue import (
    DPO,
    GRPO,
    PPO,
    SFT,
    ExportScript,
    LoadDataset,
    LoadModel,
    LoRA,
    RewardFunction,
    SaveModel,
)
from ryven_llm_nodes.demo import rewards, settings
from ryven_llm_nodes.demo.data import DemoData, build_data, read_rows
from ryven_llm_nodes.demo.evaluate import HeldOut, compare
from ryven_llm_nodes.demo.model import (
    CACHE_VARIABLE,
    FOLDER_NAME,
    MODEL_ID,
    default_cache,
    fetch_model,
    is_finished,
)
from ryven_llm_nodes.errors import DemoError
from ryven_llm_nodes.program import Program, build, read_flow
from ryven_llm_nodes.program.environment import prepare_environment
from ryven_llm_nodes.program.project import Placement, project, write_project

MODEL: Final = "base-model"
FLOW: Final = "flow.json"
SCRIPT: Final = "pipeline.py"
BATCH: Final = 64  # rows that are evaluated at once


def demo_flow(model: str = f"./{MODEL}", data: str = "data") -> dict[str, Any]:
    """The default flow on the demo's data: SFT, PPO, DPO against the SFT model, GRPO with a threshold.

    ``model`` and ``data`` say where model and rows are; by default next to the flow file.
    """
    nodes = [
        Placement("base", LoadModel, {"path": model}, 0, 0),
        Placement("answers", LoadDataset, {"path": f"{data}/sft_train.jsonl"}, 0, 1),
        Placement("lora", LoRA, settings.LORA, 0, 2),
        Placement("sft", SFT, settings.SFT, 1, 0),
        Placement("questions", LoadDataset, {"path": f"{data}/ppo_prompts_train.jsonl"}, 1, 2),
        Placement(rewards.PPO_REWARD_NAME, RewardFunction, {"code": rewards.PPO_REWARD_SOURCE}, 1, 3),
        Placement("ppo", PPO, settings.PPO, 2, 0),
        Placement("preferences", LoadDataset, {"path": f"{data}/preferences_train.jsonl"}, 2, 2),
        Placement("dpo", DPO, settings.DPO, 3, 0),
        Placement("more_questions", LoadDataset, {"path": f"{data}/grpo_prompts_train.jsonl"}, 3, 2),
        Placement(rewards.GRPO_REWARD_NAME, RewardFunction, {"code": rewards.GRPO_REWARD_SOURCE}, 3, 3),
        Placement("grpo", GRPO, settings.GRPO, 4, 0),
        Placement("final", SaveModel, {}, 5, 0),
        Placement("script", ExportScript, {"path": SCRIPT}, 5, 1),
    ]
    wires = [
        "base.model -> sft.model",
        "answers.dataset -> sft.dataset",
        "sft.model -> ppo.model",
        "questions.dataset -> ppo.dataset",
        f"{rewards.PPO_REWARD_NAME}.reward -> ppo.reward",
        "ppo.model -> dpo.model",
        "preferences.dataset -> dpo.dataset",
        "sft.model -> dpo.reference",
        "dpo.model -> grpo.model",
        "more_questions.dataset -> grpo.dataset",
        f"{rewards.GRPO_REWARD_NAME}.reward -> grpo.reward",
        *(f"lora.adapter -> {stage}.adapter" for stage in ("sft", "ppo", "dpo", "grpo")),
        "grpo.model -> final.model",
        "grpo.model -> script.model",
    ]
    return project("demo", nodes, wires)


def editor_flow() -> dict[str, Any]:
    """The demo's flow to look at and run in the editor, with its rows in the cache.

    The model is the one in the cache, if the demo has put it there, else the one on the Hub.
    """
    data = default_cache() / "demo-data"
    try:
        build_data(data)
    except OSError as error:
        raise DemoError(f"cannot write to {data}: {error.strerror}; set {CACHE_VARIABLE} to another folder.") from error
    model = default_cache() / FOLDER_NAME
    return demo_flow(str(model) if is_finished(model) else MODEL_ID, data.as_posix())


def prepare(folder: Path, report: Callable[[str], None]) -> DemoData:
    """Fills ``folder`` with the model, the data and the flow. Raises DemoError where one cannot be had."""
    base = fetch_model(report=report)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data = build_data(folder / "data")
        _link(base, folder / MODEL)
    except OSError as error:
        raise DemoError(f"cannot write to {folder}: {error.strerror}; choose another folder.") from error
    write_project(demo_flow(), folder / FLOW)
    return data


def _link(base: Path, place: Path) -> None:
    """Puts the model next to the flow file: as a link, or as a copy on file systems without links."""
    if place.is_symlink():
        place.unlink()
    if place.exists():
        return
    try:
        place.symlink_to(base, target_is_directory=True)
    except OSError:
        shutil.copytree(base, place)


@dataclass(frozen=True)
class Gain:
    """What one stage improved: a measure of the model before and after it, on held-out rows."""

    stage: str
    measure: str
    rows: int
    comparison: Any
    lower_is_better: bool = False

    @property
    def shown(self) -> bool:
        """Whether the change is in the right direction, by more than two standard errors."""
        ratio = -self.comparison.ratio if self.lower_is_better else self.comparison.ratio
        return bool(ratio > 2)


def measure(base: Path, models: dict[str, Path], data: DemoData) -> Iterator[Gain]:
    """Compares the model that entered each stage with the one that left it; every model is loaded once."""
    rows = {split: read_rows(getattr(data, split).held_out) for split in ("sft", "preferences")}
    prompts = {stage: read_rows(getattr(data, f"{stage}_prompts").held_out) for stage in ("ppo", "grpo")}
    scored = {
        "ppo": rewards.load_reward(rewards.PPO_REWARD_SOURCE, rewards.PPO_REWARD_NAME),
        "grpo": rewards.load_reward(rewards.GRPO_REWARD_SOURCE, rewards.GRPO_REWARD_NAME),
    }

    def values(stage: str, model: HeldOut) -> list[float]:
        if stage == "sft":
            return model.losses(rows["sft"])
        if stage == "dpo":
            return model.preferences(rows["preferences"])
        return model.rewards(prompts[stage], scored[stage], **settings.SAMPLING[stage]).rewards

    names = {"sft": "loss", "ppo": "reward", "dpo": "preference accuracy", "grpo": "reward"}
    entered = {"sft": values("sft", HeldOut(base, BATCH))}
    stages = list(names)
    for stage, following in zip(stages, [*stages[1:], None], strict=True):
        model = HeldOut(models[stage], BATCH)
        after = values(stage, model)
        comparison = compare(entered[stage], after)
        yield Gain(stage.upper(), names[stage], len(after), comparison, lower_is_better=stage == "sft")
        if following:
            entered[following] = values(following, model)


def run_demo(folder: Path) -> None:
    """Everything that ``ryven-llm demo`` does. Raises an LLMNodesError where it cannot be done."""
    from ryven_llm_nodes.terminal.display import show_run

    started = time.monotonic()
    console = Console(soft_wrap=True)
    prepare_environment()
    data = prepare(folder, lambda line: console.print(line, highlight=False, markup=False))
    program = build(read_flow(folder / FLOW))
    outcome = show_run(program, folder / "models")
    console.print("measuring on held-out rows ...")
    gains = list(measure(folder / MODEL, outcome.models, data))
    _export(program, folder)
    console.print(gains_table(gains))
    _show_files(console, folder, time.monotonic() - started)


def _export(program: Program, folder: Path) -> None:
    from ryven_llm_nodes.system.files import write_whole

    write_whole(folder / SCRIPT, program.script_for(folder).text)


def gains_table(gains: list[Gain]) -> Table:
    """Before and after, one row per stage."""
    table = Table("stage", "on held-out rows", "before", "after", "change", "standard errors", title_justify="left")
    for gain in gains:
        c = gain.comparison
        table.add_row(
            gain.stage,
            f"{gain.measure} ({gain.rows})",
            f"{c.before_mean:.3f}",
            f"{c.after_mean:.3f}",
            f"{c.difference:+.3f} ± {c.standard_error:.3f}",
            f"{abs(c.ratio):.1f} {'better' if gain.shown else 'NOT SHOWN'}",
        )
    return table


def _show_files(console: Console, folder: Path, seconds: float) -> None:
    """Says where everything is, and what to do next."""
    lines = (
        f"{seconds / 60:.1f} minutes in total. In {folder}:",
        f"  {FLOW:14} the flow: ryven-llm run {folder / FLOW}",
        f"  {SCRIPT:14} the same as a plain script: python {folder / SCRIPT}",
        f"  {'models/':14} one folder per stage, and final-model",
        f"  {'data/':14} the rows, made from the documentation of Python's standard library",
    )
    for line in lines:
        console.print(line, highlight=False, markup=False)
