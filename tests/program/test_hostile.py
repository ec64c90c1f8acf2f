"""Hostile text wherever a flow holds text: it is refused in a line, or it is a value in the script and no more.

A script is compared with the script of the same flow with harmless text: it must use no name, call no function and
hold no statement that the other has not, and give the value back when its literal is read. Nothing is executed but
the pipeline itself, with stand-ins for all that it calls.
"""

from __future__ import annotations

import ast
import builtins
import os
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cells import supplied
from flows import BASE, FAST, REWARD, ROLLOUT, ROWS, TRAINERS, draw, node, problems, script, without_flow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ryven_llm_nodes.catalogue import (
    ALL_NODES,
    DPO,
    GRPO,
    PPO,
    SFT,
    Benchmark,
    CombineRewards,
    Environment,
    ExportScript,
    GenerateRows,
    LLMNode,
    LoadDataset,
    LoadModel,
    LoRA,
    RewardFunction,
    RewardModel,
    SaveModel,
    Sweep,
)
from ryven_llm_nodes.program.sweeping.declared import describes_sweeps

HOSTILE = [
    "'",
    '"',
    "\\",
    "\\'",
    '\\"',
    "a\nb",
    "a\r\nb\rc",
    '"); import os; os.system("x") #',
    "'); import os; os.system('x') #",
    '"""',
    "'''",
    '"""\nimport os\nos.system("x")\n"""',
    "\n\nimport os\nos.system('x')\n",
    "😀 é 数据 \u202e",
    "\ud800",
    "nan",
    "NaN",
    "1" * 5000,
    "{}",
    "{0.__class__}",
    "{__import__('os').system('x')}",
    "%s %(x)s %",
    "a\0b",
    "a\u2028b\u2029c\x85d",
    "a\x0cb\x1cc",
    "\ufeff",
    "# /// script\n# ///",
    "None",
    "ROOT",
    "__import__('os').system('x')",
    " ",
    "x" * 10_000,
]


def flow_around(kind: type[LLMNode]) -> dict[str, Any]:
    """A flow in which a node of this kind is wired as it should be."""
    base = node(LoadModel, path="owner/name")  # a model of the Hub, which may have a revision
    nodes = {"base": base, "a_rows": ROWS["sft"], "lora": node(LoRA), "a": node(SFT, **FAST)}
    wires = "base -> a, a_rows -> a, lora -> a"
    if kind is DPO:
        nodes |= {"c_rows": ROWS["dpo"], "c": node(DPO, **FAST)}
        wires += ", base -> c, c_rows -> c, a -> c.reference"
    if kind in (PPO, GRPO, RewardFunction, RewardModel, CombineRewards):
        trainer = node(PPO, **ROLLOUT) if kind is PPO else node(GRPO, **ROLLOUT, num_generations=4)
        rewards = {"score": node(RewardFunction, code=REWARD), "judge": node(RewardModel, path="a/b")}
        nodes |= {"b_rows": ROWS["ppo"], **rewards, "mix": node(CombineRewards), "b": trainer}
        wires += ", score -> mix, judge -> mix, a -> b, b_rows -> b, mix -> b"
    nodes |= {"final": node(SaveModel), "script": node(ExportScript)}
    wires += ", a -> final, a -> script"
    if kind not in [placed for placed, _ in nodes.values()]:
        required = [port for port in kind.in_ports if not port.optional]
        needed = {p.name: "owner/name" for p in kind.parameters if p.required and p.default == ""}
        nodes["own"] = node(kind, **needed)
        for port in required:
            own, more = supplied(f"its_{port.name}", port.kind)
            nodes, wires = nodes | own, ", ".join([wires, *more])
        wires += "".join(f", its_{port.name} -> own.{port.name}" for port in required)
    return draw(wires, "hostile", **nodes)


