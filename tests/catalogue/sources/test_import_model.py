"""Import Model: a GGUF file and an adapter become a folder, by the run and by the script."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import FAST, draw, node, problems

from ryven_llm_nodes.catalogue import SFT, ImportModel
from ryven_llm_nodes.run import run_program


def write_gguf(model: Path, file: Path) -> None:
    """The model in a folder as a GGUF file, in float32."""
    import json

    import gguf
    import numpy
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    config, writer = network.config, gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    vocabulary = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocabulary["vocab"], key=vocabulary["vocab"].get))
    writer.add_token_types([3 if number < 4 else 1 for number in range(config.vocab_size)])
    writer.add_token_merges([" ".join(pair) for pair in vocabulary["merges"]])
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(1)
    writer.add_pad_token_id(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in network.state_dict().items():
        weights = tensor.numpy()
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        if count := heads.get(name.split(".")[-2]):  # llama.cpp orders rotated halves otherwise
            rows, columns = weights.shape
            weights = weights.reshape(count, 2, rows // count // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), numpy.ascontiguousarray(weights))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def drawn(**params: Any) -> Any:
    nodes = {"base": node(ImportModel, **params), "rows": flows.ROWS["sft"], "sft": node(SFT, **FAST)}
    return draw("base -> sft, rows -> sft", **nodes)


def logits(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder)(torch.arange(20)[None]).logits


def test_a_gguf_file_becomes_a_folder_that_is_trained(work: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    (work / "files").mkdir()
    write_gguf(work / "model", work / "files" / "tiny.gguf")
    outcome = run_program(flows.program(drawn(path="files", gguf_file="tiny.gguf"), work), tmp_path / "out")
    assert outcome.error is None
    torch.testing.assert_close(logits(tmp_path / "out" / "base"), logits(work / "model"))
    given, made = (AutoTokenizer.from_pretrained(one) for one in (work / "model", tmp_path / "out" / "base"))
    assert made("what is 12")["input_ids"] == given("what is 12")["input_ids"]
    assert (tmp_path / "out" / "sft" / "model.safetensors").exists()


def test_an_adapter_is_merged_into_its_model(work: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    policy = get_peft_model(
        AutoModelForCausalLM.from_pretrained(work / "model"), LoraConfig(r=4, init_lora_weights=False)
    )
    policy.save_pretrained(work / "adapter")
    outcome = run_program(flows.program(drawn(path="adapter"), work), tmp_path / "out")
    assert outcome.error is None
    base = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(work / "model"), work / "adapter").eval()
    with torch.no_grad():
        expected = base(torch.arange(20)[None]).logits
    torch.testing.assert_close(logits(tmp_path / "out" / "base"), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(expected, logits(work / "model"), atol=1e-2)


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"path": "./none"}, "path: './none' is no folder; give the folder of a GGUF file or of an adapter."),
        (
            {"path": "files", "gguf_file": "other.gguf"},
            "gguf_file: 'files' contains no 'other.gguf'; correct the name.",
        ),
        ({"path": "files"}, "path: 'files' contains no adapter (adapter_config.json); set gguf_file to 'tiny.gguf'."),
        ({"path": "model"}, "path: 'model' contains no adapter (adapter_config.json); use Load Model for a model."),
    ],
)
def test_what_is_not_there(params: dict[str, Any], wrong: str, data: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(data, tmp_path / "work"))
    (work / "files").mkdir()
    (work / "files" / "tiny.gguf").touch()
    assert problems(drawn(**params), work) == [f"Import Model 'base' > {wrong}"]
