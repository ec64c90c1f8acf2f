"""A stage that turns a model in another form into a folder that every stage loads: a GGUF file, or a LoRA adapter."""

from pathlib import Path

from accelerate import PartialState
from peft import PeftConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from .checkpoints import finish_stage, is_finished
from .pipeline import Pipeline
from .stages import release_memory


def import_model(pipeline: Pipeline, stage: str, place: str, **options: object) -> str:
    """Write the model at `place` as a plain folder of its own; return that folder."""
    folder = pipeline.output_dir / stage
    if is_finished(folder) or pipeline.only not in (None, stage):
        return str(folder)
    release_memory()
    write_imported(place, folder, **options)
    finish_stage(folder)
    return pipeline.made(stage, folder)


def write_imported(
    place: str,
    folder: Path,
    gguf_file: str = "",
    base: str = "",
    dtype: str = "float32",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Write the weights of `gguf_file`, or the adapter at `place` merged into its `base`, and the tokenizer."""
    if PartialState().is_main_process:
        where = {"revision": revision, "trust_remote_code": trust_remote_code}
        if gguf_file:
            where["gguf_file"] = gguf_file
            network = plain(AutoModelForCausalLM.from_pretrained(place, dtype=dtype, **where))
            tokenizer = AutoTokenizer.from_pretrained(place, **where)
        else:
            base = base or PeftConfig.from_pretrained(place, revision=revision).base_model_name_or_path
            network = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, trust_remote_code=trust_remote_code)
            network = PeftModel.from_pretrained(network, place, revision=revision).merge_and_unload()
            tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=trust_remote_code)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    PartialState().wait_for_everyone()


def plain(network: PreTrainedModel) -> PreTrainedModel:
    """A model whose weights were dequantized while they were loaded, without the marks that still say otherwise."""
    network.hf_quantizer, network.is_quantized = None, False
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config
    return network
