"""A comparison as one HTML file that needs nothing else: the table, curves, completions, settings, data, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, cycle
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from ryven_llm_nodes import __version__
from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.quantities import duration, number
from ryven_llm_nodes.run.comparing.charts import SERIES, Bar, Line, flow_picture, interval_chart, line_chart
from ryven_llm_nodes.run.comparing.comparison import Comparison, outcome, verdict
from ryven_llm_nodes.run.comparing.origins import Origin, Trained, settings_of
from ryven_llm_nodes.run.comparing.votes import voting

PLOTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Loss on the evaluation set": ("eval_loss",),
    "Reward": ("raw_reward", "reward"),
    "Preference accuracy": ("rewards/accuracies", "accuracy"),
    "Preference margin": ("rewards/margins", "margin"),
    "KL divergence from the reference (nats)": ("ppo/kl", "kl"),
    "Entropy (nats)": ("ppo/entropy", "entropy"),
}
"""The plots; of several metrics the first one that a stage has logged is shown."""
PAGE: Final = "report.html"
"""The name of the page in the folder of a comparison."""
MARKS: Final = {"better": "▲ ", "worse": "▼ ", "same": ""}
MINUS: Final = "\N{MINUS SIGN}"
NOTHING: Final = "\N{EN DASH}"
SHOWN_PROMPTS: Final = 20
LONGEST: Final = 400
"""Characters of a value of a setting."""


def page(comparison: Comparison) -> str:
    """``comparison`` as a page."""
    origins = {name: origin for name, origin in comparison.origins.items() if origin}
    parts = {**_head(comparison, origins), **_results(comparison), **_completions(comparison)}
    return rendered(__package__, **parts, **_background(origins), code=_code)


def rendered(package: str, **parts: Any) -> str:
    """The template ``page.html`` of ``package``, which builds on ``base.html`` here, with its parts filled in."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loader = ChoiceLoader([PackageLoader(place, ".") for place in (package, __package__)])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html").render(**parts)


def _head(comparison: Comparison, origins: Mapping[str, Origin]) -> dict[str, Any]:
    titles = list(dict.fromkeys(origin.flow.title for origin in origins.values()))
    began = list(dict.fromkeys(origin.run.began for origin in origins.values()))
    evaluated = {name: i % SERIES for i, name in enumerate(comparison.folders, 1)}
    colours = {name: evaluated.get(name, 0) for name in comparison.models}
    models = [
        {"name": name, "colour": colours[name], "path": _path(origins.get(name)), "verdict": _verdict(comparison, name)}
        for name in comparison.models
    ]
    first = comparison.table["compared_with"]
    return {
        "title": " and ".join(titles) if titles else "Comparison",
        "began": ", ".join(began),
        "names": list(comparison.models),
        "models": models,
        "first": first,
        "rows": next(report.get("rows") for report in comparison.reports.values()),
        "missing": [name for name in comparison.folders if name not in origins],
        "folders": {name: _place(folder, origins.get(name)) for name, folder in comparison.folders.items()},
        "version": __version__,
        "recorded": list(origins),
    }


def _place(folder: Path, origin: Origin | None) -> str:
    """Where an evaluation lies, from the output folder on: a page is sent to others."""
    return f"{(origin.run.output_dir if origin else folder.parent).name}/{folder.name}"


def _path(origin: Origin | None) -> str:
    """The models on the way, the first one first."""
    if origin is None:
        return ""
    names = {wire.step for step in origin.graph.steps for wire in step.wires.values()}
    last = next((step for step in origin.graph.order if step.name not in names), origin.graph.order[-1])
    return " → ".join(step.name for step in reversed(list(origin.graph.lineage(last))))


def _verdict(comparison: Comparison, model: str) -> str:
    found = verdict(comparison, model)
    said = [f"{tone} in {', '.join(found[tone])}" for tone in ("better", "worse") if found[tone]]
    if found["same"]:
        said.append(f"no significant difference in {', '.join(found['same'])}")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else "Not compared."


# Results


def _results(comparison: Comparison) -> dict[str, Any]:
    table = comparison.table
    measures = [{"name": name, **_measure(comparison, name)} for name in comparison.measures]
    tests = sum(map(len, table["differences"].values()))
    return {
        "measures": measures,
        "alpha": f"{table.get('alpha', 0.05):g}",
        "tests": tests,
        "other_rows": table.get("other_rows", []),
        "over_seeds": list(_seeds(comparison)),
        "intervals": [
            {"title": name, "svg": interval_chart(bars)}
            for name in comparison.measures
            if (bars := _bars(comparison, name))
        ],
    }


