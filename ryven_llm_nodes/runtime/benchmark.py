"""Measures models on the tasks of lm-evaluation-harness."""

import gc
import hashlib
import json
from collections.abc import Mapping, Sequence

import torch

from .evaluation import differences_of, measure


def measure_tasks(
    model: str,
    tasks: Sequence[str],
    folder: str | None = None,
    baseline: str | None = None,
    few_shot: int | None = None,
    limit: int | None = None,
    batch_size: int = 8,
    seed: int = 42,
    chat: bool = False,
    load: Mapping[str, object] | None = None,
    baseline_load: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What the model in a folder is worth on `tasks`, as lm-evaluation-harness measures it, and against `baseline`.

    Values are those of the harness; intervals are over the rows of each task. `folder` holds further tasks, as YAML
    files; `limit` are the rows per task; `chat` applies the chat template.
    """
    options = {"num_fewshot": few_shot, "limit": limit, "batch_size": batch_size, "apply_chat_template": chat}
    places = {"model": (model, load or {})} | ({"baseline": (baseline, baseline_load or {})} if baseline else {})
    found = {name: of_harness(place, own, tasks, folder, seed, options) for name, (place, own) in places.items()}
    asked = {name: result["rows"] for name, result in found.items()}
    digest = hashlib.sha256(json.dumps(asked["model"], sort_keys=True).encode()).hexdigest()
    measures = {name: result["measures"] for name, result in found.items()}
    report = {"rows": len(asked["model"]), "rows_sha256": digest, "tasks": found["model"]["versions"], **measures}
    return {**report, "difference": differences_of(measures["baseline"], measures["model"])} if baseline else report


def of_harness(
    model: str,
    load: Mapping[str, object],
    tasks: Sequence[str],
    folder: str | None,
    seed: int,
    options: Mapping[str, object],
) -> dict[str, object]:
    """The measures of one model, by task and metric, the versions of the tasks, and the digests of their rows."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    settings = {"pretrained": model, "dtype": "float32", **load}
    seeds = dict.fromkeys(("random_seed", "numpy_random_seed", "torch_random_seed", "fewshot_random_seed"), seed)
    manager = TaskManager(include_path=folder)
    device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    given = {"device": device, "task_manager": manager, "bootstrap_iters": 0, **seeds, **options}
    made = simple_evaluate("hf", settings, list(tasks), **given)
    gc.collect()
    measures, rows = {}, []
    for task, samples in made["samples"].items():
        rows += [f"{task} {sample['doc_hash']}" for sample in samples]
        for key, value in made["results"][task].items():
            if isinstance(value, int | float) and "_stderr" not in key and "," in key:
                measures[named(task, key)] = of_metric(value, key, samples)
    return {"measures": measures, "versions": made["versions"], "rows": list(dict.fromkeys(rows))}


def named(task: str, key: str) -> str:
    """`task/metric` of the harness's `metric,filter`, with the filter where it is none of its usual one."""
    metric, _, kind = key.partition(",")
    return f"{task}/{metric}" if kind == "none" else f"{task}/{metric} ({kind})"


def of_metric(value: float, key: str, samples: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The harness's value, with the interval of the rows where it is their mean."""
    metric, _, kind = key.partition(",")
    rows = [sample[metric] for sample in samples if metric in sample and sample.get("filter", kind) == kind]
    if rows and all(isinstance(row, int | float) for row in rows):
        found = measure([float(row) for row in rows])
        if abs(found["value"] - value) < 1e-9 * max(abs(value), 1):
            return {**found, "value": value}
    return {"value": value, "low": value, "high": value}
