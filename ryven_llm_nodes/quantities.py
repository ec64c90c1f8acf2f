"""Durations, sizes and numbers as people read them: the same on the command line and in the editor."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A time span: ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """``count`` bytes: ``512 bytes``, ``12 kB``, ``3.5 MB``, ``350 MB``, ``13.5 GB``; a kB is 1000 bytes."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:.1f} {unit}" if count < 100 * one else f"{count / one:,.0f} {unit}"
    return f"{count / 1e3:.0f} kB" if count >= 1e3 else f"{count:.0f} bytes"


def number(value: float) -> str:
    """A value with four digits: ``0.5045``, ``1.2e-5``, ``12340``."""
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.5g}"
