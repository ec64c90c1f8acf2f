"""Rules about the tokenizer and its chat template: what it refuses, drops, or renders in another way than expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ryven_llm_nodes.catalogue.findings import Finding
from ryven_llm_nodes.errors import Remedy, shown
from ryven_llm_nodes.run.examine.look import Look, excerpt, rule
from ryven_llm_nodes.run.examine.rendered import Rendered, Text
from ryven_llm_nodes.run.examine.survey import REASONING

PRINTED = ("[{'type'", '[{"type"', "{'type': 'text'")
"""How a template that expects text prints a list of parts."""
SYSTEM = "system"


def _rendered(look: Look) -> Iterator[tuple[str, Rendered]]:
    """The datasets that are conversations, in the template's words."""
    for port in look.rows:
        if look.rendered(port).is_chat:
            yield port, look.rendered(port)


@rule("rows", "template")
def refused(look: Look) -> Iterator[Finding]:
    """A template may refuse a role, or an order of roles."""
    for port, rendered in _rendered(look):
        wrong = [text for text in rendered.texts if text.error]
        if wrong:
            first = wrong[0]
            roles = [str(turn.get("role")) for turn in first.turns]
            remedy = (
                "Put the system turn into the first turn of the user, with Convert Format"
                if SYSTEM in roles and SYSTEM in first.error.lower()
                else "Change these rows, or leave them out (Filter)"
            )
            count = len({text.row for text in wrong})
            yield Finding(
                port,
                f"the chat template of {shown(look.seen.model)} refuses {count} of {rendered.sampled}, first row "
                f"{first.row} ({', '.join(roles)}): {first.error.rstrip('.')}. {remedy}, or set another template.",
                row=first.row,
            )


@rule("rows", "template")
def dropped_tool_calls(look: Look) -> Iterator[Finding]:
    """A template that knows no tools renders a call as an empty turn."""
    for port, rendered in _rendered(look):
        for name in ("tool_calls", "tools"):
            text = next((text for text in rendered.texts if not text.error and _has(text, name)), None)
            if text is not None and _rendered_without(rendered, text, name) == _whole(rendered, text):
                yield Finding(
                    port,
                    f"the chat template of {shown(look.seen.model)} does not write {name!r} (row {text.row}): they "
                    "would not be learned. Use a model whose template knows tools, or set another template.",
                    "warning",
                    text.row,
                )


def _has(text: Text, name: str) -> bool:
    return bool(text.tools) if name == "tools" else any(turn.get(name) for turn in text.turns)


def _whole(rendered: Rendered, text: Text) -> str:
    return rendered.render(text.turns, text.tools, False)


def _rendered_without(rendered: Rendered, text: Text, name: str) -> str | None:
    turns = tuple({key: value for key, value in turn.items() if key != name} for turn in text.turns)
    try:
        return rendered.render(turns, None if name == "tools" else text.tools, False)
    except Exception:  # what is written without them is refused, so they are read
        return None


@rule("rows", "template")
def dropped_reasoning(look: Look) -> Iterator[Finding]:
    """Reasoning in a field of its own is written by some templates only."""
    for port, rendered in _rendered(look):
        for text in rendered.texts:
            found = [turn[name] for turn in text.turns for name in REASONING if isinstance(turn.get(name), str)]
            last = found[-1].strip() if found else ""
            if last and not text.error and last not in text.text:
                yield Finding(
                    port,
                    f"the chat template of {shown(look.seen.model)} does not write the reasoning of row {text.row} "
                    f"({excerpt(last)}): the model would not learn it. Set another template, or put it into content.",
                    "warning",
                    text.row,
                )
                break


@rule("rows", "template")
def printed_parts(look: Look) -> Iterator[Finding]:
    """A list of parts where the template expects text is printed as Python prints it."""
    for port, rendered in _rendered(look):
        for text in rendered.texts:
            if any(isinstance(turn.get("content"), list) for turn in text.turns) and _is_printed(text.text):
                at = min(text.text.index(sign) for sign in PRINTED if sign in text.text)
                yield Finding(
                    port,
                    f"turns whose content is a list of parts would be trained as {excerpt(text.text[at : at + 60])} "
                    f"(row {text.row}): the chat template of {shown(look.seen.model)} expects text. Join the parts to "
                    "text, with Convert Format.",
                    row=text.row,
                )
                break


def _is_printed(text: str) -> bool:
    return any(sign in text for sign in PRINTED)


@rule("rows", "template")
def prompt_differs(look: Look) -> Iterator[Finding]:
    """Training compares the prompt alone with the prompt and its completion, to know where the completion begins."""
    for port, rendered in _rendered(look):
        wrong = [text for text in rendered.texts if text.prompt and not text.text.startswith(text.prompt)]
        if wrong:
            first = wrong[0]
            same = next(
                (i for i, (a, b) in enumerate(zip(first.prompt, first.text, strict=False)) if a != b),
                min(len(first.prompt), len(first.text)),
            )
            yield Finding(
                port,
                f"the chat template of {shown(look.seen.model)} writes the prompt of {len({t.row for t in wrong})} of "
                f"{rendered.sampled} in another way when the completion follows (row {first.row}: "
                f"{excerpt(first.prompt[same : same + 40])} alone, {excerpt(first.text[same : same + 40])} with it). "
                "What differs is left out of the prompt, or learned as completion; use a template that writes both "
                "alike.",
                "warning",
                first.row,
            )


