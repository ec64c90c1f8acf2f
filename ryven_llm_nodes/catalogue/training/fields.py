"""Reads the fields of a configuration class from its source, without importing it.

Importing ``trl.SFTConfig`` loads torch and takes seconds. A form, a check and an exported script only need each
field's name, type, default and help, and those are literals in the source. A test compares the result with
``dataclasses.fields`` of the imported class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ryven_llm_nodes.catalogue.parameters import JSON, UNKNOWN, Parameter
from ryven_llm_nodes.catalogue.training.choices import source as read
from ryven_llm_nodes.catalogue.training.limits import EVERY, Limits
from ryven_llm_nodes.errors import LLMNodesError

TYPES: Final = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict, "None": type(None)}
EVERY_TYPE: Final = tuple(TYPES.values())
BASE: Final = ("trl/trainer/base_config.py:_BaseConfig", "transformers/training_args.py:TrainingArguments")
RULES: Final = ("at_least", "above", "at_most", "below", "typical")
"""The entries of a field's annotation that a parameter has by the same name."""


@dataclass(frozen=True, eq=False)
class ConfigClass:
    """A configuration class of a trainer: its name, and the classes whose sources hold its fields, its own first.

    ``limits`` holds constraints on some of its fields that the annotation does not express.
    """

    name: str
    sources: tuple[str, ...]
    limits: Limits = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @cached_property
    def fields(self) -> dict[str, Parameter]:
        """The fields by name, those of the class itself first.

        Raises LLMNodesError where the library that holds the class is not installed or has moved it.
        """
        found: dict[str, Parameter] = {}
        for source in (*self.sources, *BASE):
            for parameter in _class_fields(source):
                found.setdefault(parameter.name, parameter)
        return {name: self._limited(parameter) for name, parameter in found.items()}

    @cached_property
    def missing(self) -> str:
        """Why the class cannot be used, where the installed library does not have it; empty where it has."""
        return "" if _is_there(self.sources[0]) else f"{_without(self.sources[0])}; install trl>=1.16,<1.17."

    @property
    def trainer_source(self) -> str:
        """The file of the trainer that it configures."""
        return self.sources[0].partition(":")[0].replace("_config.py", "_trainer.py")

    def own(self, *names: str) -> tuple[Parameter, ...]:
        """The fields called ``names`` that the class declares itself, whether or not its bases are installed."""
        fields = {parameter.name: parameter for parameter in _class_fields(self.sources[0])}
        return tuple(self._limited(fields[name]) for name in names)

    def _limited(self, parameter: Parameter) -> Parameter:
        found = self.limits.get(parameter.name) or EVERY.get(parameter.name, {})
        return replace(parameter, **(found() if callable(found) else found))


def _is_there(source: str) -> bool:
    """Whether the class is in its file, which is not taken apart for that: the palette asks for all of them."""
    path, name = source.split(":")
    try:
        return re.search(rf"(?m)^class {name}\b", read(path)) is not None
    except (OSError, ValueError):
        return False


def _without(source: str) -> str:
    """What is not there of a class in a library."""
    package, name = source.partition("/")[0], source.partition(":")[2]
    try:
        return f"needs {name}, which {package} {version(package)}, the installed version, does not have"
    except PackageNotFoundError:
        return f"needs {name} of {package}, which is not installed"


@lru_cache
def _class_fields(source: str) -> tuple[Parameter, ...]:
    path, name = source.split(":")
    try:
        tree = ast.parse(read(path))
        (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    except (OSError, ValueError, SyntaxError) as error:
        raise LLMNodesError(f"cannot read the fields of {name} from {path}: {error}; install trl>=1.16") from error
    return tuple(_parameters(found))


def _parameters(found: ast.ClassDef) -> Iterator[Parameter]:
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_init_field(node):
            annotation, limits = _annotated(node.annotation)
            types, choices = _types(annotation)
            rules = {"choices": choices, **_described(node.value), **limits}
            yield Parameter(name=node.target.id, types=types, default=_default(node.value), **rules)


def _is_init_field(node: ast.AnnAssign) -> bool:
    if "ClassVar" in ast.unparse(node.annotation):
        return False
    keywords = node.value.keywords if isinstance(node.value, ast.Call) else []
    return not any(k.arg == "init" and isinstance(k.value, ast.Constant) and not k.value.value for k in keywords)


def _default(value: ast.expr | None) -> JSON:
    if not isinstance(value, ast.Call):
        return _literal(value)
    return _literal(next((keyword.value for keyword in value.keywords if keyword.arg == "default"), None))


def _annotated(annotation: ast.expr) -> tuple[ast.expr, dict[str, JSON]]:
    """An annotation, and the rules for the value that ``Annotated`` adds to it in our own configurations."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        inner, rules = annotation.slice.elts
        return inner, {name: value for name, value in ast.literal_eval(rules).items() if name in RULES}
    return annotation, {}


def _described(value: ast.expr | None) -> dict[str, JSON]:
    """The help of a field and, of our own configurations, the choices, from the field's metadata."""
    keywords = value.keywords if isinstance(value, ast.Call) else []
    metadata = next((keyword.value for keyword in keywords if keyword.arg == "metadata"), None)
    # Not necessarily a literal: next to the help there may be a computed entry.
    entries = zip(metadata.keys, metadata.values, strict=True) if isinstance(metadata, ast.Dict) else ()
    rules = {str(_literal(key)): _literal(text) for key, text in entries}
    help_text = rules.get("help")
    found: dict[str, JSON] = {"help": help_text.replace("%%", "%") if isinstance(help_text, str) else ""}
    return found | ({"choices": tuple(choices)} if isinstance(choices := rules.get("choices"), list) else {})


def _literal(value: ast.expr | None) -> JSON:
    try:
        return UNKNOWN if value is None else ast.literal_eval(value)
    except ValueError:
        return UNKNOWN


def _types(annotation: ast.expr) -> tuple[tuple[type, ...], tuple[JSON, ...]]:
    """The JSON types and, of a ``Literal``, the choices that an annotation accepts.

    An enumeration that may also be ``str`` is given by its value; an annotation without any JSON type accepts all.
    """
    types: list[type] = []
    choices: list[JSON] = []
    for member in _members(annotation):
        if isinstance(member, ast.Subscript) and ast.unparse(member.value).endswith("Literal"):
            choices += [c.value for c in ast.walk(member.slice) if isinstance(c, ast.Constant)]
            types += [type(c) for c in choices]
        else:
            name = ast.unparse(member.value if isinstance(member, ast.Subscript) else member).lower()
            types += [TYPES["None" if name == "none" else name]] if name in (*TYPES, "none") else []
    return tuple(dict.fromkeys(types)) or EVERY_TYPE, tuple(choices)


def _members(annotation: ast.expr) -> Iterator[ast.expr]:
    if isinstance(annotation, ast.BinOp):
        yield from _members(annotation.left)
        yield from _members(annotation.right)
    elif isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        yield from _members(ast.parse(annotation.value, mode="eval").body)
    elif isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).split(".")[-1] in (
        "Optional",
        "Union",
    ):
        inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        for member in inner:
            yield from _members(member)
        if ast.unparse(annotation.value).endswith("Optional"):
            yield ast.Constant(value=None)
    else:
        yield annotation
