"""The window Launch Settings: what is edited is a part of the flow, and what is wrong is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flows

from ryven_llm_nodes.gui.state.edits import rename
from ryven_llm_nodes.program import read_live_flow
from ryven_llm_nodes.program.flow import live_launch, set_live_launch
from ryven_llm_nodes.program.launch.settings import Launch


def test_settings_are_edited_for_all_stages_or_for_one(open_editor: Callable[..., Any], tmp_path: Path) -> None:
    drawn = flows.alone("sft")
    drawn["flows"]["sft"]["launch"] = {"processes": 2}
    editor = open_editor(drawn)
    editor.shell.actions["launch"].trigger()
    dialog = editor.shell._launch
    assert not editor.shell.document.modified
    assert dialog.rows["processes"].is_changed
    assert not dialog.rows["strategy"].is_changed
    assert "2 processes share each optimizer step (ddp)" in dialog.words.text()
    dialog.rows["strategy"].edited.emit("strategy", "fsdp2")
    dialog.stages.setCurrentText("sft")
    assert not dialog.rows["strategy"].is_changed, "it is set for all stages"
    dialog.rows["processes"].edited.emit("processes", 4)
    launch = read_live_flow(editor.flow, tmp_path).launch
    assert launch.to_data() == {"processes": 2, "strategy": "fsdp2", "stages": {"sft": {"processes": 4}}}
    assert editor.shell.document.modified
    dialog.rows["processes"].reset.emit("processes")
    assert read_live_flow(editor.flow, tmp_path).launch.of("sft").total == 2


def test_what_is_wrong_is_said(open_editor: Callable[..., Any]) -> None:
    editor = open_editor(flows.alone("sft"))
    editor.shell.actions["launch"].trigger()
    dialog = editor.shell._launch
    assert "One process" in dialog.words.text()
    dialog.rows["cpu_offload"].edited.emit("cpu_offload", True)
    assert "cpu_offload: needs the strategy fsdp2, zero2 or zero3" in dialog.words.text()


def test_settings_of_a_stage_follow_its_name(open_editor: Callable[..., Any]) -> None:
    editor = open_editor(flows.alone("sft"))
    launch = Launch({"processes": 2}, {"sft": {"strategy": "ddp"}})
    set_live_launch(editor.flow, launch)
    rename(editor.node("sft"), "tuned")
    assert live_launch(editor.flow) == Launch({"processes": 2}, {"tuned": {"strategy": "ddp"}})
    editor.view._undo_stack.undo()
    assert (editor.node("sft").name, live_launch(editor.flow)) == ("sft", launch), "one step"
