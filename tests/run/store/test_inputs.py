"""A stage is used again only where every byte that it would read is as it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import children
import flows
import pytest

from ryven_llm_nodes.catalogue import GRPO, SFT, CombineRewards, LoadDataset, LoadModel, RewardFunction, RewardModel
from ryven_llm_nodes.catalogue.node import NodeContext
from ryven_llm_nodes.run.store.inputs import digest_of
from ryven_llm_nodes.run.store.keys import keys_of

HELPER = (
    "from pathlib import Path\nimport pack.more\n\nWORDS = (Path(__file__).parent / 'words.txt').read_text().split()\n"
)
REWARD = '''from helper import WORDS


def known(completions, **kwargs):
    """The share of characters that are in a list."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [sum(c in WORDS for c in text) / max(len(text), 1) for text in texts]
'''
GROUPS = {**flows.ROLLOUT, "num_generations": 4, "reward_threshold": None}


def everything() -> flows.Project:
    """A flow that reads files of every kind: a pattern, a template, modules, a list, a model with old weights."""
    return flows.draw(
        "base -> sft, rows -> sft, sft -> grpo, chats -> grpo, known -> both, judge -> both, both -> grpo",
        "everything",
        base=flows.node(LoadModel, path="model"),
        rows=flows.node(LoadDataset, path="parts/*/rows.jsonl"),
        sft=flows.node(SFT, **flows.FAST, chat_template_path="chat.jinja"),
        chats=flows.node(LoadDataset, path="chats"),
        known=flows.node(RewardFunction, code=REWARD),
        judge=flows.node(RewardModel, path="judge"),
        both=flows.node(CombineRewards),
        grpo=flows.node(GRPO, **GROUPS),
    )


def write_everything(folder: Path) -> None:
    """What :func:`everything` reads; the base model in two shards."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForSequenceClassification

    for part, count in (("a", 8), ("b", 4)):
        (folder / "parts" / part).mkdir(parents=True)
        lines = (folder / "sft.jsonl").read_text().splitlines(keepends=True)[:count]
        (folder / "parts" / part / "rows.jsonl").write_text("".join(lines))
    (folder / "chats").mkdir()
    (folder / "chats.jsonl").rename(folder / "chats" / "train.jsonl")
    (folder / "chat.jinja").write_text(flows.CHAT_TEMPLATE)
    (folder / "helper.py").write_text(HELPER)
    (folder / "words.txt").write_text("a e i o u")
    (folder / "pack").mkdir()
    (folder / "pack/more.py").write_text("MORE = 1\n")
    base = AutoModelForCausalLM.from_pretrained(folder / "model")
    shutil.rmtree(folder / "model")
    base.save_pretrained(folder / "model", max_shard_size="40KB")
    tokenizer = flows.make_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    judge = LlamaForSequenceClassification(
        LlamaConfig(**sizes, vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=1, num_labels=1)
    )
    judge.save_pretrained(folder / "judge")
    tokenizer.save_pretrained(folder / "judge")
    (folder / "judge/model.safetensors").unlink()
    torch.save(judge.state_dict(), folder / "judge/pytorch_model.bin")


@pytest.fixture(scope="module")
def place(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(workspace, tmp_path_factory.mktemp("everything") / "work"))
    write_everything(folder)
    return folder


@pytest.fixture(scope="module")
def opened(place: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files that a run of :func:`everything` opens, as the interpreter itself reports them."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(
        target=children.run_and_tell_what_was_opened,
        args=(place, tmp_path_factory.mktemp("out"), everything(), sender),
    )
    child.start()
    error, files = receiver.recv()
    child.join()
    assert error == ""
    return [Path(file) for file in files if Path(file).is_file() and "__pycache__" not in file]


@contextmanager
def one_byte_changed(file: Path) -> Iterator[None]:
    """Inside, the last byte but one is another; size and time of change are as they were."""
    before, found = file.read_bytes(), file.stat()
    place = max(len(before) - 2, 0)
    file.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    try:
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_one_byte_of_whatever_is_read_makes_another_key(place: Path, opened: list[Path]) -> None:
    names = {file.relative_to(place).as_posix() for file in opened}
    program = flows.program(everything(), place)
    assert {"parts/a/rows.jsonl", "parts/b/rows.jsonl", "chats/train.jsonl", "chat.jinja"} <= names
    assert {
        "helper.py",
        "words.txt",
        "pack/more.py",
        "judge/pytorch_model.bin",
        "model/generation_config.json",
    } <= names
    shards = {f"model/{file.name}" for file in (place / "model").glob("*.safetensors")}
    assert len(shards) > 1
    before = keys_of(program)["grpo"].digest
    same = []
    for name in sorted(names | shards):
        with one_byte_changed(place / name):
            if keys_of(flows.program(everything(), place))["grpo"].digest == before:
                same.append(name)
    assert same == []
    assert keys_of(program)["grpo"].digest == before


def test_what_nobody_reads_makes_none(place: Path) -> None:
    """Else nothing would ever be used again: Python's own files, hidden ones, what lies beside."""
    before = keys_of(flows.program(everything(), place))["grpo"].digest
    for name in ("model/.cache", "pack/__pycache__/more.cpython-311.pyc", "notes.md", "other.py", "parts/c/other.txt"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("new")
    assert keys_of(flows.program(everything(), place))["grpo"].digest == before


def files(drawn: flows.Project, root: Path, step: str) -> list[str]:
    drawn_step = flows.graph(drawn, root).by_name[step]
    context = NodeContext(drawn_step.node, step, drawn_step.given, {}, root)
    return sorted(name for name, _ in drawn_step.node.fingerprint(context))


class TestWhatAStepReads:
    def test_files_of_one_name_in_several_folders(self, data: Path, tmp_path: Path) -> None:
        for part in ("a/x", "b/x"):
            (tmp_path / part).mkdir(parents=True)
            (tmp_path / part / "rows.jsonl").write_text("{}")
        for path in ("*/x/rows.jsonl", "**/rows.jsonl"):
            drawn = flows.draw(rows=flows.node(LoadDataset, path=path))
            assert files(drawn, tmp_path, "rows") == ["a/x/rows.jsonl", "b/x/rows.jsonl"]

    def test_a_folder_that_is_reached_by_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        (tmp_path / "far/rows.jsonl").write_text("{}")
        (tmp_path / "near").mkdir()
        (tmp_path / "near/link").symlink_to(tmp_path / "far")
        (tmp_path / "far/round").symlink_to(tmp_path / "near")
        assert files(flows.draw(rows=flows.node(LoadDataset, path="near")), tmp_path, "rows") == ["link/rows.jsonl"]

    def test_the_base_of_an_adapter(self, data: Path, tmp_path: Path) -> None:
        flows.write_hollow_model(tmp_path / "adapter")
        (tmp_path / "adapter/adapter_config.json").write_text(
            json.dumps({"base_model_name_or_path": str(data / "model")})
        )
        found = files(flows.draw(base=flows.node(LoadModel, path="adapter")), tmp_path, "base")
        assert "base model: model.safetensors" in found

    def test_a_stage_of_another_flow_without_its_checkpoints(self, tmp_path: Path) -> None:
        flows.write_hollow_model(tmp_path / "sft")
        for name in ("stage.json", "finished", "metrics.jsonl", "flow.json", "checkpoints/checkpoint-1/optimizer.pt"):
            (tmp_path / "sft" / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / "sft" / name).write_text("{}")
        found = files(flows.draw(base=flows.node(LoadModel, path="sft")), tmp_path, "base")
        assert found == ["config.json", "model.safetensors", "tokenizer.json"]

    @pytest.mark.parametrize("value", ["plan.json", {"deep": ["plan.json"]}])
    def test_whatever_field_names_it(self, value: object, data: Path, tmp_path: Path) -> None:
        (tmp_path / "plan.json").write_text("{}")
        drawn = flows.draw(sft=flows.node(SFT, lr_scheduler_kwargs=value))
        assert files(drawn, tmp_path, "sft") == ["plan.json"]

    def test_two_files_of_one_name_that_fields_name(self, tmp_path: Path) -> None:
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "plan.json").write_text("{}")
        drawn = flows.draw(sft=flows.node(SFT, deepspeed="a/plan.json", fsdp_config="b/plan.json"))
        assert files(drawn, tmp_path, "sft") == ["a/plan.json", "b/plan.json"]


def test_a_file_is_not_read_again_while_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ryven_llm_nodes.run.store import inputs

    read: list[Path] = []
    original: Callable[[Path], str] = inputs._sha256
    monkeypatch.setattr(inputs, "_sha256", lambda file: read.append(file) or original(file))
    file = tmp_path / "weights"
    file.write_bytes(b"1234")
    digest_of(file)
    digest_of(file)
    assert len(read) == 2, "so young a file may change without a trace"
    monkeypatch.setattr(inputs, "SETTLED_NS", -1)
    assert digest_of(file) == digest_of(file)
    assert len(read) == 3
    with one_byte_changed(file):
        digest_of(file)
    assert len(read) == 4


def test_a_file_that_cannot_be_read_is_no_error(tmp_path: Path) -> None:
    assert digest_of(tmp_path / "none") == "cannot be read: No such file or directory"


def test_the_folder_that_a_critic_starts_from(work: Path) -> None:
    """PPO reads its weights, which no wire tells."""
    shutil.copytree(work / "model", work / "critic")
    drawn = flows.alone("ppo", value_model="critic")
    before = keys_of(flows.program(drawn, work))["ppo"]
    assert keys_of(flows.program(drawn, work))["ppo"] == before
    weights = work / "critic" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert keys_of(flows.program(drawn, work))["ppo"] != before
    assert 'value_model=str(ROOT / "critic")' in flows.script(drawn, work)
