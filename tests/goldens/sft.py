# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "torch>=2.8,<3",
#     "transformers>=5.0,<6",
#     "trl>=1.16,<1.17",
#     "datasets>=4.0,<6",
#     "accelerate>=1.10,<2",
# ]
# ///
"""sft: SFT.

Written by ryven-llm-nodes 0.1.0 from the flow 'sft' of flow.json
(sha256 a8b5d4bf14bafe7c026f2e38613c2394095cd8a04dfdc763f75d59bf07537bd6)
with Python 3.11.7, torch 2.13.0, transformers 5.24.0, trl 1.16.0, datasets 5.2.0, accelerate 1.15.0.

Run it with `python SCRIPT.py`, or on several GPUs with `accelerate launch SCRIPT.py`. Every stage
writes its model to a folder of its own under --output-dir, and the next stage starts from there.
"""

# %% Imports
import argparse
import gc
import os
import shutil
from pathlib import Path

# Read when the libraries below are imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # no usage pings
if "OMP_WAIT_POLICY" not in os.environ:  # threads that wait for work soon leave the processor to others
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=os.environ.get("GOMP_SPINCOUNT", "2500"))

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from datasets import Dataset, load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer
from trl import SFTConfig, SFTTrainer

# Relative paths of data and models are looked up here.
ROOT = Path(__file__).resolve().parent


# %% SFT 'sft'
def sft_config(output_dir: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(output_dir / "checkpoints"),
        learning_rate=0.001,
        per_device_train_batch_size=4,
        weight_decay=0.01,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=2,
        save_strategy="no",
        **DEVICE,
    )


def train_sft(model: str, train_dataset: Dataset, output_dir: Path) -> str:
    """Supervised fine-tuning: the model learns to continue prompts as the data set does."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = SFTTrainer(
        model=model,
        args=sft_config(output_dir),
        train_dataset=train_dataset,
    )
    set_seed(trainer.args.seed)
    trainer.train()
    return save_policy(trainer, output_dir)


# %% The pipeline
def main(output_dir: Path, resume: bool = False) -> None:
    """Run every stage, each from the folder that the one before has written.

    With `resume`, go on where an earlier run into `output_dir` stopped: finished stages are kept as they are, and the
    one that was under way continues from its newest checkpoint.
    """
    if not resume:
        start_over(output_dir)
    base = str(ROOT / "model")
    rows = load_dataset("json", data_files=str(ROOT / "sft.jsonl"), split="train")
    sft = train_sft(model=base, train_dataset=rows, output_dir=output_dir / "sft")
    final = copy_model(sft, output_dir / "final-model")
    print(f"sft: {sft}")
    print(f"final: {final}")


# %% Support: Checkpoints that are whole or not there, and going on from the newest
FINISHED = "finished"  # a stage's folder holds this file once its model is saved


def flush(folder: Path) -> None:
    """Make sure that every file of `folder` has reached the disk."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def is_finished(output_dir: Path) -> bool:
    """Whether a stage has saved its model in `output_dir`."""
    return (output_dir / FINISHED).is_file()


def start_over(output_dir: Path) -> None:
    """Forget the finished stages and the checkpoints of an earlier run into `output_dir`."""
    if PartialState().is_main_process:
        for path in output_dir.glob(f"*/{FINISHED}"):
            path.unlink()
        for path in output_dir.glob("*/checkpoints"):
            shutil.rmtree(path)
    PartialState().wait_for_everyone()


# %% Support: What every training stage shares: the machine's precision, memory between stages, and saving a policy
# bfloat16 where a GPU has it; on a CPU, float32.
GPU = torch.cuda.is_available()


DEVICE = {
    "use_cpu": not torch.accelerator.is_available(),
    "bf16": GPU and torch.cuda.is_bf16_supported(),
    "dataloader_pin_memory": GPU,
}


def release_memory() -> None:
    """Give back the memory of the stage before: a trainer is part of a reference cycle, so it outlives its function."""
    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def refuse_untrained(trainer: Trainer) -> None:
    """Raise ValueError where not one optimizer step was made: what would be saved is the model it began with."""
    if trainer.state.global_step:
        return
    args, rows = trainer.args, len(trainer.train_dataset)
    if hasattr(args, "generation_batch_size"):
        wanted = args.generation_batch_size // args.num_generations
    else:
        wanted = args.train_batch_size * args.world_size if args.dataloader_drop_last else 1
    why = (
        f"the {rows} rows that are left to train on do not make one batch of {wanted}"
        if rows < wanted
        else "no batch came"
    )
    raise ValueError(
        f"not one optimizer step was made, so nothing was learned: {why}. Give more rows, or lower "
        "per_device_train_batch_size or gradient_accumulation_steps."
    )


def save_policy(trainer: Trainer, folder: Path) -> str:
    """Write the trained policy and its tokenizer; return the folder."""
    refuse_untrained(trainer)
    trainer.save_model(str(folder))
    return finish_stage(trainer, folder)


def finish_stage(trainer: Trainer, folder: Path) -> str:
    """Mark a stage as finished, once all of its folder has reached the disk; return the folder."""
    if trainer.accelerator.is_main_process:
        flush(folder)
    trainer.accelerator.wait_for_everyone()
    (folder / FINISHED).touch()
    return str(folder)


def copy_model(
    model: str, folder: Path, dtype: str = "auto", revision: str | None = None, trust_remote_code: bool = False
) -> str:
    """Write the model at a Hub id or folder, and its tokenizer, to another folder, in precision ``dtype``."""
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    with PartialState().local_main_process_first():
        if PartialState().is_main_process:
            AutoModelForCausalLM.from_pretrained(model, dtype=dtype, **where).save_pretrained(folder)
            AutoTokenizer.from_pretrained(model, **where).save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output-dir", type=Path, default=Path("outputs/sft"), help="where models go (%(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    main(**vars(parser.parse_args()))


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNqtVFFv0zAQ/ivRPUdR025Ii8RDYQIhwQMM8VKh6BZfUm+ObWw3a6n63zm73VZEK1pteYl9vvv8fZ/tW0NHmhyqTOrWQLWGsLIEFXxbDaQz68wdNSFr
# pSLIwaXgQM5LozlpUlwWI9jwAv1aSEcis9jcY0ceqtkaNPYRKlXVSvW1NoKXchDSHYhvfubw8dM1VKMcUAijGWXN4K0yD3EIvg3xh6ozToZ5n/Vcx0AC
# AzLqFiVunFDGOTwzHUpOkIJ0kK2kA7sXnw2KLzxSnOgDBsoSbAXd9ObH9Ot09727Uu8v3kJiKAODs3XbxCe9t+ijWRYd9om3xTDneJ/QN6xIarsIkSor
# NovwPLHGZ0s2oBhtx6s03uQ7SZPzJV0zN0/hxaJcPIMDovhMijtv9GnCJqNj0i7Ok3bz4fuLJcXrtK+ox2XtA1mf7o4lVwsaZEN1cCh1fYuhmdde/qbE
# tnMoJDOsmzk199ZIJqs7qFpUnnJQhE5zoHZMMUkdlTk8oOsX9nEXdkKZrotZuwineByIp7GsY4/4Vp/k7Jujzl6e6Szv/zrvoJUc3Hf4FB1X/+jgtcZo
# zW1IppYwi3fPsYIsEua+JWiZvNzCZda4sBfd1XJv0qlbjPdDic3fFdG3A/jlK+GXR/DHp+JP/sf/ydjdecwe22oZ/Y/P1metMz2fUAERzLLRwS1o8wdJ
# qgFv
