"""The command line: what it does, and one clear line for everything that can be wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, FAST, ROLLOUT, ROWS, alone, chain, draw, node, program, save
from typer.testing import CliRunner

from ryven_llm_nodes import __version__, templates
from ryven_llm_nodes.catalogue import GRPO, PPO, SFT, LoadDataset, LoadModel, RewardFunction
from ryven_llm_nodes.cli import app


def ryven_llm(*arguments: object) -> tuple[int, str, str]:
    """Exit status, output and errors of a command."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def rewarded(code: str, **params: Any) -> Any:
    """GRPO with a reward function of this code."""
    nodes = {"base": BASE, "rows": ROWS["grpo"], "score": node(RewardFunction, code=code)}
    grpo = node(GRPO, **ROLLOUT, num_generations=4, **params)
    return draw("base -> grpo, rows -> grpo, score -> grpo", **nodes, grpo=grpo)


def cycle() -> Any:
    """Two trainers that wait for each other."""
    return draw("a -> b, b -> a, rows -> a, rows -> b", rows=ROWS["sft"], a=node(SFT, **FAST), b=node(SFT, **FAST))


def with_node(kind: Any, drawn: Any, path: str, **params: Any) -> Any:
    """``drawn`` with another location and more parameters for its first node of a kind."""
    (flow,) = drawn["flows"].values()
    placed = next(n for n in flow["nodes"] if n["identifier"].endswith(kind.__name__))
    placed["additional data"]["params"] |= {"path": path, **params}
    return drawn


def unknown_node() -> Any:
    """A flow with a node that there is not."""
    drawn = alone("sft")
    drawn["flows"]["sft"]["nodes"][0]["identifier"] = "ryven_llm_nodes.LoadModell"
    return drawn


BAD = {
    "an unknown field": (
        lambda: alone("sft", learning_rte=1e-5),
        ["error: SFT 'sft' > learning_rte: SFTConfig has no such field. Did you mean 'learning_rate'?"],
    ),
    "a value out of range": (
        lambda: alone("dpo", beta=-1),
        ["error: DPO 'dpo' > beta: must be greater than 0, got -1. Typical: 0.1 to 0.5."],
    ),
    "a value of a wrong type": (
        lambda: alone("sft", max_steps="many"),
        ["error: SFT 'sft' > max_steps: must be a whole number, got 'many'."],
    ),
    "a missing wire": (
        lambda: draw("base -> ppo, rows -> ppo", base=BASE, rows=ROWS["ppo"], ppo=node(PPO)),
        ["error: PPO 'ppo' > reward: this input is not connected; connect a reward to it."],
    ),
    "a cycle": (
        cycle,
        ["error: SFT 'a': its output leads back to itself (a -> b -> a); remove one of these wires."],
    ),
    "a missing file": (
        lambda: with_node(LoadDataset, alone("sft"), "none.jsonl"),
        [
            "error: Load Dataset 'rows' > path: the file 'none.jsonl' does not exist (looked in {root}); "
            "correct the path."
        ],
    ),
    "a missing column": (
        lambda: with_node(LoadDataset, alone("dpo"), "sft.jsonl"),
        [
            "error: DPO 'dpo' > dataset: DPO needs the columns 'prompt' + 'chosen' + 'rejected' or 'chosen' + "
            "'rejected'; the dataset has 'prompt', 'completion'. Rename its columns with Map Columns, or use other "
            "data."
        ],
    ),
    "a model folder that there is not": (
        lambda: with_node(LoadModel, alone("sft"), "./none"),
        [
            "error: Load Model 'base' > path: the model folder './none' does not exist; give a folder with "
            "config.json, or a Hub id (owner/name)."
        ],
    ),
    "a model folder that is none": (
        lambda: with_node(LoadModel, alone("sft"), "."),
        ["error: Load Model 'base' > path: '.' is not a model folder: it has no config.json."],
    ),
    "a reward with a syntax error": (
        lambda: rewarded("def reward(completions, **kwargs)\n    return 1"),
        [
            "error: Reward Function 'score' > code: syntax error in line 1: expected ':': "
            "'def reward(completions, **kwargs)'"
        ],
    ),
    "a reward that TRL cannot call": (
        lambda: rewarded("def reward(completions):\n    return [0]"),
        [
            "error: Reward Function 'score' > code: reward() must accept **kwargs: TRL passes prompts, completions and "
            "every column by name."
        ],
    ),
    "several at once": (
        lambda: with_node(LoadModel, with_node(LoadDataset, alone("sft", seed=0.5), "none.jsonl"), "./none"),
        ["error: Load Model 'base' > path: ", "error: Load Dataset 'rows' > path: ", "error: SFT 'sft' > seed: "],
    ),
}


