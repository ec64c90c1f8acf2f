"""Records are read again, whatever became of them; two runs are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flows
import pytest

from ryven_llm_nodes.catalogue import DPO, SFT
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.project import project_of, write_project
from ryven_llm_nodes.run.records.compare import contrasts, curves, differences
from ryven_llm_nodes.run.records.history import PastRun, find_run, past_run, past_runs
from ryven_llm_nodes.run.records.labels import Label, write_label
from ryven_llm_nodes.run.store.alone import alone_in


def write(folder: Path, drawn: flows.Project | None = None, **summary: Any) -> PastRun:
    """A record as a run leaves it."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "done", "began": folder.name, **summary}))
    if drawn is not None:
        write_project(project_of(flows.graph(drawn, folder), folder), folder / "flow.json")
    run = past_run(folder)
    assert run is not None
    return run


def write_metrics(run: PastRun, stage: str, *lines: str) -> None:
    (run.folder / "metrics").mkdir(exist_ok=True)
    (run.folder / "metrics" / f"{stage}.jsonl").write_text("\n".join(lines))


class TestFinding:
    @pytest.fixture
    def outputs(self, tmp_path: Path) -> Path:
        for flow, time in (("a", "2026-01-01"), ("b", "2026-01-03"), ("a", "2026-01-02")):
            write(tmp_path / flow / "run-records" / time)
        return tmp_path

    def test_newest_first(self, outputs: Path) -> None:
        assert [run.name for run in past_runs(outputs)] == ["b/2026-01-03", "a/2026-01-02", "a/2026-01-01"]
        assert [run.name for run in past_runs(outputs / "a")] == ["a/2026-01-02", "a/2026-01-01"]
        assert past_runs(outputs / "none") == []

    def test_by_number_name_part_or_folder(self, outputs: Path) -> None:
        for which in ("2", "a/2026-01-02", "01-02", str(outputs / "a/run-records/2026-01-02")):
            assert find_run(outputs, which).name == "a/2026-01-02"

    def test_a_running_one_is_not_deleted(self, outputs: Path) -> None:
        run = write(outputs / "c" / "run-records" / "2026-01-04", status="running")
        with alone_in(outputs / "c"), pytest.raises(UsageError, match="is still running"):
            run.delete()
        past_runs(outputs)[0].delete()
        assert [run.name for run in past_runs(outputs)] == ["b/2026-01-03", "a/2026-01-02", "a/2026-01-01"]

    @pytest.mark.parametrize(
        ("which", "message"),
        [
            ("4", "no run matches"),
            ("0", "several runs match"),
            ("a/", "several runs match"),
            ("a/2026-01-09", "no run matches 'a/2026-01-09' in {outputs}. Did you mean 'a/2026-01-0"),
        ],
    )
    def test_none_or_several(self, which: str, message: str, outputs: Path) -> None:
        with pytest.raises(UsageError) as caught:
            find_run(outputs, which)
        assert message.format(outputs=outputs) in str(caught.value)


class TestDamage:
    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', b"\xff"])
    def test_a_record_that_is_none(self, text: str | bytes, tmp_path: Path) -> None:
        folder = tmp_path / "run-records" / "x"
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        assert past_runs(tmp_path) == []

    @pytest.mark.parametrize("value", [None, 1, "x", [], {"a": None}, {"a": {"done": "x", "total": []}}])
    def test_a_summary_with_anything_in_it(self, value: Any, tmp_path: Path) -> None:
        names = ("stages", "seconds", "began", "flow", "data", "versions", "machine", "error")
        for i, name in enumerate(names):
            run = write(tmp_path / "run-records" / str(i), **{name: value})
            assert isinstance(f"{run.name} {run.flow} {run.began} {run.seconds} {run.error}", str)
            assert [run.state(stage) for stage in run.stages] in ([], ["not begun"])
            assert differences(run, run)[0].where == "flow"

    def test_torn_lines_of_metrics(self, tmp_path: Path) -> None:
        run = write(tmp_path / "run-records" / "x")
        write_metrics(run, "sft", '{"step": 1, "loss": 2.0, "nan": null}', "", "[1]", '{"step": 2, "lo')
        assert run.metrics("sft") == {"loss": [(1, 2.0)]}
        assert list(run.completions("sft")) == []


