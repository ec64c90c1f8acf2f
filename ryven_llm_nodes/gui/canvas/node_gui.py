"""How the nodes of this package look and behave on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtGui import QFont, QFontMetricsF, QImage
from qtpy.QtWidgets import QInputDialog, QWidget
from ryven.gui_env import NodeGUI, NodeInspectorWidget, node_gui

from ryven_llm_nodes.catalogue import ALL_NODES, LLMNode
from ryven_llm_nodes.errors import Remedy, shown
from ryven_llm_nodes.gui.canvas.marks import Mark
from ryven_llm_nodes.gui.canvas.node_buttons import ExportWidget, SweepWidget
from ryven_llm_nodes.gui.canvas.trainer_widget import TrainerWidget
from ryven_llm_nodes.gui.state.edits import changed_signal, rename, set_value
from ryven_llm_nodes.gui.state.flow_state import AFTER, OPEN_FOLDER, flow_state
from ryven_llm_nodes.gui.style.colours import BRIGHT
from ryven_llm_nodes.gui.style.families import colour_of, title_of
from ryven_llm_nodes.gui.style.icons import glyph
from ryven_llm_nodes.gui.style.theme import LABEL_FONT, TITLE_FONT
from ryven_llm_nodes.host.canvas import insert_node
from ryven_llm_nodes.program.sweeping.declared import describes_sweeps
from ryven_llm_nodes.run.states import RunState

ICON_HEIGHT: Final = 20
FADED: Final = 0.4
"""How much is seen of a node that is bypassed."""


class NoInspector(NodeInspectorWidget, QWidget):
    """What Ryven puts into its own inspector view, which is hidden: see ``gui/inspector/stack.py``."""

    def __init__(self, params: Any) -> None:
        QWidget.__init__(self)
        NodeInspectorWidget.__init__(self, params)


@node_gui(LLMNode)
class LLMNodeGUI(NodeGUI):
    """Colour, icon, title, menu and problem mark of every node of this package."""

    inspector_widget_class = NoInspector

    def __init__(self, params: Any) -> None:
        node = type(params[0])
        self.color = colour_of(node)
        self.description_html = f"<b>{node.title}</b><p>{node.summary()}</p>"
        super().__init__(params)
        self.mark: Mark | None = None
        self.state = flow_state(self.node.flow)

    def initialized(self) -> None:
        """Called by Ryven once the item with its ports is there."""
        self.mark = Mark(self.item)
        self.item.widget.title_label.fm = _TitleMetrics(_title_font())
        self._fit_labels()
        self.item.setOpacity(FADED if self.node.bypassed else 1.0)
        self.state.changed.connect(self._refresh_mark)
        changed_signal.connect(self._edited)
        self._refresh_mark()

    def _fit_labels(self) -> None:
        """Port labels are measured in another font than the theme's (flows/nodes/PortItem.py:343), and so misplaced."""
        metrics = QFontMetricsF(QFont(*LABEL_FONT))
        for port in (*self.item.inputs, *self.item.outputs):
            port.label.width = metrics.horizontalAdvance(port.port.label_str) + 4

    # Title: the node's own, never a copy that Ryven stores

    @property
    def display_title(self) -> str:
        return title_of(self.node)

    @display_title.setter
    def display_title(self, title: str | None) -> None:
        pass

    @property
    def icon(self) -> QImage:
        return glyph(self.node.icon, BRIGHT)

    def _edited(self, node: LLMNode) -> None:
        if node is self.node and isalive(self.item):
            self.item.setOpacity(FADED if self.node.bypassed else 1.0)
        if node is self.node and isalive(self.item) and self.item.widget.title_label.title_str != self.display_title:
            QTimer.singleShot(0, self, self.update_shape)

    @property
    def _is_drawn(self) -> bool:
        """Whether the node is on a canvas: one that was removed is kept for undo, beyond the end of its window."""
        return isalive(self.item) and self.item.scene() is not None

    # Problems

    def _refresh_mark(self) -> None:
        findings = self.state.findings.get(self.node, ())
        if self.mark is not None and findings != self.mark.findings and self._is_drawn:
            self.mark.show_findings(findings)
            self.actions = self._init_default_actions()

    def shaped(self) -> None:
        """Called after the item was collapsed, expanded, or laid out again."""
        if self.mark is not None:
            self.mark.follow()

    def _remedies(self) -> dict[str, Any]:
        """What would fix findings at this node: entries of its menu."""
        found = self.state.findings.get(self.node, ())
        remedies = (one.remedy for one in found if one.remedy and one.remedy.step == one.step)
        return {title: {"method": does} for fix in remedies for title, does in self._remedy(fix)}

    def _remedy(self, fix: Remedy) -> Iterator[tuple[str, Callable[[], object]]]:
        """The title of an entry, and what it does."""
        if not fix.insert:
            yield f"Set {fix.parameter} to {shown(fix.value)}", partial(set_value, self.node, fix.parameter, fix.value)
        for kind in ALL_NODES if fix.insert else ():
            if kind.inserted_for == fix.insert:
                yield f"Insert {kind.title}", partial(self.insert, kind, fix.parameter, fix.value)

    def insert(self, kind: type[LLMNode], port: str, params: Mapping[str, Any]) -> None:
        """Inserts a node on the wire into ``port``."""

        def fill(made: LLMNode) -> None:
            for name, value in params.items():
                set_value(made, name, value)

        place = next(i for i, one in enumerate(self.node.in_ports) if one.name == port)
        insert_node(self.flow_view(), kind, self.node, place, fill)

    # Menu

    def _init_default_actions(self) -> dict[str, Any]:
        """Replaces Ryven's menu: 'hide unconnected ports' raises, and titles follow names."""
        return {
            **(self._remedies() if hasattr(self, "state") else {}),
            "Run to here": {"method": self.run_to_here},
            "Rename...": {"method": self.ask_name},
            "Delete": {"method": self.delete},
        }

    def data(self) -> dict[str, Any]:
        """Titles and actions are not stored: both follow from the node."""
        return {"inspector widget": {}}

    def load(self, data: Any) -> None:
        """Titles and actions in a file are ignored."""

    def run_to_here(self) -> None:
        """Runs the flow up to this node."""
        self.state.run_wanted.emit(self.node.flow, self.node)

    def ask_name(self) -> None:
        """Asks for a name; variable, function and folder of the step are named after it."""
        prompt = f"Name of this {self.node.title} (empty: numbered by kind)"
        name, ok = QInputDialog.getText(self.flow_view(), "Rename", prompt, text=self.node.name)
        if ok:
            rename(self.node, name)

    def delete(self) -> None:
        """Deletes this node, and no other that is selected."""
        self.flow_view().select_items([self.item])
        self.flow_view().remove_selected_components__cmd()


