"""The text of a training stage: its configuration, the function that trains and saves, and the call of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ryven_llm_nodes.catalogue.cell import (
    AdapterValue,
    Cell,
    DatasetValue,
    ModelValue,
    RewardValue,
    call,
    indent,
    layout,
    literal,
)
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.catalogue.parameters import JSON
from ryven_llm_nodes.catalogue.places import is_local, path_expression

if TYPE_CHECKING:
    from ryven_llm_nodes.catalogue.train import Trainer

DEVICE_FIELDS: Final = ("use_cpu", "bf16", "fp16", "dataloader_pin_memory")
FILE_FIELDS: Final = ("chat_template_path", "deepspeed", "accelerator_config", "fsdp_config")
"""Fields that may name a file or folder of the user's, which lies beside the flow."""
EXTRA_STEPS: Final = "extra_steps"
"""The parameter of a trainer that is no field of its configuration: see runtime/longer.py."""
HUB_FIELDS: Final = ("chat_template_path",)
"""Those of them that may also name a model of the Hub."""
RUNTIME: Final = "ryven_llm_nodes.runtime"
STAGE_IMPORTS: Final = (
    "from pathlib import Path",
    "from accelerate.utils import set_seed",
    "from datasets import Dataset",
    "from ryven_llm_nodes.runtime.stages import DEVICE, release_memory, save_policy",
    "from ryven_llm_nodes.runtime.checkpoints import is_finished",
)
CHECKPOINTS: Final = 'output_dir / "checkpoints"'
UNFINISHED: Final = f'{CHECKPOINTS} / "unfinished"'
CONTINUED: Final = f"resume_from_checkpoint=newest_checkpoint({CHECKPOINTS})"


@dataclass(frozen=True)
class Argument:
    """An argument of the stage's function: its name, its annotation, and what ``main`` passes."""

    name: str
    annotation: str
    passed: str


