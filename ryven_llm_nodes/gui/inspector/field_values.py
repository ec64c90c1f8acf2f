"""Values as text and back: what a form shows for a value, and how typed text is parsed."""

from __future__ import annotations

import json
import re

from ryven_llm_nodes.catalogue.parameters import JSON, UNKNOWN, Parameter, is_plain


def as_text(value: JSON) -> str:
    """``value`` as a form shows it; None is empty, a float has no superfluous zeros (1e-05 is ``1e-5``)."""
    if value is None or value is UNKNOWN:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return re.sub(r"e([+-]?)0*(\d)", lambda m: f"e{m[1].replace('+', '')}{m[2]}", repr(value))
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)


def from_text(parameter: Parameter, text: str) -> JSON:
    """``text`` parsed as a value of ``parameter``; invalid text is kept as typed."""
    if not text.strip() and type(None) in parameter.types:
        return None
    value = parameter.parse(text if str in parameter.types else text.strip())
    return value if is_plain(value) else text


def default_text(parameter: Parameter) -> str:
    """The default in words: ``none``, ``true``, a number, ..., or that the library sets it."""
    if parameter.default is UNKNOWN:
        return "set by the library"
    if parameter.default is None:
        return "none"
    return as_text(parameter.default) or "empty"


def same(first: JSON, second: JSON) -> bool:
    """Whether two values are equal and of the same type (1 is not True, nor 1.0)."""
    return type(first) is type(second) and bool(first == second)


def editor_kind(parameter: Parameter, value: JSON) -> str:
    """``flag``, ``choice``, ``code``, ``file``, ``folder`` or ``line``: what can show and edit ``value``.

    A value that the parameter's own editor cannot show, such as an invalid one from a file, is edited as a line.
    """
    own = _own_kind(parameter)
    if own == "flag" and not isinstance(value, bool):
        return "line"
    if own in ("line", "file", "folder") and isinstance(value, str) and "\n" in value:
        return "code"
    return own


def _own_kind(parameter: Parameter) -> str:
    if parameter.types == (bool,):
        return "flag"
    if len(choices(parameter)) > 1:
        return "choice"
    if parameter.widget == "text":
        return "code"
    return parameter.widget if parameter.widget in ("code", "file", "folder") else "line"


def choices(parameter: Parameter) -> tuple[JSON, ...]:
    """The values that a parameter can have, if these are few and known; else nothing."""
    if set(parameter.types) == {bool, type(None)}:
        return (None, True, False)
    if len(parameter.choices) < 2:
        return ()
    without = type(None) in parameter.types and None not in parameter.choices
    return ((None,) if without else ()) + parameter.choices


def shown_choice(value: JSON) -> str:
    """A choice as a combo box shows it."""
    return "none" if value is None else as_text(value)
