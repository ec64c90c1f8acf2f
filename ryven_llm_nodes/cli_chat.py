"""The command `ryven-llm chat`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from ryven_llm_nodes.cli_options import plain_errors
from ryven_llm_nodes.errors import UsageError


def chat(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="The folder of a model, or a Hub id; each answers."),
    ],
    prompt: Annotated[str | None, typer.Option("--prompt", help="Print the reply to this, and end.")] = None,
    system: Annotated[str, typer.Option("--system", help="The system prompt.")] = "",
    temperature: Annotated[float, typer.Option(min=0.0, help="0: always the most probable token.")] = 0.7,
    top_p: Annotated[float, typer.Option("--top-p", help="Sample from the most probable tokens of this mass.")] = 1.0,
    tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Tokens of a reply at most.")] = 256,
    seed: Annotated[int, typer.Option(help="The same seed gives the same reply.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="With --prompt: the replies as JSON.")] = False,
) -> None:
    """Talk to a model, or to several next to each other. A model without a chat template continues each message."""
    from ryven_llm_nodes.run.chat.replies import Sampling
    from ryven_llm_nodes.terminal_chat import answer_once, converse, load

    with plain_errors():
        if as_json and prompt is None:
            raise UsageError("--json needs --prompt TEXT.")
        console = Console(stderr=prompt is not None)
        sampling = Sampling(temperature, top_p, tokens, seed)
        speakers = load(models, console)
        if prompt is None:
            converse(speakers, system, sampling, console)
            return
        before = [{"role": "system", "content": system}] if system else []
        answer_once(speakers, [*before, {"role": "user", "content": prompt}], sampling, as_json)
