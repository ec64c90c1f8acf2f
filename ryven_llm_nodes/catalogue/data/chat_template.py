"""Chat Template: a model that is talked to in another way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ryven_llm_nodes.catalogue.cell import PIPELINE, RUNTIME, Cell, call, literal
from ryven_llm_nodes.catalogue.files import File, files_named_by
from ryven_llm_nodes.catalogue.findings import Complaint, Finding, Seen
from ryven_llm_nodes.catalogue.node import LLMNode, NodeContext, Port
from ryven_llm_nodes.catalogue.parameters import JSON, choice, text
from ryven_llm_nodes.catalogue.places import is_local, location_expression, looks_local, resolve
from ryven_llm_nodes.catalogue.values import ModelValue
from ryven_llm_nodes.errors import shown
from ryven_llm_nodes.system.causes import describe

SAID: Final = [{"role": "user", "content": "Hello"}]
"""What a template is tried on, here and at its stage."""


class ChatTemplate(LLMNode):
    """Gives a model another chat template, and passes on a folder with model and tokenizer.

    *file*: a file with a Jinja template. *clone*: the template of another model, whose special tokens and end token are
    added to the tokenizer (TRL's ``clone_chat_template``; new tokens get new rows in the embeddings, to be trained).
    *training*: the variant that TRL has of the model's own template, which marks what the assistant says.
    """

    title = "Chat Template"
    position = 8
    stem = "templated"
    icon = "template"
    accent = "model"
    is_stage = True
    leaves = "model"
    tags = ["chat", "template", "tokenizer", "jinja", "clone", "chatml", "conversation", "assistant only loss"]
    in_ports = (Port("model", "model"),)
    out_ports = (Port("model", "model"),)
    parameters = (
        choice("source", "training", ("file", "clone", "training"), "Where the template is from."),
        text(
            "chat_template_path",
            "",
            "For file, a Jinja template; for clone, the Hub id or folder of a model.",
            typical="chatml.jinja or Qwen/Qwen3-0.6B",
            widget="file",
        ),
    )

    @classmethod
    def cell(cls, context: NodeContext) -> Cell:
        model, name = context.inputs["model"], context.name
        assert isinstance(model, ModelValue)
        options = {"model": model.expression}
        path = context["chat_template_path"]
        if context["source"] != "training":
            keyword = "template" if context["source"] == "file" else "clone"
            options[keyword] = location_expression(path, context.root)
        options |= {"dtype": literal(model.init["dtype"])} if "dtype" in model.init else {}
        options |= {"revision": literal(model.revision)} if model.revision else {}
        options |= {"trust_remote_code": "True"} if model.trust_remote_code else {}
        made = call("set_chat_template", "pipeline", literal(name), **options)
        imports = (PIPELINE, f"from {RUNTIME}.templates import set_chat_template")
        return Cell(imports, statement=f"{name} = {made}", values={"model": model.trained(name)})

    @classmethod
    def gives_template(cls, given: Mapping[str, JSON]) -> bool:
        return True

    @classmethod
    def retokenized(cls, context: NodeContext, tokenizer: Any, tiny_model: Callable[[], Any]) -> Any:
        from trl import clone_chat_template, get_training_chat_template

        path, source = context["chat_template_path"], context["source"]
        place = str(resolve(path, context.root)) if is_local(path, context.root) else path
        if source == "clone":
            return clone_chat_template(tiny_model(), tokenizer, place)[1]
        own = Path(place).read_text(encoding="utf-8") if source == "file" else get_training_chat_template(tokenizer)
        tokenizer.chat_template = own or tokenizer.chat_template
        return tokenizer

    @classmethod
    def fingerprint(cls, context: NodeContext) -> Iterator[File]:
        yield from files_named_by(context["chat_template_path"], context.root, names_folder=True)

    @classmethod
    def read(cls, context: NodeContext, seen: Seen) -> Iterator[Finding]:
        """A template with an error would fail at this stage."""
        if context["source"] == "file" and seen.tokenizer is not None:
            template = resolve(context["chat_template_path"], context.root).read_text(encoding="utf-8")
            try:
                seen.tokenizer.apply_chat_template(SAID, chat_template=template, tokenize=False)
            except Exception as error:  # whatever the template raises
                yield Finding("chat_template_path", f"its template fails: {describe(error)}")

    @classmethod
    def drawn(cls, context: NodeContext) -> Iterator[Complaint]:
        path, source = context["chat_template_path"], context["source"]
        place = resolve(path, context.root)
        if source == "training" and path:
            yield "chat_template_path", "is for file and clone; clear it, or change source."
        elif source != "training" and not path:
            what = "a file with a template" if source == "file" else "a Hub id or folder of a model"
            yield "chat_template_path", f"is empty; give {what}."
        elif source == "file" and not os.path.isfile(str(place).replace("\0", "")):
            yield "chat_template_path", f"the file {shown(path)} does not exist (looked in {context.root}); correct it."
        elif source == "clone" and looks_local(path) and not _is_folder(path, context):
            yield "chat_template_path", f"{shown(path)} is no folder of a model; give one, or a Hub id."


def _is_folder(path: str, context: NodeContext) -> bool:
    """Whether ``path`` is a folder."""
    return is_local(path, context.root) and os.path.isdir(str(resolve(path, context.root)).replace("\0", ""))
