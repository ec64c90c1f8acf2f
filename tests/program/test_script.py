"""The script: reads as a user of TRL would have written it, is complete, and needs nothing of this package."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import BASE, METHODS, REWARD, ROWS, TRAINERS, alone, chain, draw, node, program, script, without_flow

from ryven_llm_nodes import __version__, templates
from ryven_llm_nodes.catalogue import SFT, ExportScript, RewardFunction, RewardModel, SaveModel
from ryven_llm_nodes.catalogue.cell import Cell
from ryven_llm_nodes.errors import LLMNodesError
from ryven_llm_nodes.program.environment import LINES
from ryven_llm_nodes.program.project import graph_of_project
from ryven_llm_nodes.runtime.pipeline import Pipeline

RULES = "E4,E7,E9,F,W,I,B,UP,C4,PIE,PT,RET,SIM,N801,N802"
NOT = "E402,F704,C408"  # an environment variable is set between imports; settings look as where TRL takes them
FLOWS: dict[str, Callable[[], Any]] = {
    **{method: lambda method=method: alone(method) for method in METHODS},
    **{f"{method}_lora": lambda method=method: alone(method, lora=True) for method in METHODS},
    "chain": chain,
    "chain_lora": lambda: chain(lora=True),
    "no_training": lambda: draw("base -> final", base=BASE, final=node(SaveModel)),
    "reward_model": lambda: with_reward_model(),
    **{f"template_{name}": write for name, write in templates.TEMPLATES.items()},
}


def with_reward_model() -> Any:
    """PPO with a reward model in place of a function."""
    nodes = {"base": BASE, "rows": ROWS["ppo"], "rm": node(RewardModel, path="model"), "ppo": TRAINERS["ppo"]}
    return draw("base -> ppo, rows -> ppo, rm -> ppo", **nodes)


@pytest.fixture(scope="module")
def texts(data: Path) -> dict[str, str]:
    """The script of every flow."""
    return {name: script(drawn(), data) for name, drawn in FLOWS.items()}


def block(text: str) -> str:
    """The PEP 723 block of a script as TOML, found with the expression of the PEP."""
    found = list(re.finditer(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$", text))
    assert [match["type"] for match in found] == ["script"]
    return "".join(line[2:] if line.startswith("# ") else line[1:] for line in found[0]["content"].splitlines(True))


def dependencies(text: str) -> list[str]:
    """The dependencies that a script declares."""
    return tomllib.loads(block(text))["dependencies"]


def imported(text: str) -> set[str]:
    """The top-level packages that a script imports, anywhere."""
    found: set[str] = set()
    for item in ast.walk(ast.parse(text)):
        if isinstance(item, ast.Import):
            found |= {alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0
            found.add(str(item.module).split(".")[0])
    return found


class TestEveryScript:
    def test_is_clean_and_defines_every_name(self, texts: dict[str, str], tmp_path: Path) -> None:
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        ruff = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        options = ["--isolated", "--no-cache", "--target-version=py311", "--line-length=100"]
        command = [str(ruff), "check", *options, f"--select={RULES}", f"--ignore={NOT}", "."]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_imports_nothing_of_ours(self, texts: dict[str, str]) -> None:
        allowed = {"torch", "transformers", "trl", "datasets", "accelerate", "peft"} | set(sys.stdlib_module_names)
        for name, text in texts.items():
            assert imported(text) <= allowed, name
            code = without_flow(text).replace(f"Written by ryven-llm-nodes {__version__}", "")
            assert "ryven" not in code.lower(), name

    def test_declares_what_it_imports(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            declared = {re.split(r"[><=]", line)[0] for line in dependencies(text)}
            assert imported(text) - set(sys.stdlib_module_names) <= declared, name
            assert ("peft" in declared) == ("LoraConfig" in text), name

    def test_lines_are_of_bearable_length(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            assert max(map(len, text.split("\n"))) <= 120, name

    def test_begins_with_cells_and_ends_with_a_guard(self, texts: dict[str, str]) -> None:
        for text in texts.values():
            assert "# %% Imports\n" in text
            assert '# %% The pipeline\ndef main(pipeline: "Pipeline") -> None:\n' in text
            last = ast.parse(text).body[-1]
            assert ast.unparse(last).startswith("if __name__ == '__main__':")
            assert without_flow(text).endswith(")\n")
            assert not text.endswith("\n\n")

    def test_nothing_runs_when_it_is_imported(self, texts: dict[str, str]) -> None:
        """Module level holds a docstring, imports, definitions, constants, and settings of the environment."""
        allowed = [ast.unparse(item) for item in ast.parse(LINES).body]
        for name, text in texts.items():
            for item in ast.parse(text).body[1:-1]:
                plain = isinstance(
                    item,
                    ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign,
                )
                assert plain or ast.unparse(item) in allowed, f"{name}: {ast.unparse(item)}"

    def test_a_configuration_and_a_call_a_stage(self, texts: dict[str, str]) -> None:
        for name in ("chain", "chain_lora", "template_full"):
            for method in METHODS:
                assert texts[name].count(f"def {method}_config(") == 1
                calls = re.findall(
                    rf"pipeline\.train\(\s*\"{method}\",\s*{method.upper()}Trainer,\s*{method}_config,", texts[name]
                )
                assert len(calls) == 1
                assert f"# %% {method.upper()} {method!r}\n" in texts[name]

    def test_the_ppo_of_our_own_only_where_it_is_used(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            uses = "PPOTrainer," in text
            assert ("class PPOTrainer" in text) == uses, name
            assert ("class RewardModel" in text) == ("RewardModel(" in text), name
            assert ("def penalize_shortfall" in text) == ("penalize_shortfall([" in text), name


@pytest.mark.parametrize("place", ["definition", "statement"])
def test_a_text_that_does_not_compile_is_never_handed_out(
    place: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that makes such a cell is a mistake of ours, which a user is to see before a file is written."""
    broken = Cell(**{place: "x = ("})
    monkeypatch.setattr(SaveModel, "cell", classmethod(lambda cls, context: broken))
    with pytest.raises(LLMNodesError, match=r"^the script of this flow does not compile \("):
        script(draw("base -> final", base=BASE, final=node(SaveModel)), data)