def _seeds(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The differences with each seed; of those whose interval over seeds is on one side of 0, the mean is marked."""
    for name, measures in comparison.over_seeds.items():
        for measure, of in measures.items():
            of_rows = comparison.difference(name, measure)
            better = of_rows["better"] if of_rows else ""
            tone = outcome({"significant": of["low"] > 0 or of["high"] < 0, "value": of["value"], "better": better})
            bounds = {key: _signed(of[key]) for key in ("value", "low", "high")}
            yield {"model": name, "measure": measure, "tone": tone, "each": list(map(_signed, of["values"])), **bounds}


def _measure(comparison: Comparison, name: str) -> dict[str, Any]:
    cells = [_cell(of.get(name), comparison.difference(model, name)) for model, of in comparison.models.items()]
    directions = (of[name]["better"] for of in comparison.table["differences"].values() if name in of)
    direction = next(directions, "")
    return {"cells": cells, "direction": f"{direction} is better" if direction else ""}


def _cell(value: Mapping[str, Any] | None, of: Mapping[str, Any] | None) -> dict[str, str] | None:
    if value is None:
        return None
    cell = {key: number(value[key]) for key in ("value", "low", "high")}
    if of is None:
        return {**cell, "change": ""}
    tone = outcome(of)
    change = {"change": _signed(of["value"]), "change_low": _signed(of["low"]), "change_high": _signed(of["high"])}
    return {**cell, **change, "tone": tone, "mark": MARKS[tone], "p": f"{of['corrected_p_value']:.2g}"}


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else MINUS if value < 0 else ''}{abs(value):.3g}"


def _bars(comparison: Comparison, measure: str) -> list[Bar]:
    found = ((model, comparison.difference(model, measure)) for model in comparison.models)
    return [
        Bar(model, of["value"], of["low"], of["high"], outcome(of), f"{MARKS[outcome(of)]}{_signed(of['value'])}")
        for model, of in found
        if of
    ]


# Completions


def _completions(comparison: Comparison) -> dict[str, Any]:
    """Completions of the same prompts; models that were given other prompts than the first are left out."""
    sampled = {name: comparison.values(name).get("completions") or [] for name in comparison.models}
    prompts = next((report["prompts"] for report in comparison.reports.values() if report.get("prompts")), [])
    other = comparison.table.get("other_rows", [])
    names = [name for name, texts in sampled.items() if len(texts) == len(prompts) and name not in other]
    shown = [
        {"text": prompt_text(prompt), "answers": [_answer(comparison, name, i) for name in names]}
        for i, prompt in enumerate(prompts[:SHOWN_PROMPTS] if names else [])
    ]
    return {"prompts": shown, "prompt_count": len(prompts), "voting": voting(shown)}


def _answer(comparison: Comparison, model: str, row: int) -> dict[str, str]:
    values = comparison.values(model)
    scores = {name.removeprefix("reward/"): of["per_row"] for name, of in values.items() if name.startswith("reward/")}
    score = ", ".join(f"{name} {of_rows[row]:.3g}" for name, of_rows in scores.items())
    return {"model": model, "text": values["completions"][row], "score": score}


def prompt_text(prompt: Any) -> str:
    """A prompt as text: of a conversation, its messages but those of the system."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(str(m.get("content", "")) for m in prompt if m.get("role") != "system" or len(prompt) == 1)


# What led there


def _background(origins: Mapping[str, Origin]) -> dict[str, Any]:
    settings = list(_settings(origins))
    common = [row for row in settings if all(row["node"] in origin.graph.by_name for origin in origins.values())]
    flows = {origin.flow.digest: origin.flow for origin in origins.values()}
    return {
        "curves": list(_curves(origins)),
        "flows": [_picture(flow) for flow in flows.values()],
        "settings": [row for row in common if len(set(map(repr, row["cells"]))) > 1],
        "shared": [row for row in common if len(set(map(repr, row["cells"]))) == 1],
        "own": list(_own(origins, [row for row in settings if row not in common])),
        "data": list(_data(origins)),
        "times": list(_times(origins)),
        **_versions(origins),
    }


def _picture(flow: Graph) -> Markup:
    leaves = {step.name: step.node.leaves for step in flow.steps if step.node.is_stage}
    return flow_picture(flow, {name: "report" if left == "report" else "stage" for name, left in leaves.items()})


def _stages(origins: Mapping[str, Origin]) -> dict[str, tuple[Trained, str, list[str]]]:
    """Each stage once, by its key: itself, its name where all are shown, and the evaluations that it leads to."""
    found: dict[str, tuple[Trained, list[str]]] = {}
    for name, origin in origins.items():
        for stage in origin.stages:
            found.setdefault(stage.digest, (stage, []))[1].append(name)
    names = [stage.name for stage, _ in found.values()]
    return {
        digest: (stage, stage.name if names.count(stage.name) == 1 else f"{stage.name} ({', '.join(models)})", models)
        for digest, (stage, models) in found.items()
    }


def _curves(origins: Mapping[str, Origin]) -> Iterator[dict[str, Any]]:
    """The plots. Losses of different methods measure different things: each has a plot, but where rewards tell more."""
    stages, colours = _stages(origins), _colours(origins)
    methods = dict.fromkeys(stage.method for stage, _, _ in stages.values() if not {*PLOTS["Reward"]} & {*stage.curves})
    plots = [(f"Training loss of {method}", ("loss",), method) for method in methods]
    for title, metrics, method in [*plots, *((title, metrics, "") for title, metrics in PLOTS.items())]:
        found = [(stage, name) for stage, name, _ in stages.values() if method in ("", stage.method)]
        logged = ((stage, name, next((m for m in metrics if m in stage.curves), None)) for stage, name in found)
        lines = [Line(name, stage.curves[metric], colours[stage.digest]) for stage, name, metric in logged if metric]
        if lines:
            yield {"title": title, "lines": lines, "svg": line_chart(lines)}


def _colours(origins: Mapping[str, Origin]) -> dict[str, int]:
    """The colour of each stage, by its key: that of the model that it leaves, and others for those before."""
    last = {origin.stages[-1].digest: i % SERIES for i, origin in enumerate(origins.values(), 1) if origin.stages}
    free = cycle([i for i in reversed(range(SERIES)) if i not in last.values()] or [0])
    return {digest: last[digest] if digest in last else next(free) for digest in _stages(origins)}


def _settings(origins: Mapping[str, Origin]) -> Iterator[dict[str, Any]]:
    """Every parameter that was set on the way to a model, with its value for each model."""
    rows = dict.fromkeys((node, name) for origin in origins.values() for node, name, _ in settings_of(origin))
    for node, name in rows:
        yield {"node": node, "parameter": name, "cells": [_setting(origin, node, name) for origin in origins.values()]}


def _own(origins: Mapping[str, Origin], rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The nodes that not all models have, with those that have them, and their settings."""
    for node in dict.fromkeys(row["node"] for row in rows):
        having = [name for name, origin in origins.items() if node in origin.graph.by_name]
        step = origins[having[0]].graph.by_name[node]
        settings = [
            (row["parameter"], list(dict.fromkeys(map(_code, compress(row["cells"], [n in having for n in origins])))))
            for row in rows
            if row["node"] == node
        ]
        yield {"node": node, "title": step.node.title, "models": having, "settings": settings}


def _setting(origin: Origin, node: str, parameter: str) -> Any:
    step = origin.graph.by_name.get(node)
    if step is None or not (parameter in step.given or parameter in step.node.all_parameters()):
        return Markup("")
    return step.setting(parameter)


def _code(value: Any) -> Markup:
    """A value as the page shows it; longer text is folded."""
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, Markup):
        return Markup('<span class="soft">{}</span>').format(NOTHING)
    if "\n" in text.strip():
        lines = text.strip().count("\n") + 1
        return Markup("<details><summary>{} lines</summary><pre>{}</pre></details>").format(lines, text.strip())
    return Markup("{}").format(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def _data(origins: Mapping[str, Origin]) -> Iterator[dict[str, Any]]:
    seen = set()
    for origin in origins.values():
        for source, about in origin.data.items():
            files = about.get("files") or {"": ""}
            for file, digest in files.items():
                row = (source, about.get("rows", ""), ", ".join(map(str, about.get("columns", ()))), file, digest)
                if row not in seen:
                    seen.add(row)
                    yield dict(zip(("source", "rows", "columns", "file", "digest"), row, strict=True))


def _times(origins: Mapping[str, Origin]) -> Iterator[dict[str, str]]:
    for stage, name, models in _stages(origins).values():
        yield {"stage": name, "time": _time(stage.seconds), "models": ", ".join(models)}
    for name, origin in origins.items():
        yield {"stage": name, "time": _time(origin.seconds), "models": "measured"}


def _time(seconds: float) -> str:
    return duration(seconds) if seconds else NOTHING


def _versions(origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Versions and machine, in one column where all runs had the same."""
    columns: dict[str, Mapping[str, str]] = {}
    for name, origin in origins.items():
        columns[name] = {**{k: str(v) for k, v in origin.run.versions.items()}, **origin.run.machine}
    if len({repr(column) for column in columns.values()}) == 1:
        columns = {"": next(iter(columns.values()))}
    names: Sequence[str] = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [{"name": name, "cells": [column.get(name, NOTHING) for column in columns.values()]} for name in names]
    return {"versions": rows, "version_names": list(columns)}


def write_page(comparison: Comparison, file: Path) -> None:
    """Writes ``comparison`` as a page to ``file``. Raises UsageError where it cannot be written."""
    from ryven_llm_nodes.system.files import write_whole

    write_whole(file, page(comparison))
