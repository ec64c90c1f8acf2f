"""Names that code of the user's own shares with the rest of a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flows import BASE, REWARD, ROLLOUT, ROWS, draw, node, problems

from ryven_llm_nodes.catalogue import DPO, PPO, SFT, LoRA, RewardFunction

RUNTIME_OF_PPO = ["PPOTrainer", "gae", "masked_mean", "ValueHead", "DEVICE", "save_policy", "is_finished", "start_over"]


def flow(*codes: str) -> dict[str, Any]:
    """SFT, then PPO with LoRA, scored by functions with the given code; the first is wired."""
    nodes = {
        "base": BASE,
        "rows": ROWS["sft"],
        "prompts": ROWS["ppo"],
        "lora": node(LoRA),
        "sft": node(SFT),
        **{f"mine_{i}": node(RewardFunction, code=code) for i, code in enumerate(codes)},
        "ppo": node(PPO, **ROLLOUT),
    }
    return draw("base -> sft, rows -> sft, sft -> ppo, prompts -> ppo, lora -> ppo, mine_0 -> ppo", **nodes)


def complaint(code: str, data: Path) -> str:
    found = problems(flow(f"{code}\n{REWARD}"), data)
    return found[0].removeprefix("Reward Function 'mine_0' > code: ") if found else ""


NAMES = [*RUNTIME_OF_PPO, "SFTTrainer", "LoraConfig", "load_dataset", "main", "ROOT", "Path"]
WAYS = ("class {0}: ...", "def {0}(): ...", "{0} = 1", "def f():\n    global {0}\n    {0} = 1")


@pytest.mark.parametrize(("name", "way"), [(name, WAYS[i % len(WAYS)]) for i, name in enumerate(NAMES)])
def test_what_the_script_defines_or_imports_cannot_be_defined(name: str, way: str, data: Path) -> None:
    """Each name in one way, each way with a quarter of the names: all are found in the parsed code alike."""
    code = way.format(name)
    assert complaint(code, data) == f"defines {name!r}, a name that the script itself uses too; rename it."


@pytest.mark.parametrize("name", ["len", "str", "print", "zip", "ValueError", "super"])
def test_nor_a_builtin_that_the_script_uses(name: str, data: Path) -> None:
    assert complaint(f"{name} = 1", data) == f"defines {name!r}, a name that the script itself uses too; rename it."


@pytest.mark.parametrize("name", ["sft", "sft_config", "rows", "base", "lora", "ppo_config"])
def test_nor_what_is_called_after_a_step(name: str, data: Path) -> None:
    """The values of steps are variables of main() in a script, but globals in a run."""
    assert complaint(f"{name} = 1", data).startswith(f"defines {name!r}, a name that ")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from copy import copy", "copy"),
        ("from shutil import copy2 as copy", "copy"),
        ("import numpy as torch", "torch"),
        ("from torch.nn import functional as nn", "nn"),
        ("from transformers import set_seed", "set_seed"),
        ("from math import prod as len", "len"),
        ("try:\n    import ujson as json\nexcept ImportError:\n    import json", "json"),
    ],
)
def test_an_import_that_gives_a_name_of_the_script_another_meaning(code: str, name: str, data: Path) -> None:
    assert complaint(code, data) == (
        f"imports {name!r}, a name that the script itself uses for something else; "
        f"import it under another name (`as my_{name}`)."
    )


@pytest.mark.parametrize(
    "code",
    [
        "import copy",
        "import torch.nn as nn",
        "from torch import nn",
        "import os, json, torch.nn.functional",
        "from typing import Callable, Any",
        "from pathlib import Path",
        "from math import pow, prod",
        "import numpy as np",
        "def helper(model, trainer, path, text, names):\n    copy = nn = torch = 1\n    return model",
        "class Judge:\n    copy = 1\n    def gae(self):\n        return self.copy",
        "max_len = 3",
        "import logging\nlogger = logging.getLogger(__name__)",
        "import math as m",
    ],
)
def test_no_false_alarm(code: str, data: Path) -> None:
    assert complaint(code, data) == ""


def test_only_what_the_script_of_this_flow_holds_is_taken(data: Path) -> None:
    nodes = {"base": BASE, "rows": ROWS["dpo"], "dpo": node(DPO)}
    code = f"class SFTTrainer: ...\nfrom copy import copy\n{REWARD}"
    assert problems(draw("base -> dpo, rows -> dpo", **nodes, mine=node(RewardFunction, code=code)), data) == []


def test_two_functions_with_a_helper_of_the_same_name(data: Path) -> None:
    first, second = ("import math as m\ndef helper(): ...\n" + REWARD, "import json as m\ndef helper(): ...\n" + REWARD)
    assert problems(flow(first, second), data) == [
        "Reward Function 'mine_1' > code: defines 'helper', a name that Reward Function 'mine_0' uses too; rename it.",
    ]
    used = "import math as m\ndef root(x):\n    return m.sqrt(x)\n" + REWARD
    assert problems(flow(used, "import json as m\n" + REWARD), data) == [
        "Reward Function 'mine_1' > code: imports 'm', a name that Reward Function 'mine_0' uses for something else; "
        "import it under another name (`as my_m`)."
    ]


class TestNamesThatNothingDefines:
    def test_are_named_with_their_line(self, data: Path) -> None:
        code = "def f(completions, **kwargs):\n    if completions:\n        return []\n    return np.ones(3)\n"
        assert problems(flow(code), data) == [
            "Reward Function 'mine_0' > code: line 4: uses 'np', which nothing defines; import or define it."
        ]

    def test_the_values_of_steps_belong_to_main(self, data: Path) -> None:
        """A run has them among its globals, a script has not."""
        wrong = complaint("def shown():\n    return rows", data)
        assert wrong == "line 2: uses 'rows', which nothing defines; import or define it."

    def test_what_the_module_or_python_has_is_defined(self, data: Path) -> None:
        assert complaint("WHERE = __file__\nassert len(__name__) and print and Ellipsis", data) == ""


def test_a_block_for_main_is_refused(data: Path) -> None:
    for code in ('if __name__ == "__main__":\n    print(1)', 'if "__main__" == __name__:\n    print(1)'):
        found = problems(flow(f"{REWARD}\n\n{code}\n"), data)
        assert found == [
            "Reward Function 'mine_0' > code: line 7: tests for '__main__', which is true in the script and "
            "false in a run; remove that block."
        ]
