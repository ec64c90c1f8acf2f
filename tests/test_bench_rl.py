"""The gym for RL methods: its tasks, what it writes down, and that it goes on where it was killed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

from rl import report, runs
from rl.learning import Watch, reward_functions
from rl.methods import Method, method_of, prompts_of
from rl.models import GOOD, SECOND
from rl.picture import picture
from rl.tasks import Completion, tasks

TASKS = tasks(Path("models"), smollm="smollm")
PPO = Method("ppo", "ppo")


def completion(text: str, ended: bool = True, prompt: str = "", limit: int = 12) -> Completion:
    return Completion(prompt, text, len(text.split()) + ended, ended, limit)


def line(method: str, seed: int, *means: float, task: str = "dense") -> dict:
    curve = [(32 * (i + 1), float(i), mean) for i, mean in enumerate(means)]
    return {"task": task, "method": method, "seed": seed, "curve": curve, "seconds": float(len(means)), "code": "a"}


@pytest.mark.parametrize(
    ("task", "seen", "reward", "success"),
    [
        ("dense", completion(f"{GOOD} red {GOOD} red"), 0.5, 0.5),
        ("dense", completion("", ended=True), 0.0, 0.0),
        ("offset-5", completion(f"{GOOD} red"), -4.5, 0.5),
        ("scale-100", completion(f"{GOOD} red"), 50.0, 0.5),
        ("sparse", completion(f"red {GOOD} {SECOND}"), 1.0, 1.0),
        ("sparse", completion(f"{SECOND} {GOOD}"), 0.0, 0.0),
        ("length-penalty", completion("red red"), -0.3, 0.75),
        ("variable-length", completion(f"{GOOD} {GOOD}", ended=False), 0.0, 0.0),
        ("variable-length", completion(f"red {GOOD}"), 0.5, 0.5),
        ("two-rewards", completion(f"{GOOD} red"), 0.65, 0.65),
        ("sums", completion(" 31\n4", prompt="2 + 3 = 5\n14 + 17 ="), 1.0, 1.0),
        ("sums", completion(" 3", prompt="2 + 3 = 5\n14 + 17 ="), 0.0, 0.0),
    ],
)
def test_rewards_and_success(task: str, seen: Completion, reward: float, success: float) -> None:
    assert TASKS[task].total(seen) == pytest.approx(reward)
    assert TASKS[task].success(seen) == pytest.approx(success)


def test_a_method_gets_as_many_completions_as_it_should_and_prompts_of_its_seed() -> None:
    assert len(prompts_of(TASKS["dense"], 0, group=8)) * 8 >= TASKS["dense"].completions
    assert prompts_of(TASKS["sums"], 1, 1) != prompts_of(TASKS["sums"], 2, 1)
    assert prompts_of(TASKS["sums"], 1, 1) == prompts_of(TASKS["sums"], 1, 1)


def test_a_variant_of_a_method() -> None:
    assert method_of('no-kl=ppo:{"kl_coef": 0}') == Method("no-kl", "ppo", {"kl_coef": 0})
    assert method_of("grpo") == Method("grpo", "grpo")
    with pytest.raises(SystemExit, match="'dpo' is no method"):
        method_of("dpo")


def test_a_rollout_is_written_down_once_though_there_are_two_rewards() -> None:
    watch = Watch(TASKS["two-rewards"])
    rollout = {"prompts": ["", ""], "completions": [GOOD, "red"], "completion_ids": [[1, 33], [0, 3]]}
    rewards = [function(**rollout) for function in reward_functions(watch, eos=33)]
    assert rewards == [[1.0, 0.0], [1.0, 0.0]]
    assert [(count, mean) for count, _, mean in watch.curve] == [(2, pytest.approx(0.5))]


def test_a_child_whose_parent_is_gone_ends() -> None:
    watch = Watch(TASKS["dense"], parent=-1)
    with pytest.raises(SystemExit):
        watch.add([completion(GOOD)])


def test_the_last_quarter_and_the_curve_until_a_time() -> None:
    curve = line("ppo", 0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)["curve"]
    assert report.last_quarter(curve) == pytest.approx(0.7)
    assert report.last_quarter(report.until(curve, 3.5)) == pytest.approx(0.3)
    assert report.until(curve, -1) == curve[:1]


def test_an_interval_is_students() -> None:
    assert report.half_width([1.0, 2.0, 3.0]) == pytest.approx(4.303 / 3**0.5)
    assert report.half_width([1.0]) == float("inf")


def test_the_table_counts_seeds_below_the_start_and_cuts_slow_methods_short() -> None:
    lines = [{"task": "dense", "method": "untrained", "seed": 0, "start": 0.3, "code": "a"}]
    lines += [line("ppo", 0, 0.3, 0.1), line("ppo", 1, 0.3, 0.5), line("grpo", 0, 0.3)]
    ppo, grpo = report.rows_of("dense", report.grouped(lines)["dense"])
    assert (ppo.collapsed, grpo.collapsed) == (1, 0)
    assert ppo.finals == {0: 0.1, 1: 0.5}
    assert ppo.timed == {0: 0.1, 1: 0.5}  # GRPO's second suffices for the second rollout
    assert "| dense | ppo | 0.300 | 0.300 ± 2.541 |" in report.table(lines)
    assert "| dense | grpo | -0.200 | 0.33 |" in report.comparison(lines)


def test_the_picture_has_a_plot_per_task_and_a_line_per_method() -> None:
    lines = [line("ppo", 0, 0.0, 1.0), line("ppo", 1, 0.0, 0.5), line("grpo", 0, 0.2, 0.3, task="a<b")]
    drawn = ElementTree.fromstring(picture(lines))
    found = [item.get("points") for item in drawn.iter("{http://www.w3.org/2000/svg}polyline")]
    assert found == ["120.0,150.0 240.0,37.5", "120.0,120.0 240.0,105.0"]


def test_results_go_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_text('{"key": "a"}\n{"key": "b", "cur')
    assert list(runs.read(out)) == ["a"]
    results = runs.Results(out)
    results.add({"key": "c"})
    assert list(runs.read(out)) == ["a", "c"]
    with pytest.raises(SystemExit, match="another bench_rl"):
        runs.Results(out)


def test_the_key_of_a_cell_changes_with_what_makes_its_result() -> None:
    task = TASKS["dense"]
    cells = [
        runs.Cell(task, PPO, 0),
        runs.Cell(task, PPO, 1),
        runs.Cell(replace(task, completions=64), PPO, 0),
        runs.Cell(replace(task, settings={"ppo": {"kl_coef": 0}}), PPO, 0),
        runs.Cell(task, Method("ppo", "ppo", {"lam": 1}), 0),
    ]
    assert len({cell.key for cell in cells}) == len(cells)
    assert runs.Cell(replace(task, settings={"grpo": {"beta": 1}}), PPO, 0).key == cells[0].key


def test_our_ppo_is_measured_again_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [runs.Cell(TASKS["dense"], method, 0) for method in (PPO, Method("grpo", "grpo"))]
    before = [cell.key for cell in cells]
    monkeypatch.setattr(runs, "code_digest", lambda: "another")
    assert [cell.key == key for cell, key in zip(cells, before, strict=True)] == [False, True]


CHILD = """
import json, os, sys
order = json.loads(sys.argv[2])
for number, cell in enumerate(order["keys"]):
    if number == 1 and not os.path.exists("again"):
        open("again", "w").close()
        sys.exit(1)
    line = {"key": cell, "task": "t", "method": "m", "seed": 0, "start": 0.5}
    print("cell: " + json.dumps(line), flush=True)
"""


def test_a_second_call_does_only_what_the_first_did_not_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "order_for", lambda cells, place: {"keys": [cell.key for cell in cells]})
    monkeypatch.setattr(runs, "make_models", lambda wanted, cache: None)
    script, out = tmp_path / "child.py", tmp_path / "results.jsonl"
    script.write_text(CHILD)
    cells = runs.cells_of(TASKS["dense"], [PPO], seeds=2)
    assert runs.run_all(script, [cells], runs.Place(tmp_path), out, jobs=1) == 1
    assert list(runs.read(out)) == [cells[0].key]
    assert runs.run_all(script, [cells], runs.Place(tmp_path), out, jobs=1) == 0
    keys = [json.loads(text)["key"] for text in out.read_text().splitlines()]
    assert keys == [cell.key for cell in cells]


def test_documentation_is_no_part_of_what_is_measured() -> None:
    source = 'def f(x):\n    """{}"""\n    return x + {}  # {}\n\na = field(metadata={{"help": "{}"}})\n'
    assert runs.bare(source.format("a", 1, "b", "c")) == runs.bare(source.format("d", 1, "e", "f"))
    assert runs.bare(source.format("a", 1, "b", "c")) != runs.bare(source.format("a", 2, "b", "c"))
