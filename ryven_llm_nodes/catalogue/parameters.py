"""The single declaration of a parameter, from which form, check, code and command line are generated."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ryven_llm_nodes.errors import shown, suggestion

JSON: TypeAlias = Any
"""A value that JSON can hold: None, bool, int, float, str, list, dict."""

UNKNOWN: Final = object()
"""The default of a field whose class computes it; no value equals it, so it is always written out."""

TYPE_NAMES: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a dictionary",
    type(None): "null",
}
LARGEST_INT: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A named value of a node.

    ``types`` are the JSON types that it takes (an int is a number too, a bool is not). ``at_least``, ``above``,
    ``at_most`` and ``below`` bound numbers; ``typical`` is the usual range in words. ``widget`` hints how a form shows
    text: ``line``, ``text`` (several lines), ``code``, ``file`` or ``folder``. ``required`` refuses empty text.
    ``outcome`` is false where nothing that is trained or exported depends on the value. ``choices`` bind the types that
    they are of, in lists too, and ``items`` are the types that a list may hold. ``refused`` says why no value but the
    default can be used. ``gallery`` holds texts to start from, by what they do. ``empty`` says what no value means,
    ``meanings`` what some of the choices mean, in a line for each.
    """

    name: str
    types: tuple[type, ...]
    default: JSON = None
    help: str = ""
    typical: str = ""
    choices: tuple[JSON, ...] = ()
    items: tuple[type, ...] = ()
    refused: str = ""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    required: bool = False
    widget: str = "line"
    outcome: bool = True
    gallery: Mapping[str, str] = field(default_factory=dict)
    label: str = field(default="")
    empty: str = "none"
    meanings: Mapping[str, str] = field(default_factory=dict)

    def problem(self, value: JSON) -> str | None:
        """What is wrong with ``value`` and what would be right, or None."""
        wrong = self._wrong_type(value) or self._wrong_item(value) or self._wrong_choice(value)
        wrong = wrong or self._wrong_number(value) or self._refused(value)
        if wrong is None and self.required and isinstance(value, str) and not value.strip():
            wrong = "is empty; give a value."
        if wrong and self.typical:
            wrong += f" Typical: {self.typical}."
        return wrong

    def _wrong_type(self, value: JSON) -> str | None:
        if _is_json_of(value, self.types):
            return None
        wanted = " or ".join(TYPE_NAMES.get(kind, kind.__name__) for kind in self.types)
        return f"must be {wanted}, got {shown(value)}."

    def _wrong_item(self, value: JSON) -> str | None:
        if not self.items or not isinstance(value, list):
            return None
        wrong = next((item for item in value if not _is_json_of(item, self.items)), None)
        if wrong is None:
            return None
        wanted = " or ".join(TYPE_NAMES[kind] for kind in self.items)
        return f"must be a list in which each item is {wanted}, got {shown(wrong)} in it."

    def _wrong_choice(self, value: JSON) -> str | None:
        """A choice of strings does not restrict a number that the field also takes."""
        bound = {type(choice) for choice in self.choices}
        for item in value if isinstance(value, list) else [value]:
            if type(item) in bound and item not in self.choices:
                near = (
                    suggestion(item, [c for c in self.choices if isinstance(c, str)]) if isinstance(item, str) else ""
                )
                return f"must be one of {', '.join(map(repr, self.choices))}, got {shown(item)}.{near}"
        return None

    def _refused(self, value: JSON) -> str | None:
        return f"{self.refused} Got {shown(value)}." if self.refused and value != self.default else None

    def _wrong_number(self, value: JSON) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        for ok, words in (
            (self.at_least is None or value >= self.at_least, f"at least {self.at_least}"),
            (self.above is None or value > self.above, f"greater than {self.above}"),
            (self.at_most is None or value <= self.at_most, f"at most {self.at_most}"),
            (self.below is None or value < self.below, f"less than {self.below}"),
        ):
            if not ok:
                return f"must be {words}, got {shown(value)}."
        return None

    def parse(self, text: str) -> JSON:
        """``text`` from a command line as a value: JSON if it parses, else the text itself.

        Nothing is evaluated. The result may still be wrong; :meth:`problem` says so.
        """
        if self.types == (str,):
            return text
        if not text and type(None) in self.types:
            return None  # as an empty field of a form
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return {"none": None, "True": True, "False": False, "None": None}.get(text, text)
        return value if _is_json_of(value, self.types) or str not in self.types else text


def _is_json_of(value: JSON, types: tuple[type, ...]) -> bool:
    """Whether ``value`` is a finite JSON value of one of ``types`` that a literal can hold."""
    if isinstance(value, bool):
        return bool in types
    if isinstance(value, int):
        return (int in types or float in types) and abs(value) <= LARGEST_INT
    if isinstance(value, float):
        return float in types and math.isfinite(value)
    if isinstance(value, (list, dict)):
        return type(value) in types and is_plain(value)
    return type(value) in types


def is_plain(value: JSON, depth: int = 20) -> bool:
    """Whether ``value`` consists of finite JSON values only, at most ``depth`` levels deep."""
    if depth == 0:
        return False
    if isinstance(value, list):
        return all(is_plain(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item, depth - 1) for key, item in value.items())
    return _is_json_of(value, (bool, int, float, str, type(None)))


def number(name: str, default: float | None, help: str, **more: Any) -> Parameter:
    """A real number."""
    return Parameter(name=name, types=(float,), default=default, help=help, **more)


def whole(name: str, default: int | None, help: str, **more: Any) -> Parameter:
    """A whole number; ``default`` None makes it optional."""
    types = (int,) if default is not None else (int, type(None))
    return Parameter(name=name, types=types, default=default, help=help, **more)


def flag(name: str, default: bool, help: str) -> Parameter:
    """True or false."""
    return Parameter(name=name, types=(bool,), default=default, help=help)


def text(name: str, default: str, help: str, **more: Any) -> Parameter:
    """A line or block of text."""
    return Parameter(name=name, types=(str,), default=default, help=help, **more)


def choice(name: str, default: str, choices: tuple[str, ...], help: str) -> Parameter:
    """One of a few words."""
    return Parameter(name=name, types=(str,), default=default, choices=choices, help=help)
