"""Completions and signatures by jedi: the program that the editor asks, a line of JSON a question.

It is a process of its own, with a single thread. jedi exchanges ``sys.path`` of its process for moments, which a run in
another thread would notice, and is Python all through: in a thread of the editor it was measured to hold the window up
for 0.2 s at p99 and 0.9 s at most.

Nothing of a user's code is executed, and no module is imported that is not part of the interpreter itself. jedi reads
source and stubs; where there is none it would import the compiled module to look into it, but only from the folders
that its environment names, and :class:`Static` names none. Further processes it starts only for other environments.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Final

import jedi
from jedi.api.environment import InterpreterEnvironment

MOST: Final = 200
"""Names that are told; who wants a further one types a letter more."""


class Static(InterpreterEnvironment):
    """This interpreter, without folders to import compiled modules from."""

    def get_sys_path(self) -> list[str]:
        return []


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """The names that may stand at a place of ``code``, and the call that the place is inside of.

    ``line`` counts from 1, ``column`` from 0; modules beside the flow are looked up in ``root``.
    """
    project = jedi.Project(
        question["root"],
        sys_path=[path for path in sys.path if path],
        added_sys_path=[question["root"]],
        smart_sys_path=False,
    )
    script = jedi.Script(question["code"], environment=Static(), project=project)
    place = question["line"], question["column"]
    names = [found.name for found in script.complete(*place)]
    signatures = script.get_signatures(*place)
    return {
        "id": question["id"],
        "names": list(dict.fromkeys(names))[:MOST],
        "signature": signatures[0].to_string() if signatures else "",
    }


def main() -> None:
    """Answers until the editor closes the pipe."""
    warnings.simplefilter("ignore")  # jedi warns of each compiled module that it may not import
    for line in sys.stdin:
        question = json.loads(line)
        try:
            told = answer(question)
        except Exception as error:  # jedi's own; the editor goes on without, and says so where it was started
            print(f"no completions: jedi raised {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            told = {"id": question["id"], "names": [], "signature": ""}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
