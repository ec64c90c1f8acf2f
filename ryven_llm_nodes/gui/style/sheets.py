"""The style sheets: of panels, of dialogs, and the additions to Ryven's own for the window.

Nothing of Ryven is imported here: the last one is needed before Ryven is.
"""

from __future__ import annotations

from typing import Final

from ryven_llm_nodes.gui.style.colours import (
    ACCENT,
    BACKGROUND,
    BAD,
    BAR,
    BORDER,
    BORDER_HOVER,
    BRIGHT,
    CHOSEN,
    FAINT,
    FIELD,
    GRID,
    HANDLE,
    HANDLE_HOVER,
    HOVER,
    MUTED,
    PRESSED,
    SELECTION,
    STRIPE,
    SURFACE,
    TEXT,
    WINDOW,
)
from ryven_llm_nodes.gui.style.fonts import MONO

_MONO_FAMILIES = ", ".join(f'"{name}"' for name in MONO)

# The window's own sheet sets heights, margins, upper case and fonts on every class, so each is set again here.
PANEL_STYLE: Final = f"""
QWidget {{ background-color: transparent; color: {TEXT}; border: none; border-radius: 0; font-size: 12px;
           selection-background-color: {SELECTION}; selection-color: {BRIGHT} }}
QWidget#panel {{ background-color: {BACKGROUND} }}
QToolTip {{ background-color: {FIELD}; color: {TEXT}; border: 1px solid {BORDER}; padding: 4px }}
QLabel {{ background: transparent; color: {TEXT}; padding: 0; margin: 0 }}
QLabel[role="muted"] {{ color: {MUTED}; font-size: 11px }}
QLabel[role="bad"] {{ color: {BAD}; font-size: 11px }}
QLabel[role="title"] {{ font-size: 16px; font-weight: 600 }}
QLabel[role="section"] {{ color: {MUTED}; font-size: 11px; font-weight: 600 }}
QLabel[role="name"] {{ color: {MUTED}; font-size: 12px }}
QLabel[role="name"][changed="true"] {{ color: {BRIGHT}; font-weight: 600 }}

QLineEdit, QComboBox {{ background-color: {FIELD}; color: {BRIGHT}; border: 1px solid {BORDER};
    border-radius: 4px; padding: 0 7px; margin: 0; height: 24px; min-height: 24px; max-height: 24px;
    font-size: 12px; font-weight: normal }}
QLineEdit {{ font-family: {_MONO_FAMILIES} }}
QLineEdit, QPlainTextEdit, QTextEdit {{ placeholder-text-color: {MUTED} }}
QLineEdit:hover, QComboBox:hover {{ border-color: {BORDER_HOVER} }}
QLineEdit:focus, QComboBox:focus {{ border-color: {ACCENT} }}
QSpinBox, QDoubleSpinBox {{ background: {FIELD}; color: {BRIGHT}; border: 1px solid {BORDER}; border-radius: 4px;
    padding: 0 4px; height: 24px; min-height: 24px; max-height: 24px }}
QLineEdit[unset="true"] {{ color: {MUTED} }}
QLineEdit[bad="true"], QComboBox[bad="true"], QPlainTextEdit[bad="true"] {{ border: 1px solid {BAD} }}
QLineEdit#search {{ font-family: none; padding-left: 8px }}
QComboBox::drop-down {{ border: none; width: 20px; subcontrol-position: center right }}
QComboBox::down-arrow {{ margin-right: 4px }}
QComboBox QAbstractItemView {{ background-color: {FIELD}; color: {TEXT}; border: 1px solid {BORDER}; outline: none;
    padding: 2px; selection-background-color: {SELECTION} }}
QComboBox QAbstractItemView::item {{ padding: 2px 6px; min-height: 22px; color: {TEXT} }}

QPushButton, QToolButton {{ background-color: {FIELD}; color: {TEXT}; border: 1px solid {BORDER}; border-radius: 4px;
    padding: 0 9px; margin: 0; height: 22px; min-height: 22px; max-height: 22px; font-size: 12px;
    font-weight: normal; text-transform: none }}
QPushButton:hover, QToolButton:hover {{ background-color: {HOVER}; border: 1px solid {BORDER_HOVER} }}
QPushButton:pressed, QToolButton:pressed {{ background-color: {SURFACE}; color: {TEXT} }}
QPushButton:checked, QToolButton:checked {{ background-color: {CHOSEN}; color: {BRIGHT}; border: 1px solid {ACCENT} }}
QPushButton:disabled, QToolButton:disabled {{ color: {FAINT}; background-color: {SURFACE}; border: 1px solid {FIELD} }}
QToolButton::menu-indicator {{ image: none; width: 0 }}
QToolButton[role="flat"] {{ background: transparent; border: none; padding: 0; color: {MUTED}; font-size: 14px;
    height: 18px; min-height: 18px; max-height: 18px; min-width: 18px; max-width: 18px }}
QToolButton[role="flat"]:hover {{ color: {ACCENT} }}

QCheckBox {{ text-transform: none; height: 20px; spacing: 6px; color: {TEXT}; background: transparent }}
QScrollArea, QAbstractScrollArea {{ border: none; background: transparent }}
QScrollBar:vertical {{ background: transparent; width: 9px; margin: 0; border: none }}
QScrollBar:horizontal {{ background: transparent; height: 9px; margin: 0; border: none }}
QScrollBar::handle {{ background: {HANDLE}; border-radius: 4px; min-height: 24px; min-width: 24px }}
QScrollBar::handle:hover {{ background: {HANDLE_HOVER} }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0 }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent }}

QPlainTextEdit, QTextEdit {{ background-color: {SURFACE}; color: {TEXT}; border: 1px solid {FIELD};
    border-radius: 4px; padding: 0 }}
QPlainTextEdit:focus {{ border-color: {BORDER} }}

QTabWidget::pane {{ border: none; border-top: 1px solid {BORDER}; top: 0 }}
QTabBar {{ text-transform: none; font-weight: normal; background: transparent }}
QTabBar::tab {{ background: transparent; color: {MUTED}; border: none; border-bottom: 2px solid transparent;
    padding: 0 12px; margin: 0; height: 26px; min-width: 40px }}
QTabBar::tab:hover {{ color: {TEXT} }}
QTabBar::tab:selected {{ color: {ACCENT}; border-bottom: 2px solid {ACCENT} }}

QTreeWidget, QListWidget {{ background-color: {BACKGROUND}; color: {TEXT}; border: 1px solid {FIELD};
    border-radius: 4px; outline: none }}
QTreeWidget::item, QListWidget::item {{ color: {TEXT}; padding: 3px 6px; border: none }}
QTreeWidget::item:selected, QListWidget::item:selected {{ background-color: {CHOSEN}; color: {BRIGHT} }}
QTreeWidget::item:disabled, QListWidget::item:disabled {{ color: {FAINT} }}
QTableView {{ background-color: {BACKGROUND}; alternate-background-color: {STRIPE}; gridline-color: {FIELD};
    border: 1px solid {FIELD}; border-radius: 4px }}
QTableView::item {{ padding: 0 6px; border: none }}
QTableView::item:selected {{ background-color: {CHOSEN}; color: {BRIGHT} }}
QHeaderView {{ background: transparent }}
QHeaderView::section {{ background-color: {SURFACE}; color: {MUTED}; border: none; text-transform: none;
    border-right: 1px solid {FIELD}; border-bottom: 1px solid {FIELD}; padding: 0 6px; height: 24px; font-size: 11px }}
QSplitter::handle {{ background: transparent; image: none }}
QSlider:horizontal {{ min-height: 18px; max-height: 18px }}
QSlider::groove:horizontal {{ height: 3px; background: {BORDER}; border-radius: 1px; margin: 0 }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; height: 3px; border-radius: 1px }}
QSlider::handle:horizontal {{ background: {TEXT}; width: 10px; height: 10px; margin: -4px 0; border-radius: 5px;
    image: none }}
QMenu {{ background-color: {FIELD}; border: 1px solid {BORDER}; padding: 4px; margin: 0 }}
QMenu::item {{ padding: 3px 22px; color: {TEXT}; border: none }}
QMenu::item:selected {{ background-color: {CHOSEN}; color: {BRIGHT} }}
QMenu::item:disabled {{ color: {FAINT} }}
QMenu::indicator {{ width: 10px; height: 10px; margin-left: 6px; image: none; border: 1px solid {MUTED};
    border-radius: 2px }}
QMenu::indicator:checked {{ background-color: {ACCENT}; border-color: {ACCENT} }}
"""

