"""Check, generated code, saving and opening."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows
import pytest
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from ryven_llm_nodes.catalogue import DPO, SFT, ExportScript, LoadDataset, LoadModel
from ryven_llm_nodes.gui.state.edits import rename, set_value
from ryven_llm_nodes.program import build, read_flow, read_live_flow
from ryven_llm_nodes.program.carried import OPENING
from ryven_llm_nodes.program.flow import set_live_launch
from ryven_llm_nodes.program.launch.settings import Launch


def check(editor: Any) -> None:
    """Presses F6 and waits for the answer."""
    editor.shell.toolbar.status.setText("")
    editor.shell.actions["check"].trigger()
    editor.qtbot.waitUntil(lambda: editor.shell.toolbar.status.text() not in ("", "checking..."), timeout=60_000)


def generate(editor: Any) -> Any:
    """Presses F7 and waits for the window with the script."""
    editor.shell.commands.code_window = None
    editor.shell.actions["generate"].trigger()
    editor.qtbot.waitUntil(lambda: editor.shell.commands.code_window is not None)
    return editor.shell.commands.code_window


# Check


def test_check_marks_every_problem_on_its_node(editor: Any) -> None:
    dpo = editor.place(DPO, "align", beta=-1)
    model = editor.place(LoadModel, "base", path="")
    editor.wire(model, dpo, "model")
    lines = editor.log()
    check(editor)
    assert any("beta: must be greater than 0, got -1" in sentence for sentence in dpo.gui.mark.sentences)
    assert any("dataset: this input is not connected" in sentence for sentence in dpo.gui.mark.sentences)
    assert model.gui.mark.isVisible()
    count = len(dpo.gui.mark.sentences) + len(model.gui.mark.sentences)
    assert editor.shell.toolbar.status.text() == f"{count} problems"
    assert len([line for line in lines if line.startswith("✗")]) == count
    assert "torch" not in sys.modules or "DPO 'align' > beta" in "".join(lines)


def test_a_mark_goes_with_the_edit_that_mends_it(editor: Any) -> None:
    model = editor.place(LoadModel, path="")
    check(editor)
    assert model.gui.mark.isVisible()
    set_value(model, "path", "some/model")
    editor.settle(50)
    assert not model.gui.mark.isVisible()
    check(editor)
    assert editor.shell.toolbar.status.text() == "1 note"  # the Hub cannot be reached
    assert model.gui.mark.weight == "note"


def test_findings_of_three_weights_and_a_remedy_in_the_menu(open_editor: Callable[..., Any], work: Path) -> None:
    """A warmup that is longer than the training, and an interval beyond its end."""
    drawn = flows.alone("sft", warmup_steps=5, save_strategy="steps", save_steps=9)
    editor = open_editor(drawn, flows.save(drawn, work / "f.json"))
    sft = editor.node("sft")
    check(editor)
    assert editor.shell.toolbar.status.text() == "1 warning, 1 note"
    assert [one.weight for one in sft.gui.mark.findings] == ["warning", "note"]
    assert editor.state.state(sft).word == "ready"
    sft.gui.actions["Set warmup_steps to 0.1"]["method"]()
    assert sft.params["warmup_steps"] == 0.1
    editor.settle(50)
    assert not sft.gui.mark.isVisible()


def test_a_node_that_is_the_remedy_is_inserted_on_the_wire(open_editor: Callable[..., Any], work: Path) -> None:
    rows = [{"instruction": f"say {i}", "input": "", "output": f"answer {i}"} for i in range(16)]
    (work / "alpaca.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    drawn = flows.draw(
        "base -> sft, rows -> sft",
        base=flows.BASE,
        rows=flows.node(LoadDataset, path="alpaca.jsonl"),
        sft=flows.TRAINERS["sft"],
    )
    editor = open_editor(drawn, flows.save(drawn, work / "f.json"))
    check(editor)
    assert "insert Convert Format" in editor.node("sft").gui.mark.findings[0].message
    editor.node("sft").gui.actions["Insert Convert Format"]["method"]()
    editor.settle(50)
    (made,) = (node for node in editor.flow.nodes if node.title == "Convert Format")
    inputs = editor.node("sft").inputs
    assert editor.flow.connected_output(inputs[1]).node is made
    assert editor.flow.connected_output(made.inputs[0]).node is editor.node("rows")
    check(editor)
    assert not any(node.gui.mark.isVisible() for node in editor.flow.nodes)
    editor.view._undo_stack.undo()
    assert editor.flow.connected_output(inputs[1]).node is editor.node("rows")
    assert made not in editor.flow.nodes


def test_two_nodes_of_one_name_are_marked(editor: Any) -> None:
    editor.place(LoadModel, "twin", path="a/b")
    editor.place(LoadModel, "twin", path="a/c")
    check(editor)
    assert any(node.gui.mark.isVisible() for node in editor.flow.nodes)
    assert not editor.shell.commands.run()


def test_a_bad_flow_does_not_run(editor: Any) -> None:
    node = editor.place(SFT)
    assert editor.run().problems
    assert node.gui.mark.isVisible()
    assert editor.state.state(node).word == "needs attention"
    assert not editor.shell.runs.running


# Generate code


def without_places(script: str) -> str:
    """A script without the flow it carries: the editor lays out nodes that lie on each other."""
    text, found, _ = script.partition(OPENING)
    assert found
    return text


def test_generated_code_is_the_script_of_the_flow(open_editor: Callable[..., Any], work: Path) -> None:
    path = flows.save(flows.alone("sft"), work / "flow.json")
    editor = open_editor(flows.alone("sft"), path)
    window = generate(editor)
    text = window.text
    assert without_places(text) == without_places(build(read_flow(path)).script.text)
    shown = window.view.toPlainText() if hasattr(window.view, "toPlainText") else window.view.text()
    assert shown.strip() == text.strip()
    window.copy_button.click()
    assert QApplication.clipboard().text() == text
    window.close()


def test_saved_code_leads_to_the_files_beside_the_flow(
    open_editor: Callable[..., Any], work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = flows.save(flows.alone("sft"), work / "flow.json")
    window = generate(open_editor(flows.alone("sft"), path))
    target = work / "scripts" / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(target), ""))
    window.save_button.click()
    text = target.with_name("mine.py").read_text()
    assert without_places(text) == without_places(build(read_flow(path)).script_for(work / "scripts").text)
    assert 'ROOT = Path(__file__).resolve().parent / ".."' in text
    monkeypatch.setattr(QMessageBox, "warning", lambda *a: shown.append(a[2]))
    shown: list[str] = []
    (work / "file").write_text("")
    assert not window.save_to(work / "file" / "x.py")
    assert "cannot write" in shown[0]
    window.close()


def test_a_bad_flow_gives_no_code(editor: Any) -> None:
    editor.place(SFT)
    editor.shell.actions["generate"].trigger()
    editor.qtbot.waitUntil(lambda: "problem" in editor.shell.toolbar.status.text())
    assert editor.shell.commands.code_window is None


def test_export_script_has_the_button_too(open_editor: Callable[..., Any]) -> None:
    drawn = flows.draw("base -> script", base=flows.node(LoadModel, path="a/b"), script=flows.node(ExportScript))
    editor = open_editor(drawn)
    editor.node("script").gui.main_widget().button.click()
    editor.qtbot.waitUntil(lambda: editor.shell.commands.code_window is not None)
    assert "AutoModel" in editor.shell.commands.code_window.text or "import" in editor.shell.commands.code_window.text
    editor.shell.commands.code_window.close()


# Saving and opening


def contents(editor: Any) -> Any:
    """All that a flow is: nodes, names, values, wires, and places."""
    graph = read_live_flow(editor.flow, Path(), places=True)
    places = [(node.gui.item.pos().x(), node.gui.item.pos().y()) for node in editor.flow.nodes]
    return graph.steps, places


def test_what_is_saved_opens_as_it_was(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    editor = open_editor(flows.chain(lora=True))
    editor.settle(300)
    set_value(editor.node("sft"), "learning_rate", 3e-5)
    set_value(editor.node("variety"), "code", 'def variety(completions, **kwargs):\n    return ["ü\\n\'\\""]\n')
    rename(editor.node("ppo"), "pölicy 2")
    set_value(editor.node("dpo"), "beta", "wrong")
    assert editor.shell.document.modified
    assert editor.shell.saving.save_to(tmp_path / "mine.json")
    assert not editor.shell.document.modified
    before = contents(editor)
    again = open_editor(json.loads((tmp_path / "mine.json").read_text()), tmp_path / "mine.json")
    again.settle(300)
    assert contents(again) == before
    assert again.shell.document.path == tmp_path / "mine.json"
    assert read_flow(tmp_path / "mine.json").steps == before[0]


def test_a_save_that_fails_leaves_the_file(editor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = editor.place(SFT)
    assert editor.shell.saving.save_to(tmp_path / "flow.json")
    before = (tmp_path / "flow.json").read_bytes()
    monkeypatch.setattr(type(node), "additional_data", lambda self: {"params": object()})
    shown: list[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda *a: shown.append(a[2]))
    assert not editor.shell.saving.save()
    assert "the file is unchanged" in shown[0]
    assert (tmp_path / "flow.json").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["flow.json"]


def test_save_asks_for_a_name_once(editor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ask(*_: Any, **__: Any) -> tuple[str, str]:
        asked.append(1)
        return (str(tmp_path / "new") if len(asked) > 1 else ""), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    save = editor.shell.actions["save"]
    save.trigger()
    assert os.listdir(tmp_path) == []
    save.trigger()
    save.trigger()
    assert os.listdir(tmp_path) == ["new.json"]
    assert len(asked) == 2
    assert editor.window.windowTitle().startswith("new.json")


def test_save_as_asks_before_it_replaces(editor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dialog asks about the name that was typed; what is added to it is ours."""
    (tmp_path / "taken.json").write_text("dear")
    buttons, asked = QMessageBox.StandardButton, []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "taken"), ""))
    monkeypatch.setattr(QMessageBox, "question", lambda *a: asked.append(a[2]) or answers.pop(0))
    answers = [buttons.No, buttons.Yes]
    editor.shell.actions["save_as"].trigger()
    assert (tmp_path / "taken.json").read_text() == "dear"
    editor.shell.actions["save_as"].trigger()
    assert editor.shell.document.path == tmp_path / "taken.json"
    assert (tmp_path / "taken.json.bak").read_text() == "dear"
    assert asked == ["taken.json already exists. Do you want to replace it?"] * 2