def flow_with(kind: type[LLMNode], params: dict[str, Any]) -> dict[str, Any]:
    """A flow with ``params`` set on its first node of a kind."""
    drawn = flow_around(kind)
    placed = next(n for n in drawn["flows"]["hostile"]["nodes"] if n["identifier"].endswith(f".{kind.__name__}"))
    placed["additional data"]["params"] |= params
    return drawn


def text_parameters(kind: type[LLMNode]) -> list[str]:
    """The parameters of a node that take text of any kind."""
    return [name for name, p in kind.all_parameters().items() if str in p.types and not p.choices and name != "code"]


def used(text: str) -> set[str]:
    """Every name, attribute, keyword and import of a script, which is all that code can be made of."""
    found: set[str] = set()
    for item in ast.walk(ast.parse(text)):
        for field in ("id", "attr", "arg", "module", "name", "asname"):
            value = getattr(item, field, None)
            found |= {f"{type(item).__name__}.{field} {value}"} if isinstance(value, str) else set()
    return found


def statements(text: str) -> list[str]:
    """The kinds of all statements of a script, in order."""
    return [type(item).__name__ for item in ast.walk(ast.parse(text)) if isinstance(item, ast.stmt)]


def literals(text: str) -> list[Any]:
    """Every literal of a script, read back: single values, lists and dictionaries."""
    found = []
    for item in ast.walk(ast.parse(text)):
        if isinstance(item, ast.Constant | ast.List | ast.Dict):
            try:
                found.append(ast.literal_eval(item))
            except ValueError:
                continue
    return found


@lru_cache
def harmless(kind: type[LLMNode], parameters: tuple[str, ...], root: Path, shape: str = "text") -> str:
    """The script of the same flow with a harmless value in the same places."""
    flat = {name for name in parameters if shape == "list" and kind.all_parameters()[name].items}
    values = {name: SHAPES["flat" if name in flat else shape]("harmless") for name in parameters} | (
        {"function": ""} if "function" in parameters else {}
    )
    return script(flow_with(kind, values), root)


SHAPES = {
    "text": lambda text: text,
    "list": lambda text: [text, [text]],
    "flat": lambda text: [text],
    "dict": lambda text: {text: {text: [text, None]}},
}
PATHS = {"Name.id ROOT", "Name.id Path", "Name.id str", "Name.id __file__", "Attribute.attr expanduser"}
PATHS |= {"Attribute.attr resolve", "Attribute.attr parent"}


def own_part(text: str, usual: str) -> tuple[str, str]:
    """Both scripts without the runtime's source at their end, which has to be the same, and the flow after it."""
    text, usual = without_flow(text), without_flow(usual)
    length = len(usual) - usual.index("\n# %% Support: ")
    assert text[-length:] == usual[-length:]
    return text[:-length], usual[:-length]


def assert_harmless(text: str, usual: str) -> None:
    """``text`` consists of what ``usual`` consists of; a path may be told from a Hub id, and ROOT defined for it."""
    assert used(text) - used(usual) <= PATHS
    kinds, usual_kinds = statements(text), statements(usual)
    assert [kind for kind in kinds if kind != "Assign"] == [kind for kind in usual_kinds if kind != "Assign"]
    assert abs(len(kinds) - len(usual_kinds)) <= 1


def refused(drawn: dict[str, Any], root: Path) -> set[str]:
    """The parameters that the check complains about, in a line each; what a parameter is used for counts as well."""
    found = problems(drawn, root)
    for line in found:
        assert "\n" not in line
        assert line.isprintable()
        assert len(line) < 500
    return {line.split(": ")[0].split(" > ")[-1] for line in found}


BLAMED = {"dataset": "dataset_text_field"}  # names the column that is then found missing