@pytest.mark.parametrize("command", ["check", "export", "run"])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_flow(what: str, command: str, data: Path) -> None:
    """The same lines, and exit status 2, before anything heavy is loaded."""
    drawn, lines = BAD[what]
    status, output, errors = ryven_llm(command, save(drawn(), data / "bad.json"))
    said = errors.splitlines()
    assert status == 2
    assert output == ""
    assert len(said) == len(lines)
    for wanted in lines:
        wanted = wanted.replace("{root}", str(data.resolve()))
        assert wanted in said if wanted.endswith((".", "'", "?")) else any(line.startswith(wanted) for line in said)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "no json",
            "is not JSON (Expecting value: line 1 column 1 (char 0)); give a Ryven project, an exported script, "
            "or the folder of a model or a run.",
        ),
        ("{}", "is not a Ryven project: it has no 'flows'."),
        (json.dumps({"flows": {}}), "contains no flow; open it in the editor and add one."),
        (
            None,
            "does not exist; give a Ryven project, an exported script, or the folder of a model or a run.",
        ),
        (
            json.dumps(unknown_node()),
            "unknown node 'ryven_llm_nodes.LoadModell'. Did you mean 'ryven_llm_nodes.LoadModel'?",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "export", "run"])
def test_a_file_that_is_no_flow(content: str | None, message: str, command: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "f.json").write_text(content)
    status, _, errors = ryven_llm(command, tmp_path / "f.json")
    assert (status, len(errors.splitlines())) == (2, 1)
    assert errors.startswith("error: ")
    assert message in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "def reward(completions, **kwargs):\n    return [completions[9] for c in completions]",
            "error: Reward Function 'score' > code: line 2: IndexError: list index out of range. Tested with two",
        ),
        (
            "def reward(completions, **kwargs):\n    return [1.0]",
            "error: Reward Function 'score' > code: score() returned 1 rewards for 2 completions; return one number",
        ),
    ],
)
def test_a_reward_that_does_not_work(code: str, line: str, work: Path) -> None:
    flow = save(rewarded(code), work / "f.json")
    status, _, errors = ryven_llm("run", flow, "--output-dir", work / "out", "--trust")
    assert status == 2
    assert [said.startswith(line) for said in errors.splitlines() if said.startswith("error: ")] == [True]
    assert not (work / "out" / "grpo").exists()


class TestCheck:
    def test_a_good_flow(self, workspace: Path, tmp_path: Path) -> None:
        """Rows and tokenizers are read, and nothing is found."""
        path = save(chain(lora=True), workspace / "good.json")
        status, output, errors = ryven_llm("check", path, "--trust")
        assert (status, errors) == (0, "")
        assert output == f"{path}: no problems; 12 nodes, stages: SFT 'sft', PPO 'ppo', DPO 'dpo', GRPO 'grpo'\n"

    def test_with_other_values(self, data: Path) -> None:
        path = save(alone("sft"), data / "good.json")
        assert ryven_llm("check", path, "--quick", "--set", "sft.seed=1")[0] == 0
        status, _, errors = ryven_llm("check", path, "--set", "sft.seed=1.5", "--set", "base.path=./x")
        assert status == 2
        assert "error: SFT 'sft' > seed: must be a whole number, got 1.5." in errors
        assert "error: Load Model 'base' > path: the model folder './x' does not exist" in errors


