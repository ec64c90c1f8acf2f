"""Inspects Python that a user wrote, without running it: what it defines, and which function is the reward."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ryven_llm_nodes.catalogue.scopes import scope_of
from ryven_llm_nodes.errors import LLMNodesError, shown, suggestion

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef


class CodeError(LLMNodesError):
    """The code of a node cannot be used; the message says which line and why."""


@dataclass(frozen=True)
class UserCode:
    """Parsed code: its text, its main function, and every name that it binds at its top level.

    ``names`` are functions, classes and variables, ``imported`` what import statements bind.
    """

    text: str
    function: FunctionDef
    names: frozenset[str]
    imported: frozenset[str] = frozenset()

    @property
    def is_async(self) -> bool:
        return isinstance(self.function, ast.AsyncFunctionDef)

    def named(self, name: str) -> UserCode:
        """The same code with the function called ``name``, where the code mentions the old name nowhere else."""
        old = self.function.name
        tokens = [token for token in _tokens(self.text) if token.type == tokenize.NAME and token.string == old]
        if name == old or name in self.names | self.imported or len(tokens) != 1:
            return self
        lines = self.text.split("\n")
        (row, start), (_, end) = tokens[0].start, tokens[0].end
        lines[row - 1] = lines[row - 1][:start] + name + lines[row - 1][end:]
        return read_code("\n".join(lines), name)


def parsed(text: str) -> tuple[str, ast.Module]:
    """``text`` as it stands in a script, and its parts. Raises CodeError where it cannot stand there."""
    before = blank_lines(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    tree = _parse(text, before)
    if complaint := _out_of_place(text, tree, before):
        raise CodeError(complaint)
    return text, tree


@lru_cache(maxsize=1024)
def read_code(text: str, wanted: str = "") -> UserCode:
    """Parses ``text``; ``wanted`` names the function, else it is the last public one. Raises CodeError."""
    text, tree = parsed(text)
    functions = {node.name: node for node in tree.body if isinstance(node, FunctionDef)}
    public = [name for name in functions if not name.startswith("_")] or list(functions)
    if wanted and wanted not in functions:
        raise CodeError(f"the code defines no function {shown(wanted)}.{suggestion(wanted, list(functions))}")
    if not functions:
        raise CodeError("defines no function; write `def reward(completions, **kwargs):` and return a list of numbers.")
    scope = scope_of(text)
    return UserCode(text, functions[wanted or public[-1]], scope.assigned, scope.borrowed)


def blank_lines(text: str) -> int:
    """How many blank lines precede the code; :func:`read_code` removes them."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return len(text) - len(text.lstrip("\n"))


def _out_of_place(text: str, tree: ast.Module, before: int) -> str | None:
    """Why ``text``, valid by itself, cannot be placed in the middle of a script; ``before`` lines were removed."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    if any(node.module == "__future__" for node in imports):
        return "imports from __future__, which has to be the first line of a script; remove that line."
    if any(alias.name == "*" for node in imports for alias in node.names):
        return "imports *, which may hide names that the script uses; name what you import."
    if re.search(r"^# /// script$", text, re.MULTILINE):
        return "contains a `# /// script` block, of which a script has only one; remove it."
    if line := next((node.lineno for node in ast.walk(tree) if _asks_for_main(node)), 0):
        what = "tests for '__main__', which is true in the script and false in a run; remove that block."
        return f"line {line + before}: {what}"
    return None


def _asks_for_main(node: ast.AST) -> bool:
    """Whether ``node`` is a comparison as in ``if __name__ == "__main__":``."""
    return isinstance(node, ast.Compare) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in (node.left, *node.comparators)
    )


def _parse(text: str, before: int) -> ast.Module:
    try:
        compile(text, "<code>", "exec", dont_inherit=True)  # finds more than parsing does, such as a stray return
        return ast.parse(text)
    except SyntaxError as error:
        line = text.split("\n")[(error.lineno or 1) - 1].strip()
        number = (error.lineno or 1) + before
        raise CodeError(f"syntax error in line {number}: {error.msg}: {shown(line)}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes, unlimited nesting
        raise CodeError(f"cannot be parsed: {str(error) or 'it is nested too deeply'}.") from error


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def signature_complaint(function: FunctionDef) -> str | None:
    """Why TRL could not call ``function`` as a reward: it passes everything by name, and more over time."""
    arguments = function.args
    if arguments.posonlyargs:
        return f"{function.name}() takes positional-only arguments; TRL passes all by name."
    if arguments.kwarg is None:
        return f"{function.name}() must accept **kwargs: TRL passes prompts, completions and every column by name."
    return None


def wrong_pattern(pattern: str) -> str | None:
    """Why ``pattern`` is no regular expression, or None."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is not a regular expression: {error}, in {shown(pattern)}."
    return None
