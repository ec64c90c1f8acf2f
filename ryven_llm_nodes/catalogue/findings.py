"""What is known of a node when it is examined before it runs, and what is found wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ryven_llm_nodes.catalogue.places import is_local, resolve
from ryven_llm_nodes.errors import Remedy, Weight

Complaint = tuple[str, str]
"""A parameter or port, and what is wrong with it: an error, found without any library."""


@dataclass(frozen=True)
class Finding:
    """Something that was found wrong, or odd, at ``place``: the name of a parameter or of a port, empty for the node.

    ``message`` goes on after that name: ``must be greater than 0, got -1. Typical: 0.1 to 0.5.``

    ``row`` is the first row that it is about, counted from 1; ``remedy`` what would fix it, if a program can do that.
    """

    place: str
    message: str
    weight: Weight = "error"
    row: int | None = None
    remedy: Remedy | None = None


def converting(port: str) -> Remedy:
    """The rows that come in at ``port`` are converted to a format of TRL."""
    return Remedy(port, {}, insert="format")


def mapping(port: str, **params: Any) -> Remedy:
    """The columns of the rows that come in at ``port`` are renamed, kept or built."""
    return Remedy(port, params, insert="columns")


@dataclass(frozen=True)
class Pretrained:
    """A model that a node loads: its location as typed, and the parameter that names it.

    ``scores``: it is a sequence classifier with one label, used as a reward model. ``gguf_file`` is the file of that
    form that it is in, if it is.
    """

    parameter: str
    location: str
    revision: str = ""
    trust_remote_code: bool = False
    scores: bool = False
    gguf_file: str = ""

    def place(self, root: Path) -> str:
        """What ``from_pretrained`` is to load; a relative path lies in ``root``."""
        return str(resolve(self.location, root)) if is_local(self.location, root) else self.location

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of ``from_pretrained`` that say which version it is, and whether its code may run."""
        revision = {"revision": self.revision} if self.revision else {}
        file = {"gguf_file": self.gguf_file} if self.gguf_file else {}
        return {**revision, **file, "trust_remote_code": self.trust_remote_code}


@dataclass(frozen=True)
class Base:
    """A pretrained model that a chain of stages starts from.

    ``location`` is where it is loaded from; ``config``, ``generation`` and ``tokenizer`` are what is there (None where
    it cannot be loaded, which is reported at the node that names it). ``other_template`` tells that the chat template
    comes from elsewhere, through a stage of the chain.
    """

    location: str = ""
    config: Any = None
    tokenizer: Any = None
    generation: Any = None
    other_template: bool = False


@dataclass(frozen=True)
class Seen:
    """What has been read for a node by the time it is examined.

    ``rows`` maps its dataset ports to what is loaded, but those whose rows a stage has yet to make; ``bases`` its
    other model ports to the models that these chains start from. ``model``, ``config``, ``tokenizer``, ``generation``
    and ``other_template`` are those of the model that is trained (see :class:`Base`). ``adapter`` is the configuration
    of an adapter that is connected, and ``settings`` that of its trainer, once it has been made.
    """

    rows: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    config: Any = None
    tokenizer: Any = None
    other_template: bool = False
    settings: Any = None
    generation: Any = None
    bases: Mapping[str, Base] = field(default_factory=dict)
    adapter: Any = None
