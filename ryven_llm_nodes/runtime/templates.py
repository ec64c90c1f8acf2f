"""A stage that gives a model another chat template."""

from pathlib import Path

from accelerate import PartialState
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import clone_chat_template, get_training_chat_template

from .checkpoints import finish_stage, is_finished
from .pipeline import Pipeline
from .stages import release_memory


def set_chat_template(pipeline: Pipeline, stage: str, model: str, **options: object) -> str:
    """Write a model with another chat template to a folder of its own; return that folder."""
    folder = pipeline.output_dir / stage
    if is_finished(folder) or pipeline.only not in (None, stage):
        return str(folder)
    pipeline.require_finished(stage, {"model": model})
    release_memory()
    write_with_template(model, folder, **options)
    finish_stage(folder)
    return pipeline.made(stage, folder)


def write_with_template(
    model: str,
    folder: Path,
    template: str = "",
    clone: str = "",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Write a model whose template is that of the file `template`, or that of the model `clone` with its tokens.

    Without either it is the variant for training that TRL has of the model's own template: it marks what the assistant
    says, and renders the turns before an answer the same with and without it.
    """
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    if PartialState().is_main_process:
        tokenizer = AutoTokenizer.from_pretrained(model, **where)
        network = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, **where)
        if clone:
            network, tokenizer, _ = clone_chat_template(network, tokenizer, clone)
        elif template:
            tokenizer.chat_template = Path(template).read_text(encoding="utf-8")
        else:
            tokenizer.chat_template = get_training_chat_template(tokenizer) or tokenizer.chat_template
        tokenizer.apply_chat_template([{"role": "user", "content": "Hello"}])  # a template with an error fails here
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    PartialState().wait_for_everyone()