DIALOG_STYLE: Final = f"""
QDialog {{ background: {BACKGROUND} }}
QLabel {{ color: {MUTED}; font-size: 12px; background: transparent }}
QPushButton {{ color: {BRIGHT}; background: {FIELD}; border: 1px solid {BORDER}; border-radius: 6px; padding: 5px 14px;
    margin: 0; min-height: 20px; font-size: 12px; font-weight: 600; text-transform: none }}
QPushButton:hover {{ background: {HOVER}; border-color: {ACCENT} }}
"""

WINDOW_STYLE: Final = f"""
QMainWindow, QMainWindow::separator {{ background: {WINDOW} }}
QMainWindow::separator {{ width: 5px; height: 5px }}
QMainWindow::separator:hover {{ background: {HOVER} }}
QMenuBar {{ background: {BAR}; padding: 2px; color: {TEXT} }}
QMenuBar::item {{ color: {TEXT} }}
QMenu, QMenu::item {{ color: {TEXT} }}
QMenu::item:disabled {{ color: {FAINT} }}
QDockWidget, QTabBar::tab {{ color: {MUTED} }}
QTabBar::tab:selected, QTabBar::tab:top:selected, QTabBar::tab:bottom:selected {{ color: {ACCENT};
    border-color: {ACCENT} }}
QToolBar#llm_toolbar {{ background: {BAR}; border: none; border-bottom: 1px solid {GRID}; padding: 6px 8px;
    spacing: 6px }}
QToolBar#llm_toolbar QToolButton {{ color: {BRIGHT}; background: {FIELD}; border: 1px solid {BORDER};
    border-radius: 6px; padding: 3px 12px; margin: 0; height: 24px; font-weight: 600; text-transform: none }}
QToolBar#llm_toolbar QToolButton:hover {{ background: {HOVER}; border-color: {ACCENT} }}
QToolBar#llm_toolbar QToolButton:disabled {{ color: {FAINT}; background: {PRESSED}; border-color: {BORDER} }}
QToolBar#llm_toolbar QToolButton:pressed {{ background: {PRESSED}; border-color: {ACCENT} }}
QToolBar#llm_toolbar::separator:horizontal {{ width: 1px; border: none; background: {BORDER}; margin: 6px 4px }}
QLabel#llm_status {{ color: {MUTED}; background: transparent; padding: 0 10px; font-size: 12px }}
QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; font-size: 11px }}
QDockWidget::title {{ background: {BAR}; padding: 5px 8px; text-align: left; text-transform: none }}
QMessageBox {{ background: {SURFACE}; border: 1px solid {BORDER} }}
QMessageBox QLabel {{ color: {TEXT}; background: transparent; font-size: 12px }}
QMessageBox QPushButton, QFileDialog QPushButton {{ color: {BRIGHT}; background: {FIELD}; border-radius: 6px;
    border: 1px solid {BORDER_HOVER}; padding: 5px 14px; margin: 0; min-height: 20px; font-size: 12px; font-weight: 600;
    text-transform: none }}
QMessageBox QPushButton:hover, QFileDialog QPushButton:hover {{ background: {HOVER}; border-color: {ACCENT} }}
QMessageBox QPushButton:default, QFileDialog QPushButton:default {{ border-color: {ACCENT} }}
QFileDialog QPushButton:disabled {{ color: {FAINT} }}
QFileDialog QHeaderView::section {{ background: {SURFACE}; color: {MUTED}; border: none; padding: 0 6px; height: 24px;
    font-size: 11px; font-weight: normal; text-transform: none }}
QFileDialog QTreeView, QFileDialog QListView {{ background: {BACKGROUND}; color: {TEXT}; font-size: 12px }}
QFileDialog QTreeView::item:selected {{ background: {CHOSEN}; color: {BRIGHT} }}
QFileDialog QLineEdit, QFileDialog QComboBox {{ background: {FIELD}; color: {BRIGHT}; border: 1px solid {BORDER};
    border-radius: 4px; padding: 0 7px; margin: 0; height: 24px; font-size: 12px }}
QToolTip {{ background: {FIELD}; color: {TEXT}; border: 1px solid {BORDER}; padding: 5px; font-size: 12px }}
QLineEdit {{ placeholder-text-color: {MUTED} }}
QListView::item:selected {{ background: {CHOSEN}; color: {BRIGHT} }}
QTabBar {{ text-transform: none; border: none; qproperty-drawBase: 0 }}
QTabWidget::tab-bar {{ border: none }}
QTabBar::tab {{ padding: 5px 12px; height: 18px; text-transform: none }}
QTabWidget::pane {{ border: none }}
QTreeWidget#llm_palette {{ background: {BACKGROUND}; border: none; outline: none; font-size: 12px; color: {TEXT} }}
QTreeWidget#llm_palette::item {{ color: {TEXT}; height: 26px; padding: 0; border: none; border-radius: 5px }}
QTreeWidget#llm_palette::item:hover {{ background: {FIELD} }}
QTreeWidget#llm_palette::item:selected {{ background: {CHOSEN}; color: {BRIGHT} }}
QTreeWidget#llm_palette::branch {{ background: transparent; border-image: none; image: none }}
QLineEdit#llm_search {{ background: {SURFACE}; border: 1px solid {BORDER}; border-radius: 6px; padding: 3px 8px;
    margin: 0; min-height: 20px; height: 22px; font-size: 12px; color: {TEXT} }}
QLineEdit#llm_search:focus {{ border-color: {ACCENT} }}
"""