def exercise(kind: type[LLMNode], values: dict[str, Any], root: Path, shape: str = "text") -> dict[str, Any]:
    """Puts ``values`` on a node and holds the script to the rule; returns the values that were accepted."""
    while wrong := refused(flow_with(kind, values), root):  # a refused value may have hidden another
        rest = {name: value for name, value in values.items() if name not in {BLAMED.get(w, w) for w in wrong}}
        assert len(rest) < len(values)
        values = rest
    known = kind.all_parameters()
    usual = harmless(kind, tuple(name for name, value in values.items() if value != known[name].default), root, shape)
    text, usual = own_part(script(flow_with(kind, values), root), usual)
    assert_harmless(text, usual)
    there = literals(text)
    for name, value in values.items():
        assert value in there or (kind, name) in UNSEEN or not (value and str(value).strip()), name
    return values


UNSEEN = {(ExportScript, "path"), (RewardFunction, "function")}
UNSEEN |= {(LoadModel, "rehearsal_model"), (RewardModel, "rehearsal_model")}
UNSEEN |= {(GenerateRows, "function"), (Environment, "class_name"), (Benchmark, "tasks")}  # a list of names
UNSEEN |= {(SaveModel, name) for name in ("license", "about")}  # without push_to_hub
UNSEEN |= {(LoadDataset, name) for name in ("config", "revision", "field", "encoding", "separator")}
"""Parameters that do not, or not always, stand in a script: a local data file has no configuration and no revision."""


SHARE = 4
IN_SCRIPTS = [kind for kind in ALL_NODES if not describes_sweeps(kind)]
TURNS = [
    pytest.param(kind, text, id=f"{kind.__name__}-{j}")
    for i, kind in enumerate(IN_SCRIPTS)
    for j, text in enumerate(HOSTILE)
    if (i + j) % SHARE == 0
]
"""Every node with a quarter of the texts, and every text with a quarter of the nodes: all go the same way into code."""


@pytest.mark.parametrize(("kind", "text"), TURNS)
def test_text_in_every_text_parameter_at_once(kind: type[LLMNode], text: str, data: Path) -> None:
    parameters = text_parameters(kind)
    accepted = exercise(kind, {name: text for name in parameters if name != "target_modules" or "," not in text}, data)
    if issubclass(kind, SFT | PPO | DPO | GRPO):
        assert {"run_name", "project", "hub_model_id"} <= set(accepted)


@pytest.mark.parametrize("shape", ["list", "dict"])
@pytest.mark.parametrize("kind", [SFT, PPO, DPO, GRPO], ids=lambda kind: kind.__name__)
def test_text_inside_lists_and_dictionaries(kind: type[LLMNode], shape: str, data: Path) -> None:
    wanted = {"list": list, "dict": dict}[shape]
    parameters = {n: p for n, p in kind.all_parameters().items() if wanted in p.types and n != "model_init_kwargs"}
    nested = {"list": [*HOSTILE, [HOSTILE]], "dict": {text: {text: [text, None]} for text in HOSTILE}}[shape]
    values = {name: HOSTILE if p.items else nested for name, p in parameters.items()}
    takes_any = {n for n, p in parameters.items() if not p.choices and str in (p.items or (str,))}
    takes_any -= {"optim_target_modules"}  # for optimizers that are not the default
    assert takes_any
    assert set(exercise(kind, values, data, shape)) == takes_any


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_in_the_arguments_of_a_model(text: str, data: Path) -> None:
    """model_init_kwargs is merged with what Load Model says."""
    assert exercise(SFT, {"model_init_kwargs": {text: [text]}}, data, "dict")


ANY_TEXT = st.text(st.characters()) | st.text("'\"\\\n\r{}#();, x%\0\u2028") | st.sampled_from(HOSTILE)


@given(kind=st.sampled_from(IN_SCRIPTS), text=ANY_TEXT, data=st.data())
@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
def test_any_text_in_any_text_parameter(workplace: Path, kind: type[LLMNode], text: str, data: st.DataObject) -> None:
    parameters = text_parameters(kind)
    if parameters:
        name = data.draw(st.sampled_from(parameters))
        if name != "target_modules" or "," not in text:
            exercise(kind, {name: text}, workplace)


