"""What is known of a node when it is examined before it runs, and what is found wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Complaint = tuple[str, str]
"""A parameter or port, and what is wrong with it."""


@dataclass(frozen=True)
class Finding:
    """Something that was found wrong, or odd, at ``place``: the name of a parameter or of a port, empty for the node.

    ``message`` goes on after that name: ``must be greater than 0, got -1. Typical: 0.1 to 0.5.``

    An *error* keeps it from running; with a *warning* it runs, but probably does something other than intended.
    """

    place: str
    message: str
    weight: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Pretrained:
    """A model that a node loads: its location as typed, and the parameter that names it.

    ``scores``: it is a sequence classifier with one label, used as a reward model.
    """

    parameter: str
    location: str
    revision: str = ""
    trust_remote_code: bool = False
    scores: bool = False


@dataclass(frozen=True)
class Seen:
    """What has been read for a node by the time it is examined.

    ``rows`` maps its dataset ports to what is loaded, but those whose rows a stage has yet to make; ``model`` is where
    the model that it starts from was loaded in the first place, ``config`` and ``tokenizer`` what lies there (None
    where it cannot be loaded, which is reported at the node that names it). ``other_template`` tells that the chat
    template comes from elsewhere, through this node or one before it. ``settings`` is the configuration of its trainer,
    once that has been made.
    """

    rows: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    config: Any = None
    tokenizer: Any = None
    other_template: bool = False
    settings: Any = None
