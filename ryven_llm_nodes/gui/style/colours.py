"""The look of the panels: colours, fonts, and one style sheet that holds under any style of the window."""

from __future__ import annotations

from typing import Final

from qtpy.QtGui import QFont

BACKGROUND: Final = "#12161c"
SURFACE: Final = "#1a2028"
FIELD: Final = "#222932"
BORDER: Final = "#323b47"
TEXT: Final = "#d7dde5"
BRIGHT: Final = "#f2f5f9"
MUTED: Final = "#8d99a8"
FAINT: Final = "#5c6775"
ACCENT: Final = "#4ea1ff"
GOOD: Final = "#5fd38d"
WARN: Final = "#f2b04f"
VIOLET: Final = "#c58cff"
BAD: Final = "#ff5470"

FAMILY_COLOURS: Final = {
    "source": ACCENT,
    "adapter": VIOLET,
    "reward": WARN,
    "trainer": "#f06292",
    "output": "#ff7a90",
}
STATE_COLOURS: Final = {
    "ready": MUTED,
    "stale": WARN,
    "running": ACCENT,
    "done": GOOD,
    "reused": GOOD,
    "failed": BAD,
    "cancelled": WARN,
}
SERIES_COLOURS: Final = (ACCENT, GOOD, WARN, VIOLET, "#ff7a90", "#4fd1c5", "#e6d35a", "#9aa8ff")
MONO: Final = ("Source Code Pro", "JetBrains Mono", "DejaVu Sans Mono", "Menlo", "Consolas", "monospace")


def mono_font(pixels: int = 12) -> QFont:
    """A monospaced font that is there on every system."""
    font = QFont()
    font.setFamilies(list(MONO))
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPixelSize(pixels)
    return font


_MONO_FAMILIES = ", ".join(f'"{name}"' for name in MONO)

# The window's own sheet sets heights, margins, upper case and fonts on every class, so each is said again here.
PANEL_STYLE: Final = f"""
QWidget {{ background-color: transparent; color: {TEXT}; border: none; border-radius: 0; font-size: 12px;
           selection-background-color: #2c5f9e; selection-color: {BRIGHT} }}
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
QLineEdit:hover, QComboBox:hover {{ border-color: #465364 }}
QLineEdit:focus, QComboBox:focus {{ border-color: {ACCENT} }}
QLineEdit[unset="true"] {{ color: {MUTED} }}
QLineEdit[bad="true"], QComboBox[bad="true"], QPlainTextEdit[bad="true"] {{ border: 1px solid {BAD} }}
QLineEdit#search {{ font-family: none; padding-left: 8px }}
QComboBox::drop-down {{ border: none; width: 20px; subcontrol-position: center right }}
QComboBox::down-arrow {{ margin-right: 4px }}
QComboBox QAbstractItemView {{ background-color: {FIELD}; color: {TEXT}; border: 1px solid {BORDER}; outline: none;
    padding: 2px; selection-background-color: #2c5f9e }}
QComboBox QAbstractItemView::item {{ padding: 2px 6px; min-height: 22px; color: {TEXT} }}

QPushButton, QToolButton {{ background-color: {FIELD}; color: {TEXT}; border: 1px solid {BORDER}; border-radius: 4px;
    padding: 0 9px; margin: 0; height: 22px; min-height: 22px; max-height: 22px; font-size: 12px;
    font-weight: normal; text-transform: none }}
QPushButton:hover, QToolButton:hover {{ background-color: #2d3642; border: 1px solid #465364 }}
QPushButton:pressed, QToolButton:pressed {{ background-color: {SURFACE}; color: {TEXT} }}
QPushButton:checked, QToolButton:checked {{ background-color: #1f3a5c; color: {BRIGHT}; border: 1px solid {ACCENT} }}
QPushButton:disabled, QToolButton:disabled {{ color: {FAINT}; background-color: {SURFACE}; border: 1px solid {FIELD} }}
QToolButton::menu-indicator {{ image: none; width: 0 }}
QToolButton[role="flat"] {{ background: transparent; border: none; padding: 0; color: {MUTED}; font-size: 14px;
    height: 18px; min-height: 18px; max-height: 18px; min-width: 18px; max-width: 18px }}
QToolButton[role="flat"]:hover {{ color: {ACCENT} }}

QCheckBox {{ text-transform: none; height: 20px; spacing: 6px; color: {TEXT}; background: transparent }}
QScrollArea, QAbstractScrollArea {{ border: none; background: transparent }}
QScrollBar:vertical {{ background: transparent; width: 9px; margin: 0; border: none }}
QScrollBar:horizontal {{ background: transparent; height: 9px; margin: 0; border: none }}
QScrollBar::handle {{ background: #36414f; border-radius: 4px; min-height: 24px; min-width: 24px }}
QScrollBar::handle:hover {{ background: #4a586a }}
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

QTableView {{ background-color: {BACKGROUND}; alternate-background-color: #161b22; gridline-color: {FIELD};
    border: 1px solid {FIELD}; border-radius: 4px }}
QTableView::item {{ padding: 0 6px; border: none }}
QTableView::item:selected {{ background-color: #1f3a5c; color: {BRIGHT} }}
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
QMenu::item:selected {{ background-color: #1f3a5c; color: {BRIGHT} }}
QMenu::item:disabled {{ color: {FAINT} }}
QMenu::indicator {{ width: 10px; height: 10px; margin-left: 6px; image: none; border: 1px solid {MUTED};
    border-radius: 2px }}
QMenu::indicator:checked {{ background-color: {ACCENT}; border-color: {ACCENT} }}
"""
