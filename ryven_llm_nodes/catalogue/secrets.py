"""Recognises tokens and passwords: they belong in the environment, never in a flow or a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ryven_llm_nodes.catalogue.parameters import JSON

REMEDY: Final = (
    "is or contains a secret, and secrets are not stored in a flow; remove it, and log in with `hf auth login` or set "
    "it in the environment."
)
NAME: Final = re.compile(r"(?:^|[_-])(?:api_?key|access_?key|secret|password|passwd|auth|token)$", re.IGNORECASE)
SPECIAL_TOKEN: Final = re.compile(r"(?:eos|bos|pad|unk|sep|cls|mask|stop|image|audio|video|start|end)_token$")
"""Names of a tokenizer's attributes: their values are not secrets."""
VALUE: Final = re.compile(
    r"""\bhf_[A-Za-z0-9]{30,}            # Hugging Face
    | \bsk-(?:[a-z]+-)*[A-Za-z0-9]{32,}  # OpenAI, Anthropic
    | \bgh[pousr]_[A-Za-z0-9]{36,} | \bgithub_pat_\w{22,}
    | \bAKIA[0-9A-Z]{16}\b
    | \bhttps?://[^/\s:@'"]+:[^/\s:@'"]+@  # a password in an address""",
    re.VERBOSE,
)
MASK: Final = "***"
PASSWORD: Final = re.compile(
    r"""(?<=://)(?P<user>[^/\s:@?]*:)(?P<of_user>[^\s]+)(?=@)                           # up to the last @
    | (?P<name>[?&][\w.-]*(?:password|passwd|secret|token|key)=)(?P<of_query>[^&\s]+)  # in the query of an address""",
    re.VERBOSE | re.IGNORECASE,
)


def passwords_in(text: str) -> list[str]:
    """The passwords in the addresses of ``text``."""
    return [found["of_user"] or found["of_query"] for found in PASSWORD.finditer(text)]


def without_passwords(text: str) -> str:
    """``text`` with *** for the passwords in its addresses."""
    return PASSWORD.sub(lambda found: f"{found['user'] or found['name']}{MASK}", text)


def secret_complaint(name: str, value: JSON) -> str | None:
    """What is wrong with a parameter that holds a secret, judged by name or format; the secret is not repeated."""
    return REMEDY if any(_is_secret(key, text) for key, text in _texts(name, value)) else None


def _is_secret(name: str, text: str) -> bool:
    named = bool(NAME.search(name)) and not SPECIAL_TOKEN.search(name) and bool(text.strip())
    return named or bool(VALUE.search(text))


def _texts(name: str, value: JSON) -> Iterator[tuple[str, str]]:
    """Every string in ``value``, with the name of its key. Iterative: a hostile file may nest deeply."""
    todo = [(name, value)]
    while todo:
        key, item = todo.pop()
        if isinstance(item, str):
            yield key, item
        elif isinstance(item, list):
            todo += [(key, inner) for inner in item]
        elif isinstance(item, dict):
            todo += [(str(inner), found) for inner, found in item.items()]
            yield from (("", inner) for inner in item if isinstance(inner, str))
