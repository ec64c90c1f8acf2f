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
"""Ünï tïtle   😀 {x} (prog)s: SFT.

Written by ryven-llm-nodes 0.1.0 from the flow 'Ünï tïtle   😀 {x} (prog)s' of flow.json
(sha256 fb28f57fa8525268724f813c5e2750e69b16bf62c1151501985da82644150a20)
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


# %% SFT 'class_2'
def class_2_config(output_dir: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(output_dir / "checkpoints"),
        learning_rate=0.001,
        per_device_train_batch_size=4,
        weight_decay=0.01,
        logging_steps=1,
        gradient_checkpointing=False,
        max_steps=2,
        run_name='a\\b "c" \'d\'\ne',
        project="{x} %s \u2028 \x00 é",
        save_strategy="no",
        **DEVICE,
    )


def train_class_2(model: str, train_dataset: Dataset, output_dir: Path) -> str:
    """Supervised fine-tuning: the model learns to continue prompts as the data set does."""
    if is_finished(output_dir):
        return str(output_dir)
    release_memory()
    trainer = SFTTrainer(
        model=model,
        args=class_2_config(output_dir),
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
    basis_modele = str(ROOT / "model")
    rows = load_dataset("json", data_files=str(ROOT / 'it\'s "odd" 😀.jsonl'), split="train[:8]")
    class_2 = train_class_2(model=basis_modele, train_dataset=rows, output_dir=output_dir / "class_2")
    saved_model = copy_model(class_2, output_dir / 'a \'b\' "c" \\ 😀')
    print(f"class_2: {class_2}")
    print(f"saved_model: {saved_model}")


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
        "--output-dir", type=Path, default=Path("outputs/uni_title_x_prog_s"), help="where models go (%(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    main(**vars(parser.parse_args()))


# %% The flow that this script was written from, for `ryven-llm edit` (JSON, zlib, base64)
# eNqtVW1r2zAQ/itCMLyBCc5LS2LYh3ZlY7B92Fr2JS5Gtc6OWlnSJDlNF/Lfd1LcNmUpS2kTUOTT6fy8SJc1bUCBZZIIVWuar6m/M0Bz+vNuCYoYq6+h
# 8qQWEmhKbQwuwTqhFSaNB0eDjG5wAX53wgInhlU3rAFH8/maKtaGUnFXKWVbKs1xKaVc2D3xzWVKv3w9o3mWUsa5VlhljcVrqW/DlBZdlvFKhR+oSeK3
# Ey8hIQUNX1IUpFCk6Ph0zHGELCPr1Ya8e49Emg+xCJONtsIvWtLiWxEGZ54hpi2GADtiGKX0kedyiAmCg/KiFrAH++CbZvw7ziQmOs88kFg2p83J+a+T
# Hyf953QmP00+0shPeCyOwm8TH9Q6ZU44kiC4SG+K7DDfMMvaiN8wv8C0Nr5sg/IIZTofkKN8uvOPD0Y7skI1B9l2fhfnm7RnOH45wzOE6sC/mqNFQ4Nl
# RUH3cRM+Ccua82DpjpmDa6dVlNhI4THTWybUPJ9eHqTEOHtOi8nLtDj/fPFqDSrJnCvULr0nWrRsVToPxsWzaMCWHJaigjJyLq+YrxalE38gom8s4wIR
# l9UCqhujBYJXDc1rJh2kVAKzCgOlRciRejZM6S2zbWfu34LKSN00IauPYIpjS8DHsK1BzfCWhDbQqbJnwYriCq2q0KiEJ4UKXaJvGrga7x5a2Y2y0ZSE
# 84wXMh7r2UGGHT9r2NELDUMab3M9Ef0k+IVjFkcWR9iJH4VxcvzEzVpLHpExklwlvWKhW+3af4gks38kwbVKK4WKi9gy5+EeWRSDBO7Y1zmsorvbcsRo
# 63ei/V7s3Sr2w9FuKKJ5uiNYsKf+8I3qD5+pPzq0/vh/+B+E7a2d3//tDIP+oQU5UlvdolkDGooZFNrbDjZ/ARL9Vvw=
