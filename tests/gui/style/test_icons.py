"""The icons: files that are there, that are installed, and that take the colour they are asked for in."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QSize
from qtpy.QtGui import QColor, QIcon, QImage
from qtpy.QtSvg import QSvgRenderer

import ryven_llm_nodes
from ryven_llm_nodes.catalogue import ALL_NODES
from ryven_llm_nodes.gui.style.icons import DISABLED, FOLDER, glyph, icon

FILES = sorted(FOLDER.glob("*.svg"))
NAMES = [file.stem for file in FILES]


def colours(image: QImage) -> set[str]:
    """The colours of the points that are not transparent at all."""
    points = (image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height()))
    return {colour.name() for colour in points if colour.alpha() == 255}


@pytest.mark.parametrize("name", NAMES)
def test_each_is_painted_in_the_colour_that_is_asked_for(name: str, qapp: Any) -> None:
    assert QSvgRenderer(str(FOLDER / f"{name}.svg")).isValid()
    for colour in ("#4ea1ff", "#ff5470"):
        found = colours(glyph(name, colour))
        assert colour in found
        assert found == {colour} or name == "bad", "that one has a white mark"


def test_any_size_is_sharp(qapp: Any) -> None:
    for pixels in (16, 64, 256):
        image = glyph("stop", "#ffffff", pixels)
        assert image.size() == QSize(pixels, pixels)
        assert image.pixelColor(0, 0).alpha() == 0
        assert image.pixelColor(pixels // 2, pixels // 2) == QColor("white")


def test_what_is_disabled_is_fainter(qapp: Any) -> None:
    pixels = 64
    made = icon("play", "#5fd38d")
    for mode, colour in ((QIcon.Mode.Normal, "#5fd38d"), (QIcon.Mode.Disabled, DISABLED)):
        assert made.pixmap(QSize(pixels, pixels), mode).toImage().pixelColor(28, 32).name() == colour


def test_every_node_has_one() -> None:
    assert {kind.icon for kind in ALL_NODES} <= set(NAMES)


def test_they_are_installed_with_the_package() -> None:
    package = Path(ryven_llm_nodes.__file__).parent
    settings = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["ryven_llm_nodes"]
    installed = {file for pattern in patterns for file in package.glob(pattern)}
    assert {file.name for file in FILES} == {file.name for file in installed if file.suffix == ".svg"}


def test_a_name_of_none_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such\.svg"):
        glyph("no_such", "#ffffff")
