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
"""flow: SFT -> SFT.

Written by ryven-llm-nodes 0.1.0 from the flow 'flow' of flow.json
(sha256 1f9965ec45433b676ab8082019effcfec3d427c0b0b47a994ae34ecb3d0ec8ff)
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

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

# Relative paths of data and models are resolved here.
ROOT = Path(__file__).resolve().parent


# %% SFT 'one'
def one_config(output_dir: Path, **changes) -> SFTConfig:
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


# %% SFT 'two'
def two_config(output_dir: Path, **changes) -> SFTConfig:
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
    rows = load_dataset("json", data_files=str(ROOT / "triples.jsonl"), split="train")
    split = rows.train_test_split(test_size=0.5, seed=42)
    pipeline.train("one", SFTTrainer, one_config, model=base, train_dataset=split["train"])
    pipeline.train("two", SFTTrainer, two_config, model=base, train_dataset=split["test"])


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
    main(Pipeline.from_command_line(__doc__, "outputs/flow", one=one_config, two=two_config))
    PartialState().destroy_process_group()


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNrdVUtv2zAM/iuGzkZg51GgBnZoV2wYsB22DrsEg8FatKNWljRJeS3wfx+lPLpgCZAswQ7LJTRFfvw+ipJWrEGFFmQiVK1ZsWJ+aZAV7MtyhioxVj9j
# 5ZNaSGQps9E5Q+uEVhQ06I16GetoAX9MhUWeGKheoEHHivGKKWgDVMwqpWxLpTktpYwLe8DffU/Z+w8PrMhSBpxrRSgrAq+lngczGuEfZKOt8JM2aSmR
# kDh4INg1TKgcYfope6U6yylAcFRe1AIPlO991MA/kSUp0HnwmETYgjV3j9/uPt9tfve38u3wDYsUhSdw6t06cCf4CVzolgELbSRuwE/I30b0jiQJZaY+
# UCXJeupfP4x2yYI60MvW9jLaXbqRNDhf0gNxc+gvFmXDJhwQ5a0wkmo9O61OEzfIjskbnifv0Ujhr6XPBbA9gW4CFgPB0Smqbo6qGp2p6t3Xi8VotT+A
# LSxK59G4eCoM2pLjTFRYegtClU/gq0npxE+Me9BY4IIYltUEqxejBZFVDStqkA5TJhGsIkdpiWKUmuUpm4Ntp2ZbhTohddOEqI2HQhzMkD5DWkM9ovN6
# 0rzcHu3szb/vrJ/r/6ezef+P1tJipZWiS1/EC3gcDrolyknoIb0SHBex5BovMdr6rTfb5dJLoOLV3P/dFensZ4StPICfnYo/+Dv8/pXw80v5D6/JPz8b
# P+92k7EZ9PH2Ec7DAIU73iW11S0NVY8FMEOD4u0Uu1/fbL5h
