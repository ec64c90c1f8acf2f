"""Values of a parameter to begin with, where it is varied."""

from __future__ import annotations

from ryven_llm_nodes.catalogue.parameters import JSON, Parameter

AROUND = 3
"""A number is varied by this factor, down and up."""


def suggested(parameter: Parameter, value: JSON) -> str:
    """Values around ``value`` that ``parameter`` takes, as a sweep is told; empty where none suggest themselves."""
    if isinstance(value, bool):
        return "true,false"
    if parameter.choices:
        return ",".join(str(choice) for choice in parameter.choices[:3])
    if isinstance(value, int) and value > 0:
        around: tuple[float, ...] = (max(value // 2, 1), value, 2 * value)
    elif isinstance(value, float) and value > 0:
        around = tuple(float(f"{number:.2g}") for number in (value / AROUND, value, value * AROUND))
    else:
        return ""
    return ",".join(f"{number:g}" for number in dict.fromkeys(around) if parameter.problem(number) is None)
