"""Completions and signatures by jedi: a process that the editor queries, with one line of JSON per request.

It is a separate process, with a single thread. jedi temporarily replaces ``sys.path`` of its process, which would
affect a run in another thread, and is pure Python: in a thread of the editor it was measured to block the window
for 0.2 s at p99 and 0.9 s at most.

Nothing of a user's code is executed, and no module is imported that is not part of the interpreter itself. jedi reads
source and stubs; without them it would import the compiled module to inspect it, but only from the folders
that its environment names, and :class:`Static` names none. It starts other processes only for other environments.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Final

import jedi
from jedi.api.environment import InterpreterEnvironment

from ryven_llm_nodes.system.userdirs import state_dir

MOST: Final = 200
"""Maximum number of names; typing another letter narrows them."""


class Static(InterpreterEnvironment):
    """This interpreter, without folders to import compiled modules from."""

    def get_sys_path(self) -> list[str]:
        return []


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """The names that fit at a position in ``code``, and the call around that position.

    ``line`` counts from 1, ``column`` from 0; modules next to the flow file are looked up in ``root``.
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
    folder = state_dir() / "jedi"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    jedi.settings.cache_directory = str(folder)  # a cache of pickles: only the user may write there
    warnings.simplefilter("ignore")  # jedi warns of each compiled module that it may not import
    for line in sys.stdin:
        question = json.loads(line)
        try:
            told = answer(question)
        except Exception as error:  # a jedi error; the editor works without completions, and logs it
            print(f"no completions: jedi raised {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            told = {"id": question["id"], "names": [], "signature": ""}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