def _title_font() -> QFont:
    font = QFont(*TITLE_FONT)
    font.setWeight(QFont.Weight.DemiBold)
    return font


class _TitleMetrics(QFontMetricsF):
    """The height makes room for the icon, so that title and icon are aligned."""

    def height(self) -> float:
        return ICON_HEIGHT / 0.7  # flows/nodes/NodeItem_TitleLabel.py:41 of ryvencore_qt 0.5.0 takes 0.7 of it


class StageGUI(LLMNodeGUI):
    """A stage shows its progress."""

    main_widget_class = TrainerWidget
    main_widget_pos = "below ports"

    def initialized(self) -> None:
        super().initialized()
        self.state.model.stage_changed.connect(self._ended)

    def _afterwards(self) -> dict[str, Any]:
        """What can be done with what the last run has left."""
        stage = self.state.stage(self.node)
        if stage is None or stage.state not in (RunState.DONE, RunState.REUSED) or not stage.folder:
            return {}
        has_model = any(port.kind == "model" for port in self.node.out_ports)
        return {name: {"method": partial(self._want, name)} for name in (AFTER if has_model else (OPEN_FOLDER,))}

    def _want(self, what: str) -> None:
        self.state.result_wanted.emit(self.state, self.node, what)

    def _init_default_actions(self) -> dict[str, Any]:
        usual = super()._init_default_actions()
        return {**(self._afterwards() if hasattr(self, "state") else {}), **usual}

    def _ended(self, step: str) -> None:
        """Offers what can be done with what a stage has left, once it does not run any more."""
        if step != self.state.step_of(self.node) or not isalive(self.item):
            return
        stage = self.state.stage(self.node)
        if stage is None or not stage.is_running:
            self.actions = self._init_default_actions()


class DocumentGUI(LLMNodeGUI):
    """A node that writes a file from the flow alone also has the button of the toolbar."""

    main_widget_class = ExportWidget
    main_widget_pos = "below ports"


class SweepGUI(LLMNodeGUI):
    """A node that describes a sweep opens its window."""

    main_widget_class = SweepWidget
    main_widget_pos = "below ports"


for _node in ALL_NODES:
    if _node.is_stage:
        node_gui(_node)(StageGUI)
    elif describes_sweeps(_node):
        node_gui(_node)(SweepGUI)
    elif _node.leaves == "file":
        node_gui(_node)(DocumentGUI)
