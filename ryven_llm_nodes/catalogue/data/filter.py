"""Filter: rows that meet conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ryven_llm_nodes.catalogue.beside import modules_of, shadowed
from ryven_llm_nodes.catalogue.cell import RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.findings import Complaint
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import Parameter, choice, flag, text, whole
from ryven_llm_nodes.catalogue.usercode import CodeError, UserCode, read_code, wrong_pattern
from ryven_llm_nodes.catalogue.values import DatasetValue, ModelValue

TEXT_OF: Final = f"from {RUNTIME}.rows import text_of"


class Filter(LLMNode):
    """Keeps the rows whose text is not empty, is neither too short nor too long, and matches a regular expression.

    The text of a row is that of its ``columns`` together; of a conversation, the contents of its messages. Tokens are
    counted by the tokenizer of the model that is connected, conversations in its chat template. Code may decide too: a
    function of one row that returns whether to keep it.
    """

    title = "Filter"
    position = 3
    stem = "filtered"
    icon = "filter"
    accent = "dataset"
    tags = ["dataset", "filter", "length", "tokens", "regular expression", "empty", "predicate", "select", "rows"]
    holds_code = True
    in_ports = (
        Port("dataset", "dataset"),
        Port("model", "model", optional=True, help="Its tokenizer counts, where lengths are in tokens."),
    )
    out_ports = (Port("dataset", "dataset"),)
    parameters = (
        Parameter(
            name="columns",
            types=(list,),
            items=(str,),
            default=[],
            help="Columns whose text is looked at; empty: all.",
            typical='["prompt", "completion"]',
        ),
        flag("not_empty", True, "Keep only rows in which none of the columns is empty."),
        choice("unit", "characters", ("characters", "tokens"), "What lengths are counted in."),
        whole("min_length", None, "Shortest text to keep; empty: any.", at_least=0),
        whole("max_length", None, "Longest text to keep; empty: any.", at_least=0),
        text("pattern", "", "Regular expression that a text has to contain a match of; empty: none."),
        flag("exclude", False, "Keep the texts without a match of the pattern instead."),
        text("code", "", "Python that defines a function of a row, which returns whether to keep it.", widget="code"),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        rows, name, code = context.inputs["dataset"], context.name, _code(context)
        assert isinstance(rows, DatasetValue)
        statement, before, imports = "", rows.expression, []
        for function, needed in _filters(context, code):
            statement += f"{name} = {function(before)}\n"
            before = name
            imports += needed
        functions = frozenset({code.function.name}) if code else frozenset()
        value = DatasetValue(expression=name, columns=rows.columns, functions=functions)
        return Cell(
            tuple(dict.fromkeys(imports)),
            definition=code.text if code else "",
            statement=statement.strip() or f"{name} = {before}",
            values={"dataset": value},
            modules=tuple(modules_of(code.text, context.root)) if code else (),
            defines=code.names if code else frozenset(),
            borrows=code.imported if code else frozenset(),
        )

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        rows = context.inputs.get("dataset")
        columns = rows.columns if isinstance(rows, DatasetValue) else None
        for name in context["columns"]:
            if columns is not None and name not in columns:
                yield "columns", f"there is no column {name!r}; there are {', '.join(map(repr, columns))}."
        yield from _wrong_lengths(context)
        if context["pattern"] and (wrong := wrong_pattern(context["pattern"])):
            yield "pattern", wrong
        yield from (("code", wrong) for wrong in _wrong_code(context))


Filtering = tuple[Callable[[str], str], tuple[str, ...]]
"""What makes an expression for the rows that are kept of one for all rows, and the imports of that."""


def _filters(context: NodeContext, code: UserCode | None) -> Iterator[Filtering]:
    """The conditions, in the order in which they are cheap."""
    low, high, in_tokens = context["min_length"], context["max_length"], context["unit"] == "tokens"
    if context["not_empty"]:
        yield _where(context, "all(text_of(row, [column]).strip() for column in {columns})")
    if (low is not None or high is not None) and not in_tokens:
        yield _where(context, _between("len(text_of(row, {columns}))", low, high))
    if context["pattern"]:
        match = (
            f"re.search({literal(context['pattern']).replace('{', '{{').replace('}', '}}')}, text_of(row, {{columns}}))"
        )
        function, imports = _where(context, f"not {match}" if context["exclude"] else match)
        yield function, ("import re", *imports)
    if (low is not None or high is not None) and in_tokens:
        yield _by_tokens(context)
    if code:  # by number: the cache of datasets would not see a change in a module that the code imports
        numbers = f"i for i, row in enumerate({{rows}}) if {code.function.name}(row)"
        yield (lambda rows: f"{rows}.select([{numbers.format(rows=rows)}])"), ()


def _where(context: NodeContext, condition: str) -> Filtering:
    def filtered(rows: str) -> str:
        columns = literal(context["columns"]) if context["columns"] else "list(row)"
        return call(f"{rows}.filter", f"lambda row: {condition.format(columns=columns)}")

    return filtered, (TEXT_OF,)


def _between(value: str, low: int | None, high: int | None) -> str:
    return f"{'' if low is None else f'{low} <= '}{value}{'' if high is None else f' <= {high}'}"


def _by_tokens(context: NodeContext) -> Filtering:
    model = context.inputs["model"]
    assert isinstance(model, ModelValue)
    names = {"min_length": context["min_length"], "max_length": context["max_length"]}
    options = {name: literal(value) for name, value in names.items() if value is not None}
    options |= {"revision": literal(model.revision)} if model.revision else {}
    options |= {"trust_remote_code": "True"} if model.trust_remote_code else {}

    def filtered(rows: str) -> str:
        columns = literal(context["columns"]) if context["columns"] else f"{rows}.column_names"
        return call("filter_by_tokens", rows, model.expression, columns, **options)

    return filtered, (f"from {RUNTIME}.rows import filter_by_tokens",)


def _code(context: NodeContext) -> UserCode | None:
    """The user's function, under a name that no other node has."""
    text = str(context["code"])
    return read_code(text).named(f"{context.name}_keep") if text else None


def _wrong_code(context: NodeContext) -> Iterator[str]:
    try:
        code = _code(context)
    except CodeError as error:
        yield str(error)
        return
    if code is None:
        return
    arguments = code.function.args
    required = len([*arguments.posonlyargs, *arguments.args]) - len(arguments.defaults)
    if code.is_async or required > 1 or not [*arguments.posonlyargs, *arguments.args]:
        yield f"{code.function.name}() must be a plain function of one argument, the row."
    yield from shadowed(code.text, context.root)


def _wrong_lengths(context: NodeContext) -> Iterator[Complaint]:
    low, high = context["min_length"], context["max_length"]
    if low is not None and high is not None and low > high:
        yield "max_length", f"must be at least min_length, {low}, got {high}."
    if context["unit"] == "tokens" and "model" not in context.inputs:
        yield "unit", "tokens are counted by the tokenizer of a model; connect one, or count characters."
