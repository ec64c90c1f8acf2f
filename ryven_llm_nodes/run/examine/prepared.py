"""Rows as they will be trained: their tokens, which of them are trained, and which are cut away.

They come from TRL's own trainer and collator (see ``stand_in.py``): what is shown is what is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ryven_llm_nodes.program import Program, Step
from ryven_llm_nodes.run.examine.configs import configuration
from ryven_llm_nodes.run.examine.stand_in import no_progress_bars, stand_in_trainer
from ryven_llm_nodes.run.loaded import LoadedProgram

Kind = Literal["trained", "context", "cut"]
NO_LIMIT: Final = 2**31
"""More tokens than a row has: some trainers take no length at all for a default of their own."""
ROW: Final = "__row__"
"""A column that tells which row a prepared one was made from."""


@dataclass(frozen=True)
class TokenSequence:
    """What a row becomes, or one of two: ``part`` says which (chosen, rejected, prompt).

    ``ids`` are its tokens, ``kinds`` says of each whether the loss is computed on it (*trained*), it is only read
    (*context*), or it lies beyond ``max_length`` (*cut*). ``row`` is None for a packed sequence, which has no row.
    """

    row: int | None
    part: str
    ids: tuple[int, ...]
    kinds: tuple[Kind, ...]

    @property
    def trained(self) -> int:
        """The number of tokens that the loss is computed on."""
        return self.kinds.count("trained")

    @property
    def cut(self) -> int:
        """The number of tokens that are cut away."""
        return self.kinds.count("cut")


@dataclass(frozen=True)
class PreparedRows:
    """The sequences that were made from ``looked_at`` rows out of ``total``, in the order of the rows.

    A row that TRL drops has its sequences all the same, all of whose tokens are cut, and is among ``dropped``.
    ``tokenizer`` is the one that the trainer uses.
    """

    sequences: tuple[TokenSequence, ...]
    dropped: tuple[int, ...]
    looked_at: int
    total: int
    tokenizer: Any

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sequence, those that are cut included."""
        return [len(sequence.ids) for sequence in self.sequences]


class Preparation:
    """Prepares rows for the trainers of a program. ``tokenizers`` are those of the models that are loaded, by step."""

    def __init__(self, program: Program, loaded: LoadedProgram, tokenizers: Mapping[str, Any]) -> None:
        self.program, self.loaded = program, loaded
        self._tokenizers = dict(tokenizers)

    def know(self, step: str, tokenizer: Any) -> None:
        """The tokenizer of a model that has been loaded meanwhile."""
        self._tokenizers[step] = tokenizer

    def tokenizer(self, step: Step) -> Any:
        """The tokenizer that the model has which enters ``step``: that of the base, or one that a stage changed.

        None where the model's own could not be loaded.
        """
        source = list(self.program.graph.lineage(step))[1]
        if source.name not in self._tokenizers:
            self._tokenizers[source.name] = self._tokenizer_after(source)
        return self._tokenizers[source.name]

    def _tokenizer_after(self, stage: Step) -> Any:
        if not stage.wired("model"):
            return None
        before, rows = self.tokenizer(stage), self.loaded.rows(stage).get("dataset")
        changes_it = {"chat_template_path", "eos_token", "pad_token"} & set(stage.given)
        if before is None or rows is None or not changes_it:
            return before
        with stand_in_trainer(self.program, self.loaded, stage, _select(rows, [0]), before) as trainer:
            return trainer.processing_class

    def rows(self, step: Step, rows: Any, indices: Sequence[int]) -> PreparedRows:
        """What ``step`` makes of the rows at ``indices``.

        Raises ValueError where the tokenizer is missing, and what the libraries raise for rows that they cannot take.
        """
        tokenizer = self.tokenizer(step)
        if tokenizer is None:
            raise ValueError(f"the tokenizer of the model of {step.label} cannot be loaded")
        chosen = _select(rows, indices)
        made = (
            self._sequences(step, chosen, tokenizer) if step.node.sequences else self._prompts(step, chosen, tokenizer)
        )
        sequences, dropped, used = made
        return PreparedRows(tuple(sequences), tuple(dropped), len(chosen), len(rows), used)

    def _sequences(self, step: Step, rows: Any, tokenizer: Any) -> tuple[list[TokenSequence], list[int], Any]:
        kept, used, is_cut = self._collated(step, rows, tokenizer)
        if not is_cut:
            return [sequence for made in kept.values() for sequence in made], [], used
        complete, _, _ = self._collated(step, rows, tokenizer, max_length=NO_LIMIT)
        pairs = [(sequence, kept.get(row, ())) for row, made in sorted(complete.items()) for sequence in made]
        return [_with_cut(*pair) for pair in pairs], sorted(set(complete) - set(kept)), used

    def _collated(
        self, step: Step, rows: Any, tokenizer: Any, **changes: Any
    ) -> tuple[dict[int, tuple[TokenSequence, ...]], Any, bool]:
        """The sequences of each row (of each packed sequence, by its number), and whether a row may have been cut."""
        with stand_in_trainer(self.program, self.loaded, step, rows, tokenizer, **changes) as trainer:
            prepared, args = trainer.train_dataset, trainer.args
            packed = ROW not in prepared.column_names
            found = {}
            for number, example in enumerate(prepared):
                row = None if packed else example[ROW]
                batch = trainer.data_collator([example])
                found[number if packed else row] = tuple(_of_batch(batch, row, step.node.sequences))
            return found, trainer.processing_class, getattr(args, "max_length", None) is not None and not packed

    def _prompts(self, step: Step, rows: Any, tokenizer: Any) -> tuple[list[TokenSequence], list[int], Any]:
        """What is sampled from: TRL tokenizes prompts when it generates."""
        kwargs = template_kwargs(configuration(self.program, self.loaded, step))
        found = []
        for row in rows:
            ids = tuple(prompt_ids(tokenizer, row["prompt"], kwargs))
            found.append(TokenSequence(row[ROW], "prompt", ids, ("context",) * len(ids)))
        return found, [], tokenizer


