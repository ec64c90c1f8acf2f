"""Names of the standard library with the first sentence of their documentation: the demo's source text.

Only modules that are written in portable Python (or in C that is the same everywhere) and whose import does
nothing visible are read, so that the same Python version gives the same items on every platform.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

MODULES = (
    *("argparse", "array", "ast", "base64", "bisect", "calendar", "cmath", "cmd", "codecs"),
    *("collections", "colorsys", "configparser", "contextlib", "copy", "csv", "dataclasses"),
    *("datetime", "decimal", "difflib", "dis", "email.message", "email.utils", "enum", "filecmp"),
    *("fileinput", "fnmatch", "fractions", "ftplib", "functools", "gettext", "glob", "graphlib"),
    *("gzip", "hashlib", "heapq", "hmac", "html", "html.parser", "http.client", "http.cookies"),
    *("imaplib", "inspect", "ipaddress", "itertools", "json", "keyword", "linecache", "logging"),
    *("mailbox", "math", "mimetypes", "numbers", "operator", "optparse", "pathlib", "pickle"),
    *("pickletools", "plistlib", "posixpath", "pprint", "queue", "quopri", "random", "re"),
    *("reprlib", "sched", "secrets", "shelve", "shlex", "shutil", "smtplib", "socketserver"),
    *("statistics", "string", "symtable", "tarfile", "tempfile", "textwrap", "threading", "timeit"),
    *("token", "tokenize", "trace", "traceback", "types", "unittest.case", "unittest.mock"),
    *("urllib.parse", "urllib.request", "uuid", "warnings", "wave", "weakref", "zipfile", "zlib"),
)
SPOKEN_AS = {"posixpath": "os.path", "unittest.case": "unittest"}
REPLACED = ("inspect.getfile",)  # importing torch puts its own in place, without the documentation
WORDS = (5, 18)  # shortest and longest summary that is used
_ODD = re.compile(
    r"[^ -~]|>>>|->|::|\||\\|__|\*|=|\bself\b|XXX|TODO|deprecated|(?i:docstring|see help)"
    r"|Alias for"
)
_END = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)\.(?=\s+[A-Z`'\"]|$)")


@dataclass(frozen=True, order=True)
class Item:
    """One documented thing: its dotted name, its kind (function, method, class) and one sentence on it."""

    name: str
    kind: str
    summary: str

    @property
    def module(self) -> str:
        """The dotted name without the thing itself: where it is found."""
        return self.name.rpartition(".")[0]

    @property
    def topic(self) -> str:
        """The thing's own name, the last part of the dotted one."""
        return self.name.rpartition(".")[2]


def documented_items() -> list[Item]:
    """Every usable item, sorted by name; no summary and no own name (`topic`) occurs twice."""
    found: dict[str, Item] = {}
    topics: set[str] = set()
    for item in sorted(item for module in MODULES for item in _items_of(module) if item.name not in REPLACED):
        if item.summary.lower() not in found and item.topic.lower() not in topics:
            found[item.summary.lower()] = item
            topics.add(item.topic.lower())
    return sorted(found.values())


def summarize(text: str) -> str | None:
    """The first sentence of a documentation string, or None where it does not read as plain text."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if not _is_signature(part)]
    if not paragraphs:
        return None
    flat = " ".join(paragraphs[0].split())
    end = _END.search(flat)
    sentence = flat[: end.start()] if end else flat.rstrip(".")
    return _checked(sentence[:1].upper() + sentence[1:] + ".")


def _items_of(module_name: str) -> Iterator[Item]:
    """The public functions, classes and methods that belong to one module."""
    module = importlib.import_module(module_name)
    spoken = SPOKEN_AS.get(module_name, module_name)
    for name, thing in sorted(vars(module).items()):
        if name.startswith("_") or not _belongs(thing, module):
            continue
        yield from _item(f"{spoken}.{name}", "class" if inspect.isclass(thing) else "function", thing)
        for part, method in sorted(vars(thing).items()) if inspect.isclass(thing) else ():
            if not part.startswith("_") and inspect.isroutine(method):
                yield from _item(f"{spoken}.{name}.{part}", "method", method)


def _belongs(thing: object, module: ModuleType) -> bool:
    """Whether a module's attribute is a class or routine that this module defines."""
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return False
    home = getattr(thing, "__module__", None) or module.__name__
    return home.lstrip("_") == module.__name__


def _item(name: str, kind: str, thing: object) -> Iterator[Item]:
    doc = getattr(thing, "__doc__", None)
    summary = summarize(doc) if isinstance(doc, str) else None
    if summary is not None:
        yield Item(name, kind, summary)


def _is_signature(paragraph: str) -> bool:
    """A first line such as ``join(a, *p) -> str`` is a signature, not a description."""
    return bool(re.match(r"[\w.]+\(.*\)(\s*->.*)?$", paragraph.strip(), flags=re.DOTALL))


def _checked(sentence: str) -> str | None:
    """The sentence if it is short, plain and complete."""
    shortest, longest = WORDS
    plain = not _ODD.search(sentence) and sentence[0].isalpha() and not sentence.startswith("This")
    balanced = sentence.count("(") == sentence.count(")") and not sentence.count('"') % 2
    complete = balanced and not sentence[:-1].rstrip().endswith((":", ",", ".", ";", "-", "e.g"))
    return sentence if plain and complete and shortest <= len(sentence.split()) <= longest else None