def test_save_asks_before_it_goes_over_the_work_of_another_editor(
    editor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buttons, asked = QMessageBox.StandardButton, []
    answers = [buttons.No, buttons.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *a: asked.append(a[2]) or answers.pop(0))
    editor.place(SFT)
    path = tmp_path / "flow.json"
    assert editor.shell.saving.save_to(path)
    assert editor.shell.saving.save(), "what was saved here needs no question"
    path.write_text("of another editor")
    editor.place(DPO)
    assert not editor.shell.saving.save()
    assert path.read_text() == "of another editor"
    assert editor.shell.document.modified
    assert editor.shell.saving.save()
    assert (tmp_path / "flow.json.bak").read_text() == "of another editor"
    assert len(read_flow(path).steps) == 2
    assert asked[0].startswith("flow.json was changed by another program since it was opened here. Save over it?")
    path.unlink()
    editor.place(LoadModel)
    assert editor.shell.saving.save(), "where nothing is, nothing can be lost"


def test_it_loads_into_a_stock_ryven(tmp_path: Path) -> None:
    """File > Import Nodes of a Ryven that was started without us."""
    code = f"""
import os, sys, time
from PySide6.QtWidgets import QApplication
app = QApplication([])
from ryven.main.Ryven import run
window = run(qt_app=app, use_sysargs=False, show_dialog=False, qt_api="pyside6")
window.import_nodes(path={str(Path(build.__code__.co_filename).parents[1])!r})
for _ in range(50):
    app.processEvents()
    time.sleep(0.01)
shell = window.llm_shell
from ryven_llm_nodes.catalogue import SFT, LoadDataset, LoadModel
for kind in (LoadDataset, SFT, LoadModel):
    shell.palette.chosen.emit(kind)
rows, sft, model = window.core_session.flows[0].nodes
view = shell.flows.current_view()
view.connect_node_ports__cmd(rows.outputs[0], sft.inputs[0])
assert not view.connection_items, "a dataset was taken for a model"
view.connect_node_ports__cmd(rows.outputs[0], sft.inputs[1])
assert len(view.connection_items) == 1
shell.saving.save_to(__import__("pathlib").Path({str(tmp_path)!r}, "stock.json"))
window.close()
print("fine")
"""
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.stdout.strip().endswith("fine"), done.stdout + done.stderr
    assert len(read_flow(tmp_path / "stock.json").steps) == 3


def test_launch_settings_of_a_flow_are_kept_when_it_is_saved(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    drawn = flows.alone("sft")
    drawn["flows"]["sft"]["launch"] = {"processes": 2, "stages": {"sft": {"strategy": "fsdp2"}}}
    editor = open_editor(drawn)
    assert read_live_flow(editor.flow, tmp_path).launch.of("sft").is_sharded
    editor.shell.document.write(tmp_path / "saved.json")
    assert read_flow(tmp_path / "saved.json").launch.to_data() == drawn["flows"]["sft"]["launch"]
    set_live_launch(editor.flow, Launch({"processes": 4}))
    editor.shell.document.write(tmp_path / "saved.json")
    assert read_flow(tmp_path / "saved.json").launch.to_data() == {"processes": 4}
