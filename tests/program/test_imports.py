"""The block of imports at the top of a script."""

from __future__ import annotations

from ryven_llm_nodes.program.imports import Imports


def test_merged_and_sorted() -> None:
    found = Imports(
        [
            "from trl import SFTTrainer",
            "from trl import SFTConfig, SFTTrainer",
            "import torch",
            "import os",
            "from pathlib import Path",
            "from datasets import load_dataset, Dataset",
            "from collections.abc import Callable",
        ]
    )
    assert found.standard == "import os\nfrom collections.abc import Callable\nfrom pathlib import Path"
    assert found.others == (
        "import torch\nfrom datasets import Dataset, load_dataset\nfrom trl import SFTConfig, SFTTrainer"
    )
    assert found.packages == {"trl", "torch", "os", "pathlib", "datasets", "collections"}


def test_other_names_stay() -> None:
    assert Imports(["import torch.nn.functional as F"]).others == "import torch.nn.functional as F"
    assert Imports(["from torch import nn as N"]).others == "from torch import nn as N"


def test_a_long_line_is_broken() -> None:
    names = [f"Name{i:02}" for i in range(20)]
    text = Imports([f"from trl import {', '.join(names)}"]).others
    assert text.startswith("from trl import (\n    Name00,\n")
    assert text.endswith("    Name19,\n)")


def test_those_of_the_runtime_are_kept_apart() -> None:
    found = Imports(["from ryven_llm_nodes.runtime.ppo import PPOConfig, PPOTrainer"])
    assert found.runtime == {("ppo", "PPOConfig"), ("ppo", "PPOTrainer")}
    assert found.others == ""