class TestExport:
    def test_to_the_terminal(self, data: Path) -> None:
        status, output, errors = ryven_llm("export", save(alone("sft"), data / "flow.json"))
        assert (status, errors) == (0, "")
        assert output == program(alone("sft"), data).script.text

    def test_to_a_file_elsewhere(self, data: Path, tmp_path: Path) -> None:
        flow, file = save(alone("sft"), data / "flow.json"), tmp_path / "new" / "script.py"
        status, output, errors = ryven_llm("export", flow, "-o", file)
        assert (status, output, errors) == (0, "", f"wrote {file}\n")
        assert file.read_text() == program(alone("sft"), data).script_for(file.parent).text

    def test_a_part(self, data: Path) -> None:
        flow = save(chain(), data / "chain.json")
        output = ryven_llm("export", flow, "--to", "ppo", "--set", "ppo.seed=7")[1]
        assert "def ppo_config(" in output
        assert "seed=7," in output
        assert "dpo_config" not in output
        assert "grpo_config" not in output

    def test_where_nothing_can_be_written(self, data: Path) -> None:
        flow = save(alone("sft"), data / "flow.json")
        status, _, errors = ryven_llm("export", flow, "-o", data / "sft.jsonl" / "x.py")
        assert status == 2
        assert errors == f"error: cannot write {data / 'sft.jsonl' / 'x.py'}: File exists; choose another place.\n"

    def test_not_over_the_flow_itself(self, data: Path) -> None:
        flow = save(alone("sft"), data / "flow.json")
        before = flow.read_text()
        status, _, errors = ryven_llm("export", flow, "-o", data / "model" / ".." / "flow.json")
        assert status == 2
        assert errors.endswith("is the flow itself; choose another file.\n")
        assert flow.read_text() == before

    def test_one_of_several_flows(self, data: Path) -> None:
        both = alone("sft")
        both["flows"] |= alone("dpo")["flows"]
        flow = save(both, data / "both.json")
        message = ryven_llm("export", flow)[2]
        assert message == f"error: {flow}: contains 2 flows ('sft', 'dpo'); choose one with --flow.\n"
        assert "def dpo_config(" in ryven_llm("export", flow, "--flow", "dpo")[1]


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--set", "sft"], "error: --set sft: write NODE.PARAM=VALUE, such as sft.learning_rate=1e-5."),
            (["--set", "x.seed=1"], "error: there is no node 'x'. Nodes: base, rows, sft, final."),
            (["--to", "sfd"], "error: there is no node 'sfd'. Did you mean 'sft'? Nodes: base, rows, sft, final."),
        ],
    )
    def test_nodes_that_there_are_not(self, arguments: list[str], message: str, data: Path) -> None:
        status, _, errors = ryven_llm("export", save(alone("sft"), data / "flow.json"), *arguments)
        assert (status, errors.strip()) == (2, message)

    @pytest.mark.parametrize("arguments", [["nothing"], ["check"], ["check", "x.json", "--nothing"]])
    def test_what_the_command_does_not_know(self, arguments: list[str]) -> None:
        status, _, errors = ryven_llm(*arguments)
        assert status == 2
        assert "Traceback" not in errors

    def test_version_and_help(self) -> None:
        assert ryven_llm("--version")[:2] == (0, f"ryven-llm-nodes {__version__}\n")
        status, output, _ = ryven_llm("--help")
        assert status == 0
        for command in ("run", "check", "export", "new", "demo"):
            assert command in output

    def test_exit_status_of_the_process(self, data: Path) -> None:
        """No traceback, and the status reaches the shell."""
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "ryven_llm_nodes.cli", "check", str(save(cycle(), data / "bad.json"))]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: SFT 'a': its output leads back to itself")
        assert len(done.stderr.splitlines()) == 1