@rule("rows", "tokenizer")
def merged_border(look: Look) -> Iterator[Finding]:
    """Where a token spans the end of the prompt, training leaves that end out of the prompt."""
    tokenizer = look.seen.tokenizer
    for port in look.rows:
        rendered = look.rendered(port)
        wrong = [] if rendered.is_chat else [text for text, ids in rendered.tokens if not _begins(tokenizer, text, ids)]
        if wrong:
            end = wrong[0].prompt[-20:]
            yield Finding(
                port,
                f"tokens of {len({text.row for text in wrong})} of {rendered.sampled} span the end of the prompt and "
                f"the beginning of the completion (row {wrong[0].row}: {excerpt(end)} and "
                f"{excerpt(wrong[0].text[len(wrong[0].prompt) :][:20])}): training leaves that end out of the prompt. "
                "Let the completion begin with the space, not the prompt end with it.",
                "warning",
                wrong[0].row,
            )


def _begins(tokenizer: Any, text: Text, ids: list[int]) -> bool:
    """Whether the tokens of a text begin with those of its prompt."""
    prompt = tokenizer(text.prompt)["input_ids"] if text.prompt and text.prompt != text.text else []
    return ids[: len(prompt)] == prompt


# How a turn ends

DUMMY = ({"role": "user", "content": "Question"}, {"role": "assistant", "content": "Answer"})


@rule("rows", "template")
def end_of_turn(look: Look) -> Iterator[Finding]:
    """What ends a turn in the template has to be what ends generation."""
    port, rendered = next(_rendered(look), ("", None))
    tokenizer = look.seen.tokenizer
    end = look.context.given.get("eos_token") or tokenizer.eos_token
    if rendered is None or end is None or not look.leaves_policy:
        return
    try:
        tail = rendered.render(DUMMY, None, False).rpartition("Answer")[2]
    except Exception:  # a template for other roles; rows that it refuses are reported
        return
    token = _first_special(tokenizer, tail)
    if token is None:
        yield Finding(
            port,
            f"the chat template of {shown(look.seen.model)} ends a turn of the assistant with {excerpt(tail)} and no "
            f"special token: the model is not trained to stop. Use a template that ends it with {shown(end)}.",
            "warning",
        )
    elif token != end and tokenizer.convert_tokens_to_ids(token) not in _stops(look.seen.generation):
        yield _other_end(look, token, str(end))


def _other_end(look: Look, token: str, end: str) -> Finding:
    what = f"turns end with {shown(token)}, but generation stops at {shown(end)}"
    if look.samples:
        effect = "completions would run to max_completion_length"
    else:
        effect = "a model that has learned to end its turns would not stop"
    if "eos_token" in look.context.node.all_parameters():
        remedy = Remedy("eos_token", token)
        return Finding("eos_token", f"{what}: {effect}. Set {token}.", "warning", remedy=remedy)
    return Finding(
        "model", f"{what}: {effect}. Set eos_token to {token} on an SFT stage before, or in the model.", "warning"
    )


def _first_special(tokenizer: Any, tail: str) -> str | None:
    """The first special token of ``tail``."""
    special = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    ids = tokenizer(tail, add_special_tokens=False)["input_ids"]
    return next((token for token in tokenizer.convert_ids_to_tokens(ids) if token in special), None)


def _stops(generation: Any) -> tuple[int, ...]:
    """The tokens at which generation stops by the model's own settings."""
    ends = (generation or {}).get("eos_token_id")
    return tuple(ends) if isinstance(ends, list) else (ends,) if ends is not None else ()


@rule("rows", "template", "settings")
def stop_token_not_trained(look: Look) -> Iterator[Finding]:
    """With a loss on the assistant's turns only, the token that ends them has to be among what is marked."""
    from trl.chat_template_utils import (
        get_training_chat_template,
        has_generation_markers,
        is_chat_template_stop_token_trained,
    )

    if not getattr(look.seen.settings, "assistant_only_loss", False):
        return
    tokenizer = look.seen.tokenizer
    try:
        own = tokenizer.chat_template
        template = own if has_generation_markers(own) else get_training_chat_template(tokenizer)
    except Exception:  # a template without markers is reported by the trainer's own look
        return
    if template and not is_chat_template_stop_token_trained(tokenizer, template):
        yield Finding(
            "assistant_only_loss",
            f"the chat template of {shown(look.seen.model)} does not mark the token that ends a turn of the assistant: "
            "the model is not trained to stop. Move {% endgeneration %} behind that token.",
            "warning",
        )


# Special tokens


@rule("rows", "tokenizer")
def no_end_token(look: Look) -> Iterator[Finding]:
    """Plain text ends with the end token, and generation stops at it."""
    tokenizer = look.seen.tokenizer
    if tokenizer.eos_token is not None or look.context.given.get("eos_token") or look.seen.other_template:
        return
    has = "eos_token" in look.context.node.all_parameters()
    remedy = "set it to a token of the vocabulary" if has else "add it to the tokenizer of the model"
    yield Finding(
        "eos_token" if has else "model",
        f"the tokenizer of {shown(look.seen.model)} has no end token (eos_token), which ends every text that is "
        f"trained, and generation; {remedy}.",
    )


@rule("rows", "tokenizer")
def twice_the_beginning(look: Look) -> Iterator[Finding]:
    """Text into which a chat template was rendered already begins with the token that the tokenizer adds."""
    tokenizer = look.seen.tokenizer
    first = tokenizer.bos_token
    if not first or tokenizer("x")["input_ids"][:1] != [tokenizer.bos_token_id]:
        return
    for port in look.rows:
        rendered = look.rendered(port)
        wrong = [] if rendered.is_chat else [text for text in rendered.texts if text.text.startswith(first)]
        if wrong:
            yield Finding(
                port,
                f"{len({text.row for text in wrong})} of {rendered.sampled} begin with {shown(first)} (row "
                f"{wrong[0].row}: {excerpt(wrong[0].text)}), and the tokenizer adds another one. Remove it from the "
                "text with Map Columns.",
                "warning",
                wrong[0].row,
            )
