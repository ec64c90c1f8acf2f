# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch>=2.8,<3",
#     "transformers>=5.0,<6",
#     "trl>=1.16,<1.17",
#     "datasets>=4.7,<6",
#     "accelerate>=1.10,<2",
# ]
# ///
"""flow: SFT.

Written by ryven-llm-nodes 0.1.0 from the flow 'flow' of flow.json
(sha256 0453616eda20cc120dc52423f2b514edae028e28c5c8cc139f79cec12413bfa7)
with Python 3.11.7, torch 2.13.0, transformers 5.24.0, trl 1.16.0, datasets 5.2.0, accelerate 1.15.0.

Run it with `python SCRIPT.py`, or on several GPUs with `accelerate launch SCRIPT.py`. Every stage
writes its model to a folder of its own under --output-dir, and the next stage starts from there.
"""

# %% Imports
import os
from pathlib import Path

# Read when the libraries below are imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # no usage pings
if "OMP_WAIT_POLICY" not in os.environ:  # idle threads soon release the processor
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", "2500"))

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

# Relative paths of data and models are resolved here.
ROOT = Path(__file__).resolve().parent


# %% SFT 'sft'
def sft_config(output_dir: Path, **changes) -> SFTConfig:
    settings = dict(
        learning_rate=0.001,
        per_device_train_batch_size=4,
        num_train_epochs=3.0,
        weight_decay=0.01,
        warmup_steps=0,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=2,
        save_strategy="no",
    )
    return SFTConfig(output_dir=str(output_dir), **DEVICE | settings | changes)


# %% The pipeline
def main(pipeline: "Pipeline") -> None:
    """Run every stage, each from the model folder of the previous one."""
    base = str(ROOT / "model")
    written = Dataset.from_list([{"text": "one"}, {"text": "tuo"}])
    pipeline.train("sft", SFTTrainer, sft_config, model=base, train_dataset=written)


# %% Support: what the rest of this script needs
import argparse
import gc
from collections.abc import Callable
from functools import partial

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

# %% Support: Shared by all stages: precision of the machine, freeing memory, and saving a policy
# bfloat16 on GPUs that support it, float32 on a CPU.
GPU = torch.cuda.is_available()


DEVICE = {
    "use_cpu": not torch.accelerator.is_available(),
    "bf16": GPU and torch.cuda.is_bf16_supported(),
    "dataloader_pin_memory": GPU,
}


def release_memory() -> None:
    """Free the memory of the previous stage: a trainer is part of a reference cycle, so it outlives its function."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def copy_model(
    model: str, folder: Path, dtype: str = "auto", revision: str | None = None, trust_remote_code: bool = False
) -> Path:
    """Write the model at a Hub id or folder, and its tokenizer, to another folder, in precision ``dtype``."""
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    with PartialState().local_main_process_first():
        if PartialState().is_main_process:
            AutoModelForCausalLM.from_pretrained(model, dtype=dtype, **where).save_pretrained(folder)
            AutoTokenizer.from_pretrained(model, **where).save_pretrained(folder)
    return folder


# %% Support: Runs the stages of a pipeline, each in a folder of its own: the minimal code that gives the same weights
def save_policy(trainer: Trainer, folder: Path) -> None:
    """Write the trained policy and its tokenizer."""
    trainer.save_model(str(folder))


class Pipeline:
    """Stages write to `output_dir / stage`."""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir

    def train(
        self,
        stage: str,
        trainer_class: type[Trainer],
        configure: Callable[..., TrainingArguments],
        save: Callable[[Trainer, Path], None] = save_policy,
        **inputs: object,
    ) -> str:
        """Train a stage; return the folder of its model.

        `inputs` go to the trainer; a `partial` among them is called when the stage starts. Sampling differs across
        processes; the order of rows is the same for all.
        """
        folder = self.output_dir / stage
        release_memory()
        args = configure(folder / "checkpoints")
        made = {name: value() if isinstance(value, partial) else value for name, value in inputs.items()}
        trainer = trainer_class(args=args, **made)
        set_seed(args.seed, device_specific=hasattr(args, "num_generations"))
        trainer.train()
        save(trainer, folder)
        PartialState().wait_for_everyone()
        return self.made(stage, folder)

    def copy(self, name: str, model: str, folder: str, **options: object) -> str:
        """Write a model and its tokenizer to a folder of its own; a relative one lies in `output_dir`."""
        place = self.output_dir / Path(folder).expanduser()
        return self.made(name, copy_model(model, place, **options))

    def made(self, name: str, folder: Path) -> str:
        """Report the result, from the main process."""
        if PartialState().is_main_process:
            print(f"{name}: {folder}")
        return str(folder)

    @classmethod
    def from_command_line(cls, about: str, output_dir: str, **stages: object) -> "Pipeline":
        """Parse the command line."""
        parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--output-dir", type=Path, default=Path(output_dir), help="output folder (%(default)s)")
        return cls(parser.parse_args().output_dir)


if __name__ == "__main__":
    main(Pipeline.from_command_line(__doc__, "outputs/flow", sft=sft_config))
    PartialState().destroy_process_group()


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNqtVE2P0zAQ/SvRnKMq3e6CiMShgEBIcGAXwaFB0Ww8Sc06trGdflDlvzN2ux8VRdrVkksm45nn95492UFHmhyqTOrWQLmDsLUEJVxuV6Qz68xPakLW
# SkWQg0vJFTkvjeai2eRiUsDIC/RrkI5EZrG5wY48lIsdaOwjVOqqleprbQQv5SCkO5Eff+Tw4eM7KIscUAijGWXH4K0y6ximIL5RdcbJsOyznhsZSWBA
# ht3DxJ0TzFkO91RXUy6QgnSQraQT208+GRSfOVJc6AMGyhJsCd386tv8y/zwvHml3p6/hkRRBgZn7/aFd4Kv0Ue3LDrsE3GLYcn5PqGPLElqO4RIlSWb
# Idx/WOOzDTswKfbxNsVjfpA0e5qk7+xSIH0Z/XuuqPUe60iXSwcDuwoCbUIFZVaB0VTBWOmjZKiqoSheXhheepQBs+JfFpw/zYKr91+fLd234Uh2j5va
# B7I+3TFLrha0kg3VwaHU9TWGZll7+ZsS286hkMywbpbU3FgjmazuoGxRecpBETrNidoxxSS1mOawRtcP9nYXdkKZrotVhwyXeFwRf8a2jj3i2/8oZ1/8
# 5SyvNUZrnnOZZm4RL6xjxlm0kH8MgjaJwx4us8aFB9lDLw+/TtN49jCV2Bx3xJM8gT/9T/jT8U744RwXt/+VafQnzqLPWmd69mwCEcyyEcENNP4BGQqt
# qQ==