@dataclass(frozen=True)
class Stage:
    """Writes the cell of one trainer from its class, its context, and the settings that are not the defaults."""

    node: type[Trainer]
    context: NodeContext
    settings: Mapping[str, JSON]

    def cell(self) -> Cell:
        name = self.context.name
        arguments = list(self._arguments())
        passed = {argument.name: argument.passed for argument in arguments}
        return Cell(
            imports=(*STAGE_IMPORTS, *self.node.imports, *self._further_imports()),
            definition=f"{self._config_function()}\n\n\n{self._function(arguments)}",
            statement=f"{name} = {call(f'train_{name}', **passed)}",
            values={"model": self._trained()},
            config=self._config_name,
        )

    # What is wired

    @property
    def _model(self) -> ModelValue:
        value = self.context.inputs["model"]
        assert isinstance(value, ModelValue)
        return value

    @property
    def _reference(self) -> ModelValue | None:
        value = self.context.inputs.get("reference")
        return value if isinstance(value, ModelValue) else None

    @property
    def _reward(self) -> RewardValue | None:
        value = self.context.inputs.get("reward")
        return value if isinstance(value, RewardValue) else None

    def _trained(self) -> ModelValue:
        """The outcome: a folder, so without the revision of the model that training began with."""
        return ModelValue(self.context.name, self._model.init, None, self._model.trust_remote_code)

    def _arguments(self) -> Iterator[Argument]:
        yield Argument("model", "str", self._model.expression)
        for port, name in (("dataset", "train_dataset"), ("eval_dataset", "eval_dataset")):
            if isinstance(value := self.context.inputs.get(port), DatasetValue):
                yield Argument(name, "Dataset", value.expression)
        if self._reward:
            rewards = layout("[", (part.expression for part in self._reward.parts), "]")
            yield Argument("reward_funcs", "list[Callable]", rewards)
        if self._reference:
            yield Argument("reference", "str", self._reference.expression)
        if isinstance(adapter := self.context.inputs.get("adapter"), AdapterValue):
            yield Argument("peft_config", "LoraConfig", adapter.expression)
        yield Argument("output_dir", "Path", f"output_dir / {literal(self.context.name)}")

    @property
    def _is_saved(self) -> bool:
        """Whether checkpoints are written, from which training could go on."""
        return self.settings.get("save_strategy") != "no"

    def _further_imports(self) -> Iterator[str]:
        if self._is_saved:
            yield "from ryven_llm_nodes.runtime.checkpoints import WholeCheckpoints, newest_checkpoint"
        if self._extra_steps:
            yield "from transformers import TrainerCallback"
            yield f"from {RUNTIME}.longer import train_longer"
        if self._reward:
            yield "from collections.abc import Callable"
            for part in self._reward.parts:
                yield from part.imports
        if self._threshold is not None:
            yield "from ryven_llm_nodes.runtime.rewards import penalize_shortfall"
        if self._reference:
            yield "from transformers import AutoModelForCausalLM"

    # The function

    def _function(self, arguments: list[Argument]) -> str:
        signature = layout(
            f"def train_{self.context.name}(",
            (f"{argument.name}: {argument.annotation}" for argument in arguments),
            ") -> str:",
        )
        names = {argument.name for argument in arguments}
        lines = (
            f'"""{self.node.summary().rstrip(".")}."""',
            "if is_finished(output_dir):",
            "    return str(output_dir)",
            *(self._two_parts(names) if self._extra_steps else self._training(names)),
            "return save_policy(trainer, output_dir)",
        )
        return f"{signature}\n{indent(chr(10).join(lines))}"

    @property
    def _extra_steps(self) -> int:
        return int(self.context[EXTRA_STEPS])

    def _training(self, names: set[str]) -> tuple[str, ...]:
        return (
            "release_memory()",
            f"trainer = {self._trainer(names)}",
            self._seeding(),
            f"trainer.train({CONTINUED if self._is_saved else ''})",
        )

    def _two_parts(self, names: set[str]) -> tuple[str, ...]:
        """Each part has a trainer of its own: one that has trained holds more than its checkpoint does."""
        body = "\n".join((*self._training(names), "return trainer"))
        longer = call("train_longer", "train", self._config_name, "output_dir", extra_steps=literal(self._extra_steps))
        return (
            "",
            f"def train(args: {self.node.config}, part: TrainerCallback) -> {self.node.trainer}:",
            indent(body),
            "",
            f"trainer = {longer}",
        )

    def _seeding(self) -> str:
        """Processes that sample draw each for itself, as TRL has it; the order of rows must be one for all."""
        each = {"device_specific": "True"} if self.node.samples else {}
        return call("set_seed", "trainer.args.seed", **each)

    def _trainer(self, names: set[str]) -> str:
        given = {"model": "model"}
        if self._reference:
            given["ref_model"] = self._load_reference(self._reference)
        if self._reward:
            given["reward_funcs"] = self._reward_functions()
        given["args"] = "args" if self._extra_steps else f"{self._config_name}(output_dir)"
        given |= {name: name for name in ("train_dataset", "eval_dataset", "peft_config") if name in names}
        if self._is_saved:
            given["callbacks"] = f"[WholeCheckpoints({CHECKPOINTS}){', part' if self._extra_steps else ''}]"
        items = (f"{name}={text}" for name, text in given.items())
        return layout(f"{self.node.trainer}(", items, ")", width=0)

    @staticmethod
    def _load_reference(reference: ModelValue) -> str:
        kwargs = {"dtype": "float32", **reference.init_kwargs}
        kwargs |= {"trust_remote_code": True} if reference.trust_remote_code else {}
        texts = {name: literal(value) for name, value in kwargs.items()}
        return call("AutoModelForCausalLM.from_pretrained", "reference", **texts)

    @property
    def _threshold(self) -> float | None:
        return self.context["reward_threshold"] if "reward_threshold" in self.node.all_parameters() else None

    @property
    def _weights(self) -> list[float]:
        """The weights of the rewards, or nothing where all are 1."""
        weights = [part.weight for part in self._reward.parts] if self._reward else []
        return [] if all(weight == 1 for weight in weights) else weights

    def _reward_functions(self) -> str:
        if self._threshold is None:
            return "reward_funcs"
        weights = {"weights": literal(self._weights)} if self._weights else {}
        return call("penalize_shortfall", "reward_funcs", threshold=literal(self._threshold), **weights)

    # The configuration

    def _config_settings(self) -> dict[str, JSON]:
        """Every field that is spelled out, but those of the device and the output folder."""
        settings = {name: value for name, value in self.settings.items() if name not in DEVICE_FIELDS}
        if self._weights and self._threshold is None:
            settings["reward_weights"] = self._weights
        if self._model.trust_remote_code:
            settings["trust_remote_code"] = True
        init = self._model.init_kwargs | (settings.pop("model_init_kwargs", None) or {})
        return settings | ({"model_init_kwargs": init} if init else {})

    def _is_place(self, name: str, value: JSON) -> bool:
        return name in FILE_FIELDS and isinstance(value, str) and is_local(value, self.context.root)

    def _text(self, name: str, value: JSON) -> str:
        return path_expression(value) if self._is_place(name, value) else literal(value)

    @property
    def _config_name(self) -> str:
        return f"{self.context.name}_config"

    def _config_function(self) -> str:
        """A function of its own, so that a check builds the very configuration that the stage trains with."""
        is_below = any(line.startswith(f"from {RUNTIME}") for line in self.node.imports)  # in the script
        annotation = literal(self.node.config) if is_below else self.node.config
        signature = f"def {self._config_name}(output_dir: Path) -> {annotation}:"
        return f"{signature}\n{indent('return ' + self._config())}"

    def _config(self) -> str:
        items = [f"output_dir=str({UNFINISHED if self._is_saved else CHECKPOINTS})"]
        items += [f"{name}={self._text(name, value)}" for name, value in self._config_settings().items()]
        items += [f"**{self._device()}"]
        return layout(f"{self.node.config}(", items, ")", width=0)

    def _device(self) -> str:
        """The settings that suit the machine, changed by those that the user fixed."""
        fixed = {name: self.settings[name] for name in DEVICE_FIELDS if name in self.settings}
        if fixed.get("fp16"):
            fixed.setdefault("bf16", False)
        return f"DEVICE | {literal(fixed)}" if fixed else "DEVICE"
