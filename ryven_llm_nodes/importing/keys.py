"""The keys of a configuration: each is taken over, or told with the reason and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ryven_llm_nodes.catalogue import LLMNode
from ryven_llm_nodes.catalogue.parameters import JSON, Parameter
from ryven_llm_nodes.errors import Problem, Weight

UNSET: Final = object()
"""What a key gives that has no value, or none that fits."""
LONGEST_KEY: Final = 80


@dataclass
class Keys:
    """The keys of ``given``, a mapping of a configuration that messages call ``source``.

    ``told`` collects what its user has to know: warnings for what was not taken over, notes for what was taken over
    in another form. ``prefix`` is where the mapping lies in the file.
    """

    given: Mapping[str, Any]
    source: str
    prefix: str = ""
    told: list[Problem] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def below(self, given: Mapping[str, Any], place: str) -> Keys:
        """The keys of a mapping inside this one, at ``place``."""
        return Keys(given, self.source, f"{self.prefix}{place}.", self.told)

    def __contains__(self, key: str) -> bool:
        """Whether ``key`` is there with a value."""
        return self.given.get(key) is not None

    def take(self, key: str, default: JSON = None) -> JSON:
        """The value of ``key``, which counts as taken over; ``default`` where there is none."""
        self._used.add(key)
        value = self.given.get(key)
        return default if value is None else value

    def text(self, key: str, default: str = "") -> str:
        """The value of ``key`` as text; what is no text is told and left out."""
        value = self.take(key, default)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
        self.leave(key, "must be text; correct it in the configuration.")
        return default

    def ignore(self, *keys: str) -> None:
        """These change nothing in a flow."""
        self._used.update(keys)

    def leave(self, key: str, why: str) -> None:
        """Tells why ``key`` is not taken over, and what to do; nothing where it is not there."""
        self._tell(key, why, "warning")

    def leave_all(self, reasons: Mapping[str, str]) -> None:
        """Tells of those keys in ``reasons`` that have a value."""
        for key, why in reasons.items():
            if key in self:
                self.leave(key, why)

    def note(self, key: str, what: str) -> None:
        """Tells in which other form ``key`` is taken over."""
        self._tell(key, what, "note")

    def _tell(self, key: str, message: str, weight: Weight) -> None:
        self._used.add(key)
        place = f"{self.prefix}{key}"[:LONGEST_KEY]
        self.told.append(Problem(message, node=self.source, parameter=place, weight=weight))

    def value(self, key: str, parameter: Parameter) -> Any:
        """The value of ``key`` for ``parameter``; UNSET where it is not there, or where it does not fit: that is told.

        Text is read as the parameter wants it: YAML takes ``1e-5`` for text.
        """
        if key not in self.given:
            return UNSET
        self._used.add(key)
        value = fitting(self.given[key], parameter)
        if value is None and type(None) not in parameter.types:
            return UNSET
        if wrong := parameter.problem(value):
            self.leave(key, f"{wrong} The default is used until you set {parameter.name} in the node.")
            return UNSET
        return value

    def into(self, node: type[LLMNode], table: Mapping[str, str]) -> dict[str, JSON]:
        """The values of ``node``: ``table`` gives the parameter of each key. Keys that were taken already stay out."""
        known = node.all_parameters()
        rows = [(key, known[name]) for key, name in table.items() if name in known and key not in self._used]
        found = {parameter.name: self.value(key, parameter) for key, parameter in rows if key in self.given}
        return {name: value for name, value in found.items() if value is not UNSET}

    @property
    def rest(self) -> Iterator[str]:
        """The keys that were neither taken nor told."""
        return (key for key in list(self.given) if key not in self._used)

    def finish(self, why: Callable[[str], str]) -> None:
        """Tells of every key that is left, with the sentence that ``why`` gives for it."""
        for key in self.rest:
            self.leave(str(key), why(str(key)))


def fitting(value: Any, parameter: Parameter) -> Any:
    """``value`` from YAML in the type that ``parameter`` takes; itself where it cannot be read as one."""
    if isinstance(value, list) and float in parameter.items:
        return [_number(item) if isinstance(item, str) else item for item in value]
    if not isinstance(value, str) or parameter.types == (str,):
        return value
    if float in parameter.types and isinstance(number := _number(value), float):
        return int(number) if int in parameter.types and number.is_integer() else number
    found = parameter.parse(value)
    return value if found is None and str in parameter.types else found


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
