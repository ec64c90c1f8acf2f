"""The help window: the page of a node, the list of all nodes, and the sheet of shortcuts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QDialog, QLineEdit, QTextBrowser, QVBoxLayout

from ryven_llm_nodes.catalogue import GROUPS, LLMNode
from ryven_llm_nodes.catalogue.pages import file_of, page_of
from ryven_llm_nodes.gui.style.colours import ACCENT, TEXT
from ryven_llm_nodes.gui.style.sheets import PANEL_STYLE
from ryven_llm_nodes.gui.widgets.first_size import open_with
from ryven_llm_nodes.program.examples import example_of

SIZE: Final = (820, 720)
SCHEME: Final = "node"
PAGE_STYLE: Final = f"QTextBrowser {{ color: {TEXT}; padding: 12px; border: none }}"

CANVAS_KEYS: Final = (
    ("Double click, right click, Tab", "Search a node, and place it there"),
    ("Wheel", "Zoom about the pointer"),
    ("Right or middle button, Space + drag", "Pan"),
    ("Ctrl+A", "Select all"),
    ("Ctrl+C, Ctrl+X, Ctrl+V", "Copy, cut and paste; also between windows, and as text"),
    ("Ctrl+Z, Ctrl+Y or Ctrl+Shift+Z", "Undo, redo"),
    ("Delete", "Remove nodes and wires that are selected"),
    ("Shift + arrows", "Move what is selected"),
)
"""What the canvas does by itself."""
WHERE: Final = "The keys of the menu Canvas are for the canvas alone, all others for every window of the editor."


class HelpWindow(QDialog):
    """A page of help, with links to those of other nodes."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent, windowTitle="Help")
        self.setObjectName("panel")
        self.setStyleSheet(PANEL_STYLE + PAGE_STYLE)
        self.search = QLineEdit(placeholderText="Search nodes: grpo, preference, lora ...", clearButtonEnabled=True)
        self.search.setObjectName("search")
        self.browser = QTextBrowser()
        self.browser.setOpenLinks(False)
        self.browser.document().setDefaultStyleSheet(f"a {{ color: {ACCENT} }}")
        self.browser.anchorClicked.connect(self._follow)
        self.search.textChanged.connect(self.show_index)
        column = QVBoxLayout(self)
        column.addWidget(self.search)
        column.addWidget(self.browser)
        open_with(self, *SIZE)

    def show_node(self, node: type[LLMNode]) -> None:
        """Shows the page of ``node``."""
        self._show(page_of(node, example_of(node)) + "\n[All nodes](node:)\n")

    def show_index(self, wanted: str = "") -> None:
        """Shows the list of nodes, those that ``wanted`` is found in."""
        lines = ["# Nodes"]
        for title, nodes in GROUPS.items():
            found = [node for node in nodes if _has(node, wanted)]
            if found:
                lines += [
                    f"## {title}",
                    *(f"* [{node.title}](node:{file_of(node)}): {node.summary()}" for node in found),
                ]
        self._show("\n\n".join(lines[:1]) + "\n\n" + "\n".join(lines[1:]))

    def show_shortcuts(self, actions: Iterable[tuple[str, str, str]]) -> None:
        """Shows the sheet of shortcuts: the canvas, then ``actions`` with menu, key and text."""
        rows = [f"| {key} | {text} |" for key, text in CANVAS_KEYS]
        own = [f"| {key} | {text} | {menu} |" for menu, key, text in actions]
        self._show(
            "\n".join(
                (
                    "# Shortcuts",
                    "\n## Canvas\n",
                    "| keys | what they do |",
                    "| --- | --- |",
                    *rows,
                    f"\n## Commands\n\n{WHERE}\n",
                    "| key | what it does | menu |",
                    "| --- | --- | --- |",
                    *own,
                )
            )
        )

    def _show(self, page: str) -> None:
        self.browser.setMarkdown(page)
        self.show()
        self.raise_()

    def _follow(self, url: QUrl) -> None:
        if url.scheme() != SCHEME:
            QDesktopServices.openUrl(url)
            return
        nodes = (node for group in GROUPS.values() for node in group)
        found = next((node for node in nodes if file_of(node) == url.path()), None)
        if found is not None:
            self.show_node(found)
        else:
            self.show_index()


def _has(node: type[LLMNode], wanted: str) -> bool:
    text = " ".join((node.title, node.summary(), *node.tags)).lower()
    return all(word in text for word in wanted.lower().split())