STARTS = ("", "a.learning_rate=")


@given(text=ANY_TEXT, name=st.sampled_from(("vary", "metric", "prune")), start=st.sampled_from(STARTS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_sweep_names_what_is_wrong_and_goes_into_no_script(workplace: Path, text: str, name: str, start: str) -> None:
    """Its lines are refused in a line each, whatever is in them."""
    values = {"vary": "a.learning_rate=1e-5,1e-4", "metric": "a.loss", name: start + text}
    assert refused(flow_with(Sweep, values), workplace) <= {name, "trials"}


@pytest.fixture
def workplace(data: Path) -> Path:
    """The folder of data under a name of its own: hypothesis has one that is called data."""
    return data


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_names_and_titles(text: str, data: Path) -> None:
    nodes = {f"1 {text}": BASE, f"2 {text}": ROWS["sft"], f"3 {text}": TRAINERS["sft"], f"4 {text}": node(SaveModel)}
    drawn = draw("x -> z, y -> z, z -> s", x=BASE, y=ROWS["sft"], z=TRAINERS["sft"], s=node(SaveModel))
    for placed, name in zip(drawn["flows"]["flow"]["nodes"], nodes, strict=True):
        placed["additional data"]["name"] = name
    drawn["flows"] = {text: drawn["flows"]["flow"]}
    made = script(drawn, data)
    usual = script(draw("x -> z, y -> z, z -> s", x=BASE, y=ROWS["sft"], z=TRAINERS["sft"], s=node(SaveModel)), data)
    assert statements(made) == statements(usual)
    calls = [{ast.unparse(c.func) for c in ast.walk(ast.parse(t)) if isinstance(c, ast.Call)} for t in (made, usual)]
    assert {n for n in calls[0] - calls[1] if not n.startswith("train_") and not n.endswith("_config")} == set()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_pipeline_hands_values_on_and_calls_nothing_else(
    text: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs ``main`` with stand-ins that write down what they are called with."""
    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("a value was run"))
    given = {"path": "owner/name", "revision": text, "split": text, "config": text}
    wrong = refused(flow_with(LoadDataset, given), data)
    fine = {name: value for name, value in given.items() if name not in wrong}
    tree = ast.parse(script(flow_with(LoadDataset, fine), data))
    main = next(item for item in tree.body if isinstance(item, ast.FunctionDef) and item.name == "main")
    said: list[Any] = []

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        said.extend([*args, *kwargs.values()])
        return []

    reads = {item.id for item in ast.walk(main) if isinstance(item, ast.Name)} - set(dir(builtins))
    namespace: dict[str, Any] = dict.fromkeys(reads, stand_in) | {"Path": Path, "ROOT": data}
    exec(compile(ast.Module([main], []), "main", "exec"), namespace)
    namespace["main"](SimpleNamespace(train=stand_in, copy=stand_in))
    assert all(value in said for value in fine.values() if value)


MARKER = "open({!r}, 'w').close()"


@pytest.mark.parametrize(
    "code",
    [
        "{run}\n{reward}",
        "X = {run}\n{reward}",
        "@{run}\ndef f(completions, **kw): ...",
        "def f(completions, x={run}, **kw): ...",
        "class C:\n    {run}\n{reward}",
        "def f(completions, **kw) -> {run}: ...",
        "{run}\ndef (",
    ],
)
def test_code_of_the_users_own_is_not_run_by_a_check_or_an_export(code: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = code.format(run=MARKER.format(str(marker)), reward=REWARD)
    drawn = draw(score=node(RewardFunction, code=text))
    problems(drawn, tmp_path)
    assert not marker.exists()
    if "def (" not in code:
        assert MARKER.format(str(marker)) in script(drawn, tmp_path)
        assert not marker.exists()
