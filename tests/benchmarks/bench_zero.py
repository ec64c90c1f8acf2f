"""ZeRO-3 and ZeRO-2 on a CPU: saved models next to those of DDP, for all methods, with and without LoRA.

    python tests/benchmarks/bench_zero.py [PYTHON] [STRATEGY]

PYTHON is the interpreter of an environment that has DeepSpeed as well (DS_BUILD_OPS=0, DS_ACCELERATOR=cpu pip install
--no-build-isolation deepspeed), by default this one; STRATEGY is zero3 or zero2. A line for each case: the largest
difference of logits from DDP, and from the model that training started from. tests/run/test_sharding.py does FSDP2.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import flows
from sharded import CASES, WHOLE, Case, drive, logits, prepare, started

from ryven_llm_nodes.program.launch.settings import Launch


def compared(case: Case, launch: Launch, place: Path, python: str) -> str:
    """One case in words."""
    outputs = [place / f"{case}-{one.strategy}" for one in (WHOLE, launch)]
    launches = [started(place, out, one, case) for out, one in zip(outputs, (WHOLE, launch), strict=True)]
    if any(drive(place, launches, python)):
        return "failed: " + Path(f"{outputs[1]}.log").read_text().strip().splitlines()[-1]
    whole, parts = (logits(out / "stage") for out in outputs)
    moved = (whole - logits(place / "model")).abs().max()
    return f"{(whole - parts).abs().max():.1e} from DDP, {moved:.2f} from before"


def main(python: str = sys.executable, strategy: str = "zero3") -> None:
    """Prints a line for each case."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "place")
        place.mkdir()
        flows.write_model(Path(folder, "model"))
        prepare(place, Path(folder, "model"))
        for method, lora in CASES:
            said = compared((method, lora), Launch({"processes": 2, "strategy": strategy}), place, python)
            print(f"{method}{' with LoRA' if lora else ''}: {said}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