class TestHeader:
    def test_says_flow_file_hash_and_versions(self, data: Path) -> None:
        made = program(alone("dpo", lora=True), data)
        doc = str(ast.get_docstring(ast.parse(made.script.text)))
        assert doc.startswith("dpo: DPO.\n")
        assert f"Written by ryven-llm-nodes {__version__} from the flow 'dpo' of flow.json\n" in doc
        assert f"(sha256 {made.graph.digest})" in doc
        for package in ("Python 3", "torch 2", "transformers 5", "trl 1", "datasets ", "accelerate ", "peft "):
            assert package in doc
        assert "python SCRIPT.py" in doc
        assert "accelerate launch SCRIPT.py" in doc

    def test_dependencies(self, data: Path) -> None:
        found = dependencies(script(alone("dpo", lora=True), data))
        ours = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
        bounds = {line.partition(">")[0]: line for line in ours["dependencies"]}
        names = ("torch", "transformers", "trl", "datasets", "accelerate", "peft")
        assert found == [bounds[name] for name in names], "reinstall this package, if its bounds have changed"
        assert "trl>=1.16,<1.17" in found
        assert ours["requires-python"] == ">=3.11,<3.13"
        assert 'requires-python = ">=3.11"' in block(script(alone("sft"), data))

    @pytest.mark.parametrize(
        "title",
        ['"""', "\\", "'", "a\nb", "# ///", "😀", "\ud800", "\0\u2028", "%(prog)s 100% %", "{x}", "", " ", "x" * 500],
    )
    def test_a_title_of_any_text(self, title: str, data: Path) -> None:
        text = script(draw("base -> final", title, base=BASE, final=node(SaveModel)), data)
        tree = ast.parse(text)
        assert ast.get_docstring(tree)
        assert dependencies(text)
        usual = ast.parse(script(draw("base -> final", base=BASE, final=node(SaveModel)), data))
        assert ast.dump(ast.Module(tree.body[1:-1], [])) == ast.dump(ast.Module(usual.body[1:-1], []))

    @pytest.mark.parametrize("title", ["100% %(prog)s %d", "é 😀"])
    def test_help(
        self, title: str, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The guard alone, with the class that the script has a copy of."""
        tree = ast.parse(script(draw("base -> final", title, base=BASE, final=node(SaveModel)), data))
        guard = ast.Module([tree.body[-1]], [])
        namespace = {"__name__": "__main__", "__doc__": ast.get_docstring(tree), "main": None, "Pipeline": Pipeline}
        monkeypatch.setattr(sys, "argv", ["script.py", "--help"])
        with pytest.raises(SystemExit) as ended:
            exec(compile(guard, "script.py", "exec"), namespace)
        assert ended.value.code == 0
        assert "output folder (outputs/" in capsys.readouterr().out


class TestWhatIsSpelledOut:
    def test_what_is_essential_and_else_what_is_not_default(self, data: Path) -> None:
        drawn = draw(
            "base -> sft, rows -> sft",
            base=BASE,
            rows=ROWS["sft"],
            sft=node(SFT, seed=42, packing=False, logging_steps=10),
        )
        config = next(
            call
            for call in ast.walk(ast.parse(script(drawn, data)))
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "dict"
        )
        names = [keyword.arg for keyword in config.keywords]
        assert names == [parameter.name for parameter in SFT.parameters]

    def test_the_library_itself_agrees_with_every_configuration(self, data: Path) -> None:
        """What a script spells out makes the configuration that the flow asks for."""
        import trl

        drawn = alone("dpo", seed=7, loss_type=["sigmoid", "hinge"], loss_weights=[1.0, 0.5])
        made = trl.DPOConfig(output_dir="x", use_cpu=True, bf16=False, **flows.settings(drawn, data, "dpo"))
        assert (made.seed, made.loss_type, made.beta, made.learning_rate) == (7, ["sigmoid", "hinge"], 0.1, 1e-3)


class TestPlaces:
    def root(self, text: str, file: Path) -> Path:
        """What ROOT is in a script that stands at ``file``."""
        line = next(line for line in text.split("\n") if line.startswith("ROOT = "))
        namespace: dict[str, Any] = {"Path": Path, "__file__": str(file)}
        exec(line, namespace)
        return Path(namespace["ROOT"])

    @pytest.mark.parametrize("folder", [".", "sub", "sub/deeper", "..", "../beside", "../' \" \\ 😀 {x}"])
    def test_data_is_found_from_wherever_the_script_stands(self, folder: str, data: Path, tmp_path: Path) -> None:
        flow_folder = tmp_path / "flows"
        shutil.copytree(data, flow_folder)
        place = flow_folder / folder
        place.mkdir(parents=True, exist_ok=True)
        text = program(alone("sft"), flow_folder).script_for(place).text
        assert (self.root(text, place / "script.py") / "sft.jsonl").is_file()

    def test_through_a_link(self, data: Path, tmp_path: Path) -> None:
        (tmp_path / "a" / "b" / "c").mkdir(parents=True)
        (tmp_path / "link").symlink_to(tmp_path / "a" / "b" / "c")
        text = program(alone("sft"), data).script_for(tmp_path / "link").text
        assert (self.root(text, tmp_path / "link" / "script.py") / "sft.jsonl").is_file()

    def test_flow_and_script_can_move_together(self, data: Path) -> None:
        text = script(alone("sft"), data)
        assert "ROOT = Path(__file__).resolve().parent\n" in text
        assert str(data) not in text

    def test_there_is_no_root_where_nothing_is_local(self, data: Path) -> None:
        assert "ROOT" not in script(templates.full(), data)

    def test_a_local_reward_model_is_found_too(self, data: Path) -> None:
        text = script(with_reward_model(), data)
        assert 'RewardModel(str(ROOT / "model"), name="rm")' in text
        assert "ROOT = " in text

    def test_the_default_output_folder_is_named_after_the_flow(self, data: Path) -> None:
        drawn = draw("base -> final", "My Flow/2", base=BASE, final=node(SaveModel))
        assert '__doc__, "outputs/my_flow_2"' in script(drawn, data)


class TestLines:
    """Which lines belong to which step."""

    def test_cells_and_lines(self, data: Path) -> None:
        made = program(chain(lora=True), data).script
        lines = made.text.split("\n")
        for step in ("sft", "ppo", "dpo", "grpo"):
            first, last = made.definitions[step]
            assert lines[first - 1] == f"# %% {step.upper()} {step!r}"
            assert lines[first].startswith(f"def {step}_config(output_dir: Path, **changes) -> ")
            assert lines[last - 1].endswith("Config(output_dir=str(output_dir), **DEVICE | settings | changes)")
            start, _ = made.statements[step]
            assert lines[start - 1].startswith(f"    {step} = pipeline.train(")
            assert made.step_at(first) == made.step_at(start) == step
        assert made.step_at(1) is None

    def test_the_text_of_a_cell_is_that_of_the_script(self, data: Path) -> None:
        made = program(chain(lora=True), data)
        assert made.script.cell_text("sft") == (
            f"# %% SFT 'sft'\n{made.cells['sft'].definition}\n\n{made.cells['sft'].statement}"
        )
        assert made.script.cell_text("base") == made.cells["base"].statement
        assert made.script.cell_text("nobody") == ""

    def test_code_with_odd_line_ends(self, data: Path) -> None:
        code = REWARD + "\x0c\n# \u2028 \x1c \x85\nTEXT = '''a\n  b'''\n"
        nodes = {"base": BASE, "rows": ROWS["ppo"], "variety": node(RewardFunction, code=code), "ppo": TRAINERS["ppo"]}
        made = program(draw("base -> ppo, rows -> ppo, variety -> ppo", **nodes), data).script
        first, last = made.definitions["variety"]
        assert made.text.split("\n")[first:last] == code.strip("\n").split("\n")


def test_exporting_does_not_need_an_export_node(data: Path) -> None:
    text = script(alone("sft"), data)
    drawn = alone("sft")
    drawn["flows"]["sft"]["nodes"].append(draw(script=node(ExportScript))["flows"]["flow"]["nodes"][0])
    strip = re.compile(r"sha256 \w+")
    assert strip.sub("", without_flow(script(drawn, data))) == strip.sub("", without_flow(text))


def test_the_same_flow_is_the_same_text(data: Path) -> None:
    assert graph_of_project(chain(), data).digest == graph_of_project(chain(), data).digest
    assert script(chain(), data) == script(chain(), data)


def test_the_same_text_whatever_the_hash_seed(data: Path, tmp_path: Path) -> None:
    """Nothing in a script depends on the order of a set."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from flows import chain, script
sys.stdout.write(script(chain(True), Path({str(data)!r})))
"""
    made = set()
    for seed in ("1", "2", "3"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        made.add(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout)
    assert made == {script(chain(True), data).encode()}
