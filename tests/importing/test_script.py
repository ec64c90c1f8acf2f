"""An exported script becomes the flow that it was written from, with what was changed in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import flows
import pytest
from flows import alone, draw, node
from reading_back import graph, told

from ryven_llm_nodes.catalogue import SaveModel
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.importing.files import Imported, imported

Edit = Callable[[str], str]


@pytest.fixture
def again(data: Path, tmp_path: Path) -> Callable[..., Imported]:
    """Exports a flow, edits the script, and imports it again."""

    def read(drawn: flows.Project, edit: Edit = str) -> Imported:
        text = flows.program(drawn, data).script_for(data).text
        edited = edit(text)
        assert edit is str or edited != text
        (file := data / f"{tmp_path.name}.py").write_text(edited, encoding="utf-8")
        return imported(file, data)

    return read


@pytest.mark.parametrize("drawn", [flows.chain(), flows.chain(lora=True)], ids=["chain", "lora"])
def test_an_untouched_script_gives_its_flow(drawn: flows.Project, again: Callable[..., Imported], data: Path) -> None:
    found = again(drawn)
    assert found.told == ()
    assert graph(found, data).digest == flows.graph(drawn, data).digest


def test_settings_that_were_changed(again: Callable[..., Imported], data: Path) -> None:
    found = again(
        alone("sft"),
        lambda text: text.replace("max_steps=2,", "max_steps=7,\n        optim='sgd',").replace("0.001", "0.5"),
    )
    given = graph(found, data).by_name["sft"].given
    assert (given["max_steps"], given["optim"], given["learning_rate"]) == (7, "sgd", 0.5)
    assert found.told == ()


def test_a_reward_that_was_changed(again: Callable[..., Imported], data: Path) -> None:
    found = again(alone("grpo"), lambda text: text.replace("len(set(text))", "2 * len(set(text))"))
    assert "2 * len(set(text))" in graph(found, data).by_name["variety"].given["code"]
    assert found.told == ()


def test_what_no_node_can_express(again: Callable[..., Imported], data: Path) -> None:
    drawn = draw("base -> sft, rows -> sft, sft -> final", base=flows.BASE, rows=flows.ROWS["sft"],
                 sft=flows.TRAINERS["sft"], final=node(SaveModel))  # fmt: skip
    found = again(drawn, lambda text: text.replace("    rows = load_dataset(", "    rows = print() or load_dataset("))
    assert set(told(found)) == {"main: rows"}
    assert "no node can express" in told(found)["main: rows"]


def test_nothing_is_executed(again: Callable[..., Imported], tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    again(alone("sft"), lambda text: f"open({str(mark)!r}, 'w')\n{text}")
    assert not mark.exists()


def test_other_scripts(tmp_path: Path) -> None:
    (file := tmp_path / "other.py").write_text("print('hello')\n")
    with pytest.raises(FlowError, match="contains no flow"):
        imported(file, tmp_path)
    with pytest.raises(FlowError, match="does not exist"):
        imported(tmp_path / "none.py", tmp_path)
