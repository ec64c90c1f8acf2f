"""Flows embedded in what was made from them: scripts, saved models, records of runs."""

from __future__ import annotations

import base64
import binascii
import json
import textwrap
import zlib
from collections.abc import Mapping
from typing import Any, Final

from ryven_llm_nodes.catalogue.files import CARRIED

CARRIED_FILE: Final = CARRIED
"""The name of the flow file in the folder of a model or of a run."""

ROOT: Final = "paths from"
"""The key of a project that holds the folder its relative paths are looked up in, relative to the file."""

COPY: Final = "copy"
"""The key that marks a project as an embedded copy: the editor does not save over it."""

LARGEST: Final = 16 * 2**20
OPENING: Final = "# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)"
WIDTH: Final = 116


def flow_comment(project: Mapping[str, Any]) -> str:
    """``project`` as a comment that ends a script."""
    packed = zlib.compress(json.dumps(project, separators=(",", ":")).encode(), 9)
    lines = textwrap.wrap(base64.b64encode(packed).decode(), WIDTH)
    return "\n".join([OPENING, *(f"# {line}" for line in lines)])


def flow_in_script(text: str) -> Any:
    """The project that the script ``text`` carries. Raises ValueError where it carries none."""
    _, found, comment = text.rpartition(OPENING)
    if not found:
        raise ValueError("it has none at its end")
    packed = "".join(line.removeprefix("#").strip() for line in comment.splitlines() if line.startswith("#"))
    try:
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(base64.b64decode(packed, validate=True), LARGEST)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"it is broken: {error}") from error
    if not unpacking.eof:
        raise ValueError("it is incomplete, or too large")
    return json.loads(plain.decode("utf-8"), strict=False)