class TestFindings:
    """Findings of all weights, in a check and in a run."""

    @pytest.fixture
    def flow(self, work: Path) -> Path:
        """A warmup of five steps in a training of two: a warning, and a setting that fixes it."""
        return save(alone("sft", warmup_steps=5, save_strategy="steps", save_steps=9), work / "f.json")

    LINES = (
        "warning: SFT 'sft' > warmup_steps: 5 warmup steps, but only 2 steps in total: the learning rate reaches 20 % "
        "of 0.001. Set 0.1 (a fraction), or train longer. (--set sft.warmup_steps=0.1)",
        "note: SFT 'sft' > save_steps: is 9, but there are only 2 steps in total, so it is never reached: no "
        "checkpoint is written before the end. Set 1, or train longer. (--set sft.save_steps=1)",
    )

    def test_a_check_shows_them_and_fails_only_if_strict(self, flow: Path) -> None:
        status, output, errors = ryven_llm("check", flow)
        assert (status, errors.splitlines()) == (0, list(self.LINES))
        assert output == f"{flow}: 1 warning, 1 note; 4 nodes, stages: SFT 'sft'\n"
        assert ryven_llm("check", flow, "--strict")[0] == 2

    def test_the_remedy_is_a_setting(self, flow: Path) -> None:
        fixes = ("--set", "sft.warmup_steps=0.1", "--set", "sft.save_steps=1")
        assert ryven_llm("check", flow, "--strict", *fixes)[0] == 0

    def test_as_json(self, flow: Path) -> None:
        first, second = json.loads(ryven_llm("check", flow, "--json")[1])
        assert (first["weight"], first["step"], first["parameter"]) == ("warning", "sft", "warmup_steps")
        assert first["set"] == "sft.warmup_steps=0.1"
        assert (second["weight"], second["row"]) == ("note", None)

    def test_errors_as_json(self, flow: Path) -> None:
        status, output, errors = ryven_llm("check", flow, "--json", "--set", "sft.seed=1.5")
        (found,) = json.loads(output)
        assert (status, errors, found["weight"]) == (2, "", "error")
        assert found["text"] == "SFT 'sft' > seed: must be a whole number, got 1.5."

    def test_a_strict_run_trains_nothing(self, flow: Path, work: Path) -> None:
        status, _, errors = ryven_llm("run", flow, "--strict", "--output-dir", work / "out")
        assert status == 2
        assert errors.splitlines()[-1] == self.LINES[0]
        assert not (work / "out" / "sft").exists()

    def test_a_run_goes_on_and_records_them(self, flow: Path, work: Path) -> None:
        status, output, errors = ryven_llm("run", flow, "--output-dir", work / "out", "--json")
        kinds = [json.loads(line)["event"] for line in output.splitlines()]
        assert (status, kinds.count("Warned"), kinds[-1]) == (0, 2, "RunFinished"), errors
        (record,) = (work / "out" / "run-records").iterdir()
        noted = json.loads((record / "run.json").read_text())["warnings"]
        assert [(one["weight"], one["parameter"]) for one in noted] == [
            ("warning", "warmup_steps"),
            ("note", "save_steps"),
        ]


class TestNew:
    @pytest.mark.parametrize("name", templates.TEMPLATES)
    def test_writes_a_flow_that_checks(self, name: str, tmp_path: Path) -> None:
        assert ryven_llm("new", name, tmp_path / "f.json")[0] == 0
        assert ryven_llm("check", tmp_path / "f.json")[0] == 0

    def test_overwrites_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "f.json").write_text("mine")
        status, _, errors = ryven_llm("new", "sft", tmp_path / "f.json")
        assert (status, errors) == (2, f"error: {tmp_path / 'f.json'} already exists; choose another name.\n")
        assert (tmp_path / "f.json").read_text() == "mine"

    def test_an_unknown_template(self, tmp_path: Path) -> None:
        errors = ryven_llm("new", "gpro", tmp_path / "f.json")[2]
        known = f"Templates: {', '.join(templates.TEMPLATES)}."
        assert errors == f"error: there is no template 'gpro'. Did you mean 'grpo'? {known}\n"


class TestNewOfData:
    def test_a_flow_for_the_data(self, data: Path, tmp_path: Path) -> None:
        flow = tmp_path / "f.json"
        status, output, _ = ryven_llm("new", data / "pairs.jsonl", data / "model", flow)
        assert (status, output.splitlines()[-1]) == (0, f"wrote {flow}")
        assert f"{data / 'pairs.jsonl'}: preference pairs, for DPO" in output
        assert ryven_llm("check", "--quick", flow)[0] == 0

    def test_what_is_no_data(self, tmp_path: Path) -> None:
        (tmp_path / "odd.csv").write_text("height,width\n1,2\n")
        status, _, errors = ryven_llm("new", tmp_path / "odd.csv", tmp_path / "none.jsonl", tmp_path / "f.json")
        assert status == 2
        assert [line.partition(": ")[0] for line in errors.splitlines()] == ["error", "error"]
        assert not (tmp_path / "f.json").exists()


class TestImport:
    def test_a_flow_and_what_is_left(self, data: Path, tmp_path: Path) -> None:
        (config := tmp_path / "my-sft.yaml").write_text(
            f"model_name_or_path: {data / 'model'}\ndataset_name: owner/rows\nfoo: 1\n"
        )
        status, output, errors = ryven_llm("import", config, tmp_path / "f.json")
        assert (status, output.splitlines()) == (0, [f"wrote {tmp_path / 'f.json'}", "TRL: 1 not taken over"])
        assert errors.startswith("warning: my-sft.yaml > foo: is no argument of TRL's SFTConfig.")
        assert ryven_llm("check", "--quick", tmp_path / "f.json")[0] == 0

    def test_nothing_is_written_for_what_is_no_configuration(self, tmp_path: Path) -> None:
        (config := tmp_path / "a.yaml").write_text("a: [")
        status, _, errors = ryven_llm("import", config, tmp_path / "f.json")
        assert (status, errors.count("\n")) == (2, 1)
        assert not (tmp_path / "f.json").exists()
        (tmp_path / "f.json").write_text("mine")
        assert "already exists" in ryven_llm("import", config, tmp_path / "f.json")[2]
        assert (tmp_path / "f.json").read_text() == "mine"


