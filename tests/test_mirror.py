"""Where tests stand: ``tests/a/test_b.py`` holds the tests of ``ryven_llm_nodes/a/b.py``; what does not is listed here.

A module that is new gets a test file of its name, or a line in ``ELSEWHERE`` that says where it is tested; the file of
a node needs neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ryven_llm_nodes.catalogue import FOLDERS

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "ryven_llm_nodes"
NOT_YET = ("gui/",)
"""Parts whose tests are ordered by what a user does."""

ACROSS = {
    "program/test_goldens.py": "whole scripts, which run",
    "program/test_goldens_of_cells.py": "the text of every node",
    "program/test_hostile.py": "hostile text in every parameter, name and title",
    "program/test_hostile_files.py": "hostile files, to every reader of files",
    "run/planning/test_published.py": "the formulae of a plan next to published figures",
    "run/test_adapters.py": "LoRA adapters, from the check to the model that is saved",
    "run/test_beside.py": "modules beside a flow, in runs and scripts",
    "run/test_evaluating.py": "evaluations as stages, from a run and from the script",
    "run/test_early_stopping.py": "training that ends early, and keeps its best checkpoint",
    "run/test_trainer_functions.py": "metrics and rollouts of the user's, in a run and in the script",
    "run/test_tools.py": "GRPO with tools and environments, from the check to the completions",
    "run/test_every_setting.py": "every setting of every trainer, with other values",
    "run/test_further_methods.py": "what holds of the first four methods, for the others",
    "run/test_faithfulness.py": "runs, scripts and TRL itself give equal weights",
    "run/test_kill.py": "processes that are killed mid-run",
    "run/test_longer.py": "training that goes on after its end",
    "run/test_processes.py": "scripts on two processes",
    "run/test_sharding.py": "scripts on two processes that share the weights",
    "run/test_resume.py": "runs that go on where they stopped",
    "run/test_store.py": "flows, settings and branches that share an output folder",
    "runtime/test_overrides.py": "what subclasses take from their libraries",
    "cases/test_cases.py": "what users bring, and what is found in it",
    "catalogue/test_one_file_a_node.py": "nodes that are dropped into a copy of the package",
    "test_asking_by_class.py": "that no part asks a node for its class, which says what it is",
    "test_bench_rl.py": "the gym of RL methods in benchmarks/",
    "cli/test_trust.py": "what the terminal asks before it runs code of others",
    "test_imports.py": "what importing each part loads",
    "test_mirror.py": "this file",
    "test_tests.py": "tests that can fail",
    "test_words.py": "the words of messages, documentation and comments",
}
"""Test files that are about several modules, and what about them."""

ELSEWHERE = {
    "catalogue/function_node.py": "catalogue/training/test_trainer_functions.py",
    "catalogue/files.py": "run/store/test_inputs.py",
    "catalogue/samples.py": "importing/test_data.py",
    "cli/starting.py": "cli/test_commands.py",
    "importing/keys.py": "importing/test_files.py",
    "importing/model_files.py": "importing/test_trl.py",
    "importing/places.py": "importing/test_trl.py",
    "importing/plan.py": "importing/test_trl.py",
    "importing/rewards.py": "importing/test_trl.py",
    "importing/saving.py": "importing/test_axolotl.py",
    "program/layout.py": "importing/test_data.py",
    "catalogue/coded_reward.py": "catalogue/rewards/test_exact_match.py",
    "catalogue/foreign_formats.py": "catalogue/data/test_convert_format.py",
    "runtime/formats.py": "catalogue/data/test_convert_format.py",
    "runtime/templates.py": "catalogue/data/test_chat_template.py",
    "runtime/scoring.py": "catalogue/rewards/test_exact_match.py",
    "runtime/importing.py": "catalogue/sources/test_import_model.py",
    "runtime/rows.py": "catalogue/data/test_filter.py",
    "agents/active_runs.py": "agents/test_server.py",
    "catalogue/described.py": "terminal/test_nodes.py",
    "cli/__main__.py": "cli/test_commands.py",
    "cli/agents.py": "agents/test_server.py",
    "cli/chat.py": "terminal/test_chat.py",
    "program/launch/skypilot.py": "program/launch/test_files.py",
    "program/launch/slurm.py": "program/launch/test_files.py",
    "program/launch/serving.py": "program/launch/test_files.py",
    "program/launch/shell.py": "program/launch/test_files.py",
    "catalogue/serving.py": "catalogue/training/test_vllm.py",
    "cli/experiments.py": "terminal/test_sweep.py",
    "cli/options.py": "cli/test_commands.py",
    "cli/setting_up.py": "cli/test_commands.py",
    "run/execute/outcome.py": "run/execute/test_runner.py",
    "run/execute/requests.py": "run/execute/test_apart.py",
    "run/execute/stage.py": "run/execute/test_runner.py",
    "run/execute/worker.py": "run/execute/test_apart.py",
    "catalogue/findings.py": "catalogue/training/test_amount.py",
    "catalogue/held.py": "run/fit/test_estimate.py",
    "catalogue/pretrained.py": "catalogue/sources/test_load_dataset.py",
    "catalogue/training/choices.py": "catalogue/training/test_limits.py",
    "catalogue/training/references.py": "catalogue/training/test_trainer.py",
    "catalogue/training/sampling.py": "catalogue/training/test_limits.py",
    "catalogue/values.py": "catalogue/test_cell.py",
    "catalogue/work.py": "run/rehearsing/test_forecast.py",
    "catalogue/training/losses.py": "catalogue/training/test_limits.py",
    "catalogue/training/rehearsing.py": "run/rehearsing/test_rehearse.py",
    "catalogue/training/early_stopping.py": "run/test_early_stopping.py",
    "catalogue/training/tool_calling.py": "run/test_tools.py",
    "catalogue/tool_code.py": "run/test_tools.py",
    "program/rehearsal.py": "run/rehearsing/test_rehearse.py",
    "run/rehearsing/plans.py": "run/rehearsing/test_rehearse.py",
    "runtime/early_stopping.py": "run/test_early_stopping.py",
    "runtime/tokenizers.py": "run/test_further_methods.py",
    "catalogue/scopes.py": "program/test_names.py",
    "run/examine/questions.py": "run/examine/test_serving.py",
    "run/examine/stand_in.py": "run/examine/test_prepared.py",
    "host/application.py": "gui/test_shell_window.py",
    "host/annotations.py": "gui/canvas/test_annotations.py",
    "host/canvas.py": "gui/test_shell_canvas.py",
    "host/arranging.py": "gui/canvas/test_navigation.py",
    "host/navigation.py": "gui/canvas/test_navigation.py",
    "host/dropping.py": "gui/start/test_start.py",
    "host/filling.py": "gui/start/test_start.py",
    "host/loading.py": "gui/canvas/test_loading.py",
    "host/making.py": "gui/canvas/test_loading.py",
    "host/shaping.py": "gui/canvas/test_loading.py",
    "host/install.py": "host/test_launch.py",
    "host/node_list.py": "host/test_launch.py",
    "host/opening.py": "host/test_launch.py",
    "host/packages.py": "host/test_launch.py",
    "host/ports.py": "host/test_launch.py",
    "host/required_packages.py": "program/test_pickles.py",
    "host/session.py": "program/test_pickles.py",
    "host/undo.py": "gui/test_shell_canvas.py",
    "host/versions.py": "host/test_launch.py",
    "host/window_style.py": "host/test_launch.py",
    "host/wires.py": "gui/canvas/test_wires.py",
    "host/drawing.py": "gui/canvas/test_pictures.py",
    "host/pictures.py": "gui/canvas/test_pictures.py",
    "nodes.py": "test_imports.py",
    "recipes.py": "test_templates.py",
    "program/requirements.py": "program/test_script.py",
    "run/comparing/found.py": "run/comparing/test_comparison.py",
    "run/sweeping/along.py": "run/sweeping/test_page.py",
    "run/sweeping/measured.py": "run/sweeping/test_sweep.py",
    "program/program.py": "program/test_build.py",
    "program/sweeping/metric.py": "run/sweeping/test_sweep.py",
    "catalogue/sweep_settings.py": "program/sweeping/test_declared.py",
    "run/events.py": "run/execute/test_runner.py",
    "run/examine/check.py": "cases/test_cases.py",
    "run/examine/look.py": "cases/test_cases.py",
    "run/examine/models.py": "cases/test_cases.py",
    "run/examine/rendered.py": "cases/test_cases.py",
    "run/examine/rules/columns.py": "cases/test_cases.py",
    "run/examine/rules/conversations.py": "cases/test_cases.py",
    "run/examine/rules/models.py": "cases/test_cases.py",
    "run/examine/rules/templates.py": "cases/test_cases.py",
    "run/examine/rules/tokens.py": "cases/test_cases.py",
    "run/examine/rules/values.py": "cases/test_cases.py",
    "catalogue/loading.py": "catalogue/sources/test_load_dataset.py",
    "run/execute/refusals.py": "run/execute/test_failures.py",
    "run/execute/cancelling.py": "run/execute/test_stopping.py",
    "run/loaded.py": "run/execute/test_runner.py",
    "run/records/compare.py": "run/records/test_history.py",
    "run/rewards/sampling.py": "run/rewards/test_bench.py",
    "run/rewards/watched.py": "run/execute/test_failures.py",
    "run/records/carrying.py": "run/records/test_record.py",
    "run/store/decisions.py": "run/store/test_kept.py",
    "run/store/keys.py": "run/store/test_inputs.py",
    "run/store/links.py": "run/store/test_output.py",
    "run/store/manifest.py": "run/store/test_kept.py",
    "run/trust/foreign.py": "run/trust/test_seen.py",
    "run/trust/reach.py": "run/trust/test_seen.py",
    "runtime/checkpoints.py": "run/test_resume.py",
    "runtime/ppo_sharding.py": "run/test_sharding.py",
    "runtime/lean.py": "runtime/test_pipeline.py",
    "runtime/longer.py": "run/test_longer.py",
    "runtime/stages.py": "program/test_goldens.py",
    "terminal/runs.py": "terminal/test_display.py",
    "terminal/check.py": "cli/test_commands.py",
}
"""Modules that another file of tests covers."""


def _names(files: Iterable[Path], below: Path) -> set[str]:
    names = {file.relative_to(below).as_posix() for file in files}
    return {name for name in names if not name.startswith(NOT_YET)}


def _modules() -> set[str]:
    return _names((file for file in PACKAGE.rglob("*.py") if file.name != "__init__.py"), PACKAGE)


def _is_node(module: str) -> bool:
    """Whether it is the file of a node: tests of all nodes and the goldens of their cells cover those."""
    return module.startswith(tuple(f"catalogue/{folder}/" for folder in FOLDERS))


def _tests() -> set[str]:
    return _names(TESTS.rglob("test_*.py"), TESTS)


def _test_of(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}".lstrip("/")


def test_every_module_has_its_tests_where_one_looks_for_them() -> None:
    alone = {module for module in _modules() if _test_of(module) not in _tests() and not _is_node(module)}
    assert alone == set(ELSEWHERE), "write the file of tests, or say in ELSEWHERE which one covers it"
    covering = {name for name in ELSEWHERE.values() if not name.startswith(NOT_YET)}
    assert covering <= _tests()


def test_every_file_of_tests_has_its_module() -> None:
    without = _tests() - {_test_of(module) for module in _modules()}
    assert without == set(ACROSS), "name it after its module, or say in ACROSS what it is about"
