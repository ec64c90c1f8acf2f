"""Gives every step a name that is unique, a Python identifier, and clashes with nothing in a script."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from ryven_llm_nodes.program.runtime_source import runtime_names

TAKEN = frozenset({"store"})
"""Folders in an output folder that belong to no stage; all others have a name that no step can have."""
DEFINED = frozenset({"main", "output_dir", "pipeline", "resume", "parser", "ROOT"})
FIXED = DEFINED | {"argparse", "Path", "torch", "os", "partial", "set_seed", "sys"}
ARGUMENTS = frozenset({"model", "train_dataset", "eval_dataset", "reward_funcs", "reference", "peft_config", "trainer"})


@lru_cache
def reserved() -> frozenset[str]:
    """The names that a script uses for itself."""
    imported = {"load_dataset", "LoraConfig", "AutoModelForCausalLM", "Dataset", "Callable", "load_from_disk", "escape"}
    imported |= {"concatenate_datasets", "interleave_datasets", "source_of", "replaced_by", "usual_names", "conversion"}
    names = FIXED | ARGUMENTS | TAKEN | imported | runtime_names()
    return frozenset(dir(builtins)) | frozenset(keyword.kwlist) | names


def identifier(text: str, stem: str) -> str:
    """``text`` as a lower-case identifier; ``stem`` if nothing remains of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain.lower()).strip("_")[:40]
    return f"{stem}_{name}" if name[:1].isdigit() else name or stem


class Names:
    """Hands out names, each once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken) | reserved()
        self._next: dict[str, int] = {}

    def claim(self, name: str) -> str:
        """``name``, or ``name_2``, ``name_3``... where it is taken."""
        free, count = name, self._next.get(name, 2)
        while self._taken.intersection(names_of(free)):
            free, count = f"{name}_{count}", count + 1
        self._next[name] = count
        self._taken.update(names_of(free))
        return free


def names_of(step: str) -> tuple[str, str]:
    """The names that a script derives from a step: its value, and the function that configures a stage."""
    return step, f"{step}_config"