def test_a_script_for_several_processes(data: Path) -> None:
    """Its groups may be as large as what all of them generate."""
    path = save(alone("grpo", per_device_train_batch_size=4, num_generations=8), data / "flow.json")
    assert ryven_llm("check", str(path))[0] == ryven_llm("export", str(path))[0] == 2
    assert ryven_llm("check", str(path), "--quick", "--processes", "2")[0] == 0
    assert "GRPOConfig(" in ryven_llm("export", str(path), "--processes", "2")[1]


class TestNodes:
    def test_all_nodes(self) -> None:
        output = ryven_llm("nodes")[1]
        for name in ("LoadModel", "RewardFunction", "GRPO", "ExportScript"):
            assert name in output

    def test_everything_that_can_be_set(self) -> None:
        output = ryven_llm("nodes", "sft", "--all")[1]
        for name in ("learning_rate", "5e-05", "gradient_checkpointing"):
            assert name in output
        assert ryven_llm("nodes", "Reward Function")[0] == 0

    def test_an_unknown_node(self) -> None:
        status, _, errors = ryven_llm("nodes", "stf")
        assert (status, errors) == (2, "error: there is no node 'stf'. Did you mean 'sft'?\n")


class TestRuns:
    """`ryven-llm runs` lists what was run, shows one, compares two, and deletes."""

    @pytest.fixture
    def outputs(self, tmp_path: Path) -> Path:
        for number, beta in enumerate((0.1, 0.5), 1):
            folder = tmp_path / "out" / "align" / "run-records" / f"2026-01-0{number}-120000"
            folder.mkdir(parents=True)
            summary = {"flow": "align", "status": "done", "began": f"2026-01-0{number}T12:00", "stages": {"dpo": {}}}
            (folder / "run.json").write_text(json.dumps(summary))
            save(alone("dpo", beta=beta), folder / "flow.json")
        return tmp_path / "out"

    def test_lists_shows_and_compares(self, outputs: Path) -> None:
        status, listed, _ = ryven_llm("runs", "--in", outputs)
        assert status == 0
        assert listed.index("align/2026-01-02-120000") < listed.index("align/2026-01-01-120000")
        assert "record: " in ryven_llm("runs", "1", "--in", outputs)[1]
        compared = ryven_llm("runs", "2", "01-02", "--in", outputs)[1]
        assert ["dpo.beta", "0.1", "0.5"] in [line.split() for line in compared.splitlines()]

    def test_deletes_a_record(self, outputs: Path) -> None:
        assert ryven_llm("runs", "2", "--delete", "--in", outputs)[0] == 0
        assert [path.name for path in outputs.glob("*/run-records/*")] == ["2026-01-02-120000"]

    def test_nothing_there_or_too_much_asked_for(self, outputs: Path, tmp_path: Path) -> None:
        assert "no runs are recorded in" in ryven_llm("runs", "--in", tmp_path / "none")[1]
        for arguments in (["1", "2", "1"], ["--delete"], ["1", "2", "--edit"]):
            status, _, said = ryven_llm("runs", *arguments, "--in", outputs)
            assert status == 2
            assert "give one RUN to show" in said
        assert ryven_llm("runs", "9", "--in", outputs)[0] == 2

    def test_what_carries_a_flow_can_be_checked_and_exported(self, data: Path, tmp_path: Path) -> None:
        from ryven_llm_nodes.program.project import project_of, write_project

        folder, script = tmp_path / "out" / "sft", tmp_path / "script.py"
        folder.mkdir(parents=True)
        write_project(project_of(program(alone("sft"), data).graph, folder), folder / "flow.json")
        assert "no problems" in ryven_llm("check", folder, "--quick")[1]
        assert ryven_llm("export", folder, "-o", script)[0] == 0
        assert "no problems" in ryven_llm("check", script, "--quick")[1]
