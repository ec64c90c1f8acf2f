"""Chat Template: a model with another template, in a folder of its own, by the run and by the script."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from flows import BASE, FAST, draw, node, problems

from ryven_llm_nodes.catalogue import SFT, ChatTemplate, LoadDataset
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.run.events import StageReused
from ryven_llm_nodes.run.trust.foreign import foreign_code

OWN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
SAID = [{"role": "user", "content": "hi"}]


def drawn(**params: Any) -> Any:
    nodes = {"base": BASE, "other": node(ChatTemplate, **params), "rows": node(LoadDataset, path="messages.jsonl")}
    return draw("base -> other, other -> sft, rows -> sft", **nodes, sft=node(SFT, **FAST))


def rendered(folder: Path) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(folder).apply_chat_template(SAID, tokenize=False))


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_a_file(work: Path, tmp_path: Path) -> None:
    (work / "own.jinja").write_text(OWN)
    built = flows.program(drawn(source="file", chat_template_path="own.jinja"), work)
    outcome = run_program(built, tmp_path / "out")
    assert outcome.error is None
    assert outcome.models["other"] == tmp_path / "out" / "other"
    for stage in ("other", "sft"):
        assert rendered(tmp_path / "out" / stage) == "[user] hi<eos>"
    assert rendered(work / "model") == "<user>hi<eos>"
    assert sha256(tmp_path / "out" / "other") == sha256(work / "model"), "the weights stay"

    events: list[Any] = []
    run_program(built, tmp_path / "out", events.append)
    assert {event.step for event in events if isinstance(event, StageReused)} == {"other", "sft"}
    (work / "own.jinja").write_text(f"so: {OWN}")
    assert run_program(flows.program(built_again(), work), tmp_path / "out").error is None
    assert rendered(tmp_path / "out" / "other") == "so: [user] hi<eos>"


def built_again() -> Any:
    return drawn(source="file", chat_template_path="own.jinja")


def test_the_template_of_another_model(work: Path, tmp_path: Path) -> None:
    tokenizer = flows.make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<turn>"], "eos_token": "<turn>"})
    tokenizer.chat_template = OWN
    tokenizer.save_pretrained(work / "talker")
    built = flows.program(drawn(source="clone", chat_template_path="./talker"), work)
    assert run_program(built, tmp_path / "out").error is None
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = AutoTokenizer.from_pretrained(tmp_path / "out" / "other")
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "other")
    assert (made.eos_token, made.chat_template) == ("<turn>", OWN)
    assert network.config.eos_token_id == made.eos_token_id
    assert network.get_input_embeddings().weight.shape[0] == len(made)


@pytest.mark.slow
def test_the_script_does_the_same(work: Path, tmp_path: Path) -> None:
    (work / "own.jinja").write_text(OWN)
    built = flows.program(drawn(source="file", chat_template_path="own.jinja"), work)
    assert run_program(built, tmp_path / "out").error is None
    for lean in (False, True):
        script = tmp_path / f"script{lean}.py"
        script.write_text(built.script_for(tmp_path, lean).text, encoding="utf-8")
        subprocess.run([sys.executable, script, "--output-dir", tmp_path / f"{lean}"], check=True, capture_output=True)
        assert sha256(tmp_path / f"{lean}" / "sft") == sha256(tmp_path / "out" / "sft")
        assert rendered(tmp_path / f"{lean}" / "sft") == "[user] hi<eos>"


def test_a_template_with_an_error_names_the_node(work: Path, tmp_path: Path) -> None:
    (work / "own.jinja").write_text("{% for m in messages %}")
    outcome = run_program(flows.program(built_again(), work), tmp_path / "out")
    assert str(outcome.error).startswith("Chat Template 'other' > chat_template_path: its template fails: ")
    assert not (tmp_path / "out" / "other").exists(), "found before anything is written"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"chat_template_path": "x"}, "chat_template_path: is for file and clone; clear it, or change source."),
        ({"source": "file"}, "chat_template_path: is empty; give a file with a template."),
        ({"source": "clone"}, "chat_template_path: is empty; give a Hub id or folder of a model."),
        (
            {"source": "file", "chat_template_path": "no.jinja"},
            "chat_template_path: the file 'no.jinja' does not exist",
        ),
        ({"source": "clone", "chat_template_path": "./no"}, "chat_template_path: './no' is no folder of a model; give"),
    ],
)
def test_complaint(params: dict[str, str], message: str, data: Path) -> None:
    (wrong,) = problems(drawn(**params), data)
    assert wrong.startswith(f"Chat Template 'other' > {message}")


def test_a_template_of_someone_else_is_shown_before_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text(OWN)
    flows.write_hollow_model(tmp_path / "model")
    flows.write_data(tmp_path)
    (found,) = foreign_code(flows.graph(built_again(), tmp_path))
    assert (found.step, found.what) == ("other", "takes the chat template from elsewhere")
    assert OWN in found.content
