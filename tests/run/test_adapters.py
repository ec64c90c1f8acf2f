"""What an adapter cannot learn is refused before anything is trained; what it can is saved as trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flows
from flows import node

from ryven_llm_nodes.catalogue import SFT, LoadDataset, LoadModel, LoRA
from ryven_llm_nodes.program import build
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.store.keys import keys_of


def tie(folder: Path) -> None:
    """Saves the tiny model again, with tied embeddings."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    config = AutoConfig.from_pretrained(folder, tie_word_embeddings=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)


def donor(folder: Path, *added: str) -> None:
    """A tokenizer with a template, and tokens that the model may lack."""
    tokenizer = flows.make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [*added]})
    tokenizer.save_pretrained(folder)


def drawn(**given: Any) -> flows.Project:
    lora = given.pop("lora", {})
    return flows.draw(
        "base -> sft, rows -> sft, lora -> sft",
        base=node(LoadModel, path="model"),
        rows=node(LoadDataset, path="messages.jsonl"),
        lora=node(LoRA, r=4, **lora),
        sft=node(SFT, **{**flows.FAST, **given}),
    )


def run(work: Path, out: Path, **given: Any) -> Any:
    return run_program(flows.program(drawn(**given), work), out)


def test_the_template_of_another_model_and_tied_embeddings_are_refused(work: Path, tmp_path: Path) -> None:
    tie(work / "model")
    donor(work / "donor", "<|turn|>")
    outcome = run(work, tmp_path / "out", chat_template_path="./donor")
    assert str(outcome.error) == (
        "SFT 'sft' > chat_template_path: takes a template and its tokens from './donor', and LoRA cannot train new "
        "tokens if the embeddings are tied, as in 'model'. Give only the template, as a .jinja file, or disconnect "
        "the adapter."
    )


def test_a_template_alone_is_not(work: Path, tmp_path: Path) -> None:
    tie(work / "model")
    (work / "template.jinja").write_text(flows.CHAT_TEMPLATE.replace("<eos>", "."))
    assert run(work, tmp_path / "out", chat_template_path="template.jinja").error is None
    assert "}}.{%" in (tmp_path / "out/sft/chat_template.jinja").read_text()


def test_new_tokens_where_embeddings_are_not_tied_are_not(work: Path, tmp_path: Path) -> None:
    donor(work / "donor", "<|turn|>")
    assert run(work, tmp_path / "out", chat_template_path="./donor").error is None


def test_an_adapter_of_tied_embeddings_is_trained_and_kept(work: Path, tmp_path: Path) -> None:
    """The stage's folder holds the model untied, and the adapter, which gives the same on the stage's base."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tie(work / "model")
    lora = {"target_modules": ["embed_tokens", "q_proj"], "keep_adapter": True}
    outcome = run(work, tmp_path / "out", lora=lora, learning_rate=0.05)
    assert outcome.error is None
    ids = torch.arange(10, 26).view(1, 16)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out/sft").eval()
    base = AutoModelForCausalLM.from_pretrained(work / "model").eval()
    with torch.no_grad():
        before, now = base(ids).logits, model(ids).logits
        kept = PeftModel.from_pretrained(base, tmp_path / "out/sft/adapter").eval()(ids).logits
    assert torch.allclose(kept, now, atol=1e-5)
    assert not torch.allclose(before, now, atol=1e-3)
    assert not model.config.tie_word_embeddings


def test_whether_the_adapter_is_kept_is_part_of_the_key(workspace: Path) -> None:
    keys = [
        keys_of(build(flows.graph(drawn(lora=lora), workspace)))["sft"].digest for lora in ({}, {"keep_adapter": True})
    ]
    assert keys[0] != keys[1]


def test_the_script_says_that_the_adapter_is_kept(data: Path) -> None:
    text = flows.script(drawn(lora={"keep_adapter": True}), data)
    assert "save=partial(save_merged, keep_adapter=True)" in text
    assert "save=save_merged,\n" in flows.script(drawn(), data)
    assert "save_merged" not in flows.script(flows.alone("sft"), data)
