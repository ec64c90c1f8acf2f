"""The table of colours: text can be read on what lies below it, in the light and in the dark scheme."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ryven_llm_nodes.host import palette
from ryven_llm_nodes.host.palette import HEADER, PALETTE, SCHEMES, Scheme, colour

PACKAGE = Path(palette.__file__).parents[1]
ENOUGH = 4.5
"""The contrast that WCAG 2.2 asks of text (1.4.3, AA)."""
GROUNDS = ("background", "surface", "field", "stripe", "body", "canvas", "well", "bar")
INKS = ("text", "bright", "muted", "accent", "good", "warn", "violet", "bad", "rose", "teal", "yellow", "output")
PAIRS = [
    *((ink, ground) for ink in INKS for ground in GROUNDS),
    *(("bright", ground) for ground in ("hover", "pressed", "selection", "chosen", "trained", "trained_next", "cut")),
    *((f"run_{number}", ground) for number in range(1, 9) for ground in ("well", "background", "surface")),
    *((f"{weight}_ink", f"{weight}_ground") for weight in ("bad", "warn", "note")),
    *(("text", ground) for ground in ("hover", "window", "chosen")),
    *((ink, "chosen") for ink in ("muted", "accent", "good", "warn", "violet", "bad")),  # states, in a selected row
]
HEADERS = ("accent", "good", "warn", "violet", "trainer", "output", "neutral")


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(rgb: list[float]) -> float:
    """As WCAG defines it."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[float], other: list[float]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read(ink: str, ground: str, scheme: Scheme) -> None:
    assert contrast(channels(colour(ink, scheme)), channels(colour(ground, scheme))) >= ENOUGH


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", HEADERS)
def test_titles_can_be_read_on_the_headers_of_nodes(name: str, scheme: Scheme) -> None:
    below, above = channels(colour("body", scheme)), channels(colour(name, scheme))
    for alpha in HEADER[scheme]:
        mixed = [b + (a - b) * alpha / 255 for a, b in zip(above, below, strict=True)]
        assert contrast(channels(colour("bright", scheme)), mixed) >= ENOUGH


def test_no_colour_stands_elsewhere() -> None:
    """One table; Ryven's own placeholder for the colour of icons is none of ours."""
    files = [file for part in ("gui", "host") for file in (PACKAGE / part).rglob("*.py") if file.name != "palette.py"]
    found = {file.name: re.findall(r"#[0-9a-fA-F]{6}\b", file.read_text(encoding="utf-8")) for file in files}
    assert {name: colours for name, colours in found.items() if colours} == {"window_style.py": ["#0000ff"]}


def test_every_colour_has_two_values() -> None:
    for values in PALETTE.values():
        assert len(values) == len(SCHEMES)
        assert all(re.fullmatch(r"#[0-9a-f]{6}", value) for value in values)


def test_the_scheme_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path))
    monkeypatch.delenv(palette.VARIABLE, raising=False)
    assert (palette.chosen(), palette.scheme()) == ("system", "dark")
    (tmp_path / "preferences.json").write_text(json.dumps({palette.CHOICE: "light"}))
    assert (palette.chosen(), palette.scheme()) == ("light", "light")
    monkeypatch.setenv(palette.VARIABLE, "dark")
    assert palette.scheme() == "dark"
    monkeypatch.delenv(palette.VARIABLE)
    for broken in ("{", "[]", '{"appearance": 3}', '{"appearance": "pink"}'):
        (tmp_path / "preferences.json").write_text(broken)
        assert palette.chosen() == "system"