def template_kwargs(config: Any) -> Mapping[str, Any]:
    """What the configuration of a trainer passes to the chat template."""
    return getattr(config, "chat_template_kwargs", None) or {}


def _select(rows: Any, indices: Sequence[int]) -> Any:
    """Those rows, in memory, so that nothing that is made of them is written to a cache, with their numbers."""
    with no_progress_bars():
        chosen = rows.select(indices).flatten_indices(keep_in_memory=True)
    return chosen.add_column(ROW, list(indices))


def prompt_ids(tokenizer: Any, prompt: Any, kwargs: Mapping[str, Any]) -> list[int]:
    """The tokens of a prompt as TRL samples from them: of plain text, with the special tokens of the tokenizer."""
    if isinstance(prompt, str):
        return tokenizer(text=prompt)["input_ids"]
    made = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True, **kwargs)
    return made["input_ids"]


def _of_batch(batch: Mapping[str, Any], row: int | None, parts: Sequence[str]) -> Iterator[TokenSequence]:
    """The sequences of a batch of one row; the loss is computed on labels, on completions, or else on everything."""
    if "input_ids" not in batch:  # some trainers of pairs have columns for each part
        for part in parts:
            one = {name: batch[f"{part}_{name}"] for name in ("input_ids", "labels", "attention_mask")}
            yield from _of_batch(one, row, (part,))
        return
    ids = batch["input_ids"]
    if "labels" in batch:
        trained = batch["labels"] != -100
    else:
        trained = batch.get("completion_mask", batch["attention_mask"]) != 0
    there = batch["attention_mask"] != 0 if "attention_mask" in batch else ids == ids
    for part, tokens, is_trained, is_there in zip(parts, ids, trained, there, strict=True):
        kinds: tuple[Kind, ...] = tuple("trained" if one else "context" for one in is_trained[is_there].tolist())
        yield TokenSequence(row, part, tuple(tokens[is_there].tolist()), kinds)


def _with_cut(complete: TokenSequence, kept: Sequence[TokenSequence]) -> TokenSequence:
    """``complete`` with the kinds that its tokens have in the same sequence of ``kept``; the other tokens are cut."""
    same = next((sequence for sequence in kept if sequence.part == complete.part), None)
    length = len(same.ids) if same else 0
    start = 0 if same is None or complete.ids[:length] == same.ids else len(complete.ids) - length
    rest = len(complete.ids) - length - start
    kinds = ("cut",) * start + (same.kinds if same else ()) + ("cut",) * rest
    return TokenSequence(complete.row, complete.part, complete.ids, kinds)
