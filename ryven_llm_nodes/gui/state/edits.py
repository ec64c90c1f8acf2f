"""The single way in which the editor changes a node: undoable, and announced to every view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from functools import partial
from typing import Final

from qtpy.QtCore import QObject, Signal

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.gui.state.drawn import names_in
from ryven_llm_nodes.host.undo import one_command, push_undo
from ryven_llm_nodes.program.flow import live_launch, set_live_launch
from ryven_llm_nodes.program.launch.settings import Launch
from ryven_llm_nodes.program.sweeping.declared import describes_sweeps
from ryven_llm_nodes.program.sweeping.renaming import REFERRING, with_names


class _Edits(QObject):
    changed = Signal(object)


_edits: Final = _Edits()
changed_signal: Final = _edits.changed
"""Emitted with the node after its name or a value of it has changed, by an edit, an undo, or a redo.

A bound signal: ``changed_signal.connect(slot)``. Slots of QObjects are disconnected when their object is deleted.
"""
changed: Final = changed_signal


def set_value(node: LLMNode, name: str, value: JSON) -> None:
    """Sets the parameter ``name`` of ``node``, valid or not: the check reports bad values, the user fixes them."""
    if name in node.params and _same(node.params[name], value):
        return
    _edit(node, f"{node.title}: {name} = {shown(value, 40)}", lambda: node.params.__setitem__(name, deepcopy(value)))


def reset_value(node: LLMNode, name: str) -> None:
    """Resets ``name`` to its default."""
    if name in node.params:
        _edit(node, f"{node.title}: reset {name}", lambda: node.params.pop(name, None))


def set_or_reset(node: LLMNode, parameter: Parameter, value: JSON) -> None:
    """Sets ``parameter`` to ``value``; its default is what it is without a value of its own."""
    if _same(parameter.default, value):
        reset_value(node, parameter.name)
    else:
        set_value(node, parameter.name, value)


def rename(node: LLMNode, name: str) -> None:
    """Gives ``node`` the explicit name ``name``; an empty one removes it. What names nodes in the flow follows."""
    name = name.strip()
    if name == node.name:
        return
    text, launch = f"Rename {node.title} to {name!r}", live_launch(node.flow)
    sweeps = [one for one in node.flow.nodes if isinstance(one, LLMNode) and describes_sweeps(type(one))]
    before = names_in(node.flow) if sweeps or launch.stages else {}
    with one_command(node.gui.flow_view(), text) if before else nullcontext():
        _edit(node, text, lambda: setattr(node, "name", name))
        after = names_in(node.flow) if before else {}
        moved = {old: after[one] for one, old in before.items() if one in after}
        for sweep in sweeps:
            _follow(sweep, moved)
        if launch.stages and moved:
            _relaunch(node, launch, launch.renamed(moved))


def _follow(sweep: LLMNode, moved: Mapping[str, str]) -> None:
    """Lets a sweep name nodes as they are called now."""
    for parameter in REFERRING:
        if parameter in sweep.params:
            set_value(sweep, parameter, with_names(str(sweep.params[parameter]), moved))


def _relaunch(node: LLMNode, before: Launch, after: Launch) -> None:
    """Gives the flow of ``node`` other launch settings."""
    undo, redo = (partial(set_live_launch, node.flow, launch) for launch in (before, after))
    push_undo(node.gui.flow_view(), "Launch settings", undo, redo)


def bypass(node: LLMNode, past: bool) -> None:
    """Lets the flow go past ``node``, or through it."""
    if past != node.bypassed:
        _edit(node, f"{'Bypass' if past else 'Use'} {node.title}", lambda: setattr(node, "bypassed", past))


def _same(old: JSON, new: JSON) -> bool:
    return type(old) is type(new) and old == new


def _edit(node: LLMNode, text: str, change: Callable[[], object]) -> None:
    """Makes ``change`` undoable: undoing restores the previous name and values."""
    before = node.name, dict(node.params), node.bypassed

    def redo() -> None:
        change()
        changed_signal.emit(node)

    def undo() -> None:
        node.name, node.params, node.bypassed = before[0], dict(before[1]), before[2]
        changed_signal.emit(node)

    push_undo(node.gui.flow_view(), text, undo, redo)