class TestComparing:
    def pair(self, tmp_path: Path, first: flows.Project, second: flows.Project, **more: Any) -> list[tuple[str, ...]]:
        runs = (write(tmp_path / "run-records" / "1", first), write(tmp_path / "run-records" / "2", second, **more))
        return [(d.where, d.first, d.second) for d in differences(*runs)]

    def test_the_same(self, tmp_path: Path) -> None:
        assert self.pair(tmp_path, flows.chain(), flows.chain()) == []

    def test_a_setting(self, tmp_path: Path) -> None:
        assert self.pair(tmp_path, flows.alone("dpo"), flows.alone("dpo", beta=0.5, max_steps=9)) == [
            ("dpo.max_steps", "2", "9"),
            ("dpo.beta", "0.1", "0.5"),
        ]

    def test_a_setting_that_is_spelled_out_as_its_default(self, tmp_path: Path) -> None:
        assert self.pair(tmp_path, flows.alone("dpo"), flows.alone("dpo", beta=0.1)) == []

    def test_nodes_and_wires(self, tmp_path: Path) -> None:
        one = flows.draw("base -> x", base=flows.BASE, x=flows.node(SFT))
        other = flows.draw("more -> x", base=flows.BASE, more=flows.BASE, x=flows.node(SFT), y=flows.node(DPO))
        assert self.pair(tmp_path, one, other) == [
            ("x <- model", "base.model", "more.model"),
            ("more", "-", "Load Model 'more'"),
            ("y", "-", "DPO 'y'"),
        ]

    def test_code_line_by_line(self, tmp_path: Path) -> None:
        one, other = flows.alone("grpo"), flows.alone("grpo")
        params = other["flows"]["grpo"]["nodes"][3]["additional data"]["params"]
        params["code"] = flows.REWARD.replace("max(len(text), 1)", "len(text)")
        first = write(tmp_path / "run-records" / "1", one)
        (found,) = differences(first, write(tmp_path / "run-records" / "2", other))
        assert (found.where, found.first, found.second) == ("variety.code", "lines: 1", "lines: 1")
        assert "+    return [len(set(text)) / len(text) for text in texts]" in found.details

    def test_data_versions_and_early_ends(self, tmp_path: Path) -> None:
        later = {
            "data": {"rows": {"files": {"a.jsonl": "0" * 64}, "rows": 3}},
            "versions": {"trl": "2"},
            "machine": {"threads": "2"},
            "stages": {"dpo": {"state": "done", "done": 1, "total": 2}},
        }
        assert self.pair(tmp_path, flows.alone("dpo"), flows.alone("dpo"), **later) == [
            ("ended dpo", "-", "done (1 of 2)"),
            ("data rows a.jsonl", "-", "sha256 000000000000"),
            ("data rows rows", "-", "3"),
            ("version trl", "-", "2"),
            ("machine threads", "-", "2"),
        ]

    def test_curves_side_by_side(self, tmp_path: Path) -> None:
        stages = {"stages": {"sft": {}}}
        first = write(tmp_path / "run-records" / "1", **stages)
        second = write(tmp_path / "run-records" / "2", **stages)
        write_metrics(first, "sft", '{"step": 1, "loss": 2.0, "other": 1}')
        write_metrics(second, "sft", '{"step": 1, "loss": 1.0}', '{"step": 2, "loss": 0.5}')
        (pair,) = curves(first, second, ("reward", "loss"))
        assert (pair.stage, pair.metric, pair.first, pair.second) == ("sft", "loss", [(1, 2.0)], [(1, 1.0), (2, 0.5)])


def test_several_runs_are_compared_with_the_first(tmp_path: Path) -> None:
    code = ("def reward(completions):\n    return 1\n", "def reward(completions):\n    return 2\n")
    runs = []
    for place, (rate, text) in enumerate(((1e-5, code[0]), (1e-5, code[1]), (2e-5, code[0]))):
        drawn = flows.alone("grpo", learning_rate=rate)
        nodes = drawn["flows"]["grpo"]["nodes"]
        next(n for n in nodes if n["additional data"]["name"] == "variety")["additional data"]["params"]["code"] = text
        runs.append(write(tmp_path / "o" / "run-records" / str(place), drawn))
    found = {one.where: one for one in contrasts(runs)}
    assert found["grpo.learning_rate"].values == ("1e-05", "1e-05", "2e-05")
    assert found["variety.code"].values == ("a text", "lines: 1, lines: 1", "a text")
    assert set(found["variety.code"].details) == {1}
    assert contrasts(runs[:1] * 3) == []


def test_a_run_is_found_by_the_name_that_its_user_gave_it(tmp_path: Path) -> None:
    run = write(tmp_path / "o" / "run-records" / "2026")
    write(tmp_path / "o" / "run-records" / "2027")
    write_label(run.folder, Label("the best"))
    assert find_run(tmp_path, "the best").folder == run.folder
