"""Rules about the model: whether its tables are large enough for the tokens, and whether others fit to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.errors import Remedy, Weight, shown
from ryven_llm_nodes.run.examine.configs import completion_field, completion_length
from ryven_llm_nodes.run.examine.look import Look, excerpt, rule

POSITION_TABLES: Final = ("wpe", "position_embeddings", "embed_positions")
"""What models call their table of learned positions."""
MOST_NAMES: Final = 12


@rule("rows", "tokenizer", "config")
def beyond_the_vocabulary(look: Look) -> Iterator[Finding]:
    """Tokens for which the model has no embedding fail with an index error."""
    size, tokens = look.seen.config.get_text_config().vocab_size, len(look.seen.tokenizer)
    if tokens <= size or look.seen.other_template:
        return
    what = f"the tokenizer of {shown(look.seen.model)} has {tokens} tokens, but the model embeddings for {size}"
    for port in look.rows:
        for text, ids in look.rendered(port).tokens:
            if max(ids, default=0) >= size:
                token = look.seen.tokenizer.convert_ids_to_tokens(max(ids))
                yield Finding(
                    "model",
                    f"{what}: row {text.row} of its {port} contains {shown(token)}, token {max(ids)}. Resize the "
                    "model's embeddings (resize_token_embeddings) and save it.",
                    row=text.row,
                )
                return
    yield Finding("model", f"{what}; rows that contain the others will fail. Resize the model's embeddings.", "warning")


@rule("rows", "tokenizer", "config", "settings")
def beyond_the_positions(look: Look) -> Iterator[Finding]:
    """Learned positions end; computed ones were not trained beyond their number."""
    config, settings = look.seen.config, look.seen.settings
    learned = learned_positions(config)
    known = learned or getattr(config.get_text_config(), "max_position_embeddings", None)
    more = completion_length(settings) if look.samples else 0
    most = None if look.samples else getattr(settings, "max_length", None)
    if not isinstance(known, int) or look.seen.other_template:
        return
    for port in look.rows:
        longest, row = max(((len(ids), text.row) for text, ids in look.rendered(port).tokens), default=(0, 0))
        used = min(longest, most or longest) + (more or 0)
        if used > known:
            yield _too_long(look, known, bool(learned), longest, row)
            return


def _too_long(look: Look, known: int, is_learned: bool, longest: int, row: int) -> Finding:
    effect = "fails beyond them" if is_learned else "was not trained beyond them"
    weight: Weight = "error" if is_learned else "warning"
    model = f"{shown(look.seen.model)} has positions for {known} tokens, and {effect}"
    if look.samples:
        more = completion_length(look.seen.settings)
        place, left = completion_field(look.seen.settings), known - longest
        text = f"{model}: the longest prompt of the sample has {longest} tokens (row {row}), and completions up to "
        text += f"{more}. " + (f"Set {left}, or shorten prompts." if left > 0 else "Shorten prompts.")
        remedy = Remedy(place, left) if left > 0 else None
        return Finding(place, text, weight, row, remedy)
    most = getattr(look.seen.settings, "max_length", None)
    is_most = f"max_length is {most}" if most else "there is no max_length"
    text = f"{model}: row {row} has {longest} tokens, and {is_most}. Set {known}: longer rows are then cut."
    return Finding("max_length", text, weight, row, Remedy("max_length", known))


@lru_cache(maxsize=4)
def _modules(written: str, kind: type) -> tuple[tuple[str, Any], ...]:
    """The modules of a model with this configuration, without weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(kind.from_dict(_as_dict(written)))
    return tuple(model.named_modules())


def _as_dict(written: str) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(written)
    return found


def modules_of(config: Any) -> tuple[tuple[str, Any], ...]:
    """The modules of a model with ``config``, by name; none where it needs code of its own."""
    try:
        return _modules(config.to_json_string(use_diff=False), type(config))
    except Exception:  # whether a model can be made is found where it is loaded
        return ()


def learned_positions(config: Any) -> int | None:
    """The number of tokens that a model has learned positions for; None if they are computed."""
    tables = [module for name, module in modules_of(config) if name.split(".")[-1] in POSITION_TABLES]
    sizes = [
        table.num_embeddings - getattr(table, "offset", 0 if table.padding_idx is None else table.padding_idx + 1)
        for table in tables
        if hasattr(table, "num_embeddings")
    ]
    return min(sizes, default=None)


@rule("config", "adapter")
def adapted_modules(look: Look) -> Iterator[Finding]:
    """An adapter names modules, which other families of models call otherwise."""
    wanted, modules = look.seen.adapter.target_modules, modules_of(look.seen.config)
    if not modules or wanted == "all-linear" or wanted is None:
        return
    names = [name for name, _ in modules]
    kind = "modules called"
    if isinstance(wanted, str):
        kind = "modules whose full names match the regular expression"
        missing = [] if any(re.fullmatch(wanted, name) for name in names) else [wanted]
    else:
        missing = [one for one in sorted(wanted) if not any(name == one or name.endswith(f".{one}") for name in names)]
    if not missing:
        return
    is_all = isinstance(wanted, str) or len(missing) == len(wanted)
    as_list = ", as a list" if isinstance(wanted, str) else ""
    there = sorted({name.split(".")[-1] for name, module in modules if _is_linear(module)} - {"lm_head"})
    yield Finding(
        "adapter",
        f"target_modules: {shown(look.seen.model)} ({look.seen.config.model_type}) has no {kind} "
        f"{', '.join(missing)}; it has {', '.join(there[:MOST_NAMES])}. Use these{as_list}, or all-linear.",
        "error" if is_all else "note",
    )


def _is_linear(module: Any) -> bool:
    return hasattr(module, "in_features") or hasattr(module, "nf")  # the latter is GPT-2's Conv1D


@rule("tokenizer", "bases")
def other_tokenizers(look: Look) -> Iterator[Finding]:
    """The probabilities of another model are of its own tokens."""
    for port, base in look.seen.bases.items():
        if base.tokenizer is None or base.location == look.seen.model:
            continue
        own, theirs = look.seen.tokenizer.get_vocab(), base.tokenizer.get_vocab()
        if own != theirs:
            tokens = own if len(own) >= len(theirs) else theirs
            token = min((token for token in tokens if own.get(token) != theirs.get(token)), key=tokens.__getitem__)
            yield Finding(
                port,
                f"has another tokenizer ({shown(base.location)}) than the model ({shown(look.seen.model)}): "
                f"{excerpt(token)} is token {own.get(token)} of the model, and {theirs.get(token)} there. Its "
                "probabilities would be those of other words; give a model with the same tokenizer.",
            )
