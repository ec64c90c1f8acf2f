"""What a flow from a stranger could do is found, shown once, and remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flows import BASE, REWARD, alone, chain, draw, graph, node

from ryven_llm_nodes import templates
from ryven_llm_nodes.catalogue import (
    ALL_NODES,
    DPO,
    GRPO,
    PPO,
    SFT,
    ExportScript,
    LLMNode,
    LoadModel,
    RewardFunction,
    RewardModel,
    SaveModel,
)
from ryven_llm_nodes.catalogue.training.trainer import Trainer
from ryven_llm_nodes.demo.story import demo_flow
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.host.session import new_session, open_project, run_live_flow
from ryven_llm_nodes.program import Graph
from ryven_llm_nodes.run.trust.foreign import foreign_code
from ryven_llm_nodes.run.trust.reach import DETAILS, HARMLESS, REACHES
from ryven_llm_nodes.run.trust.seen import STORE, Foreign, remember, unseen


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of a user who has seen nothing."""
    monkeypatch.setenv("RYVEN_LLM_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / STORE


def found(kind: Any, root: Path, output_dir: Path | None = None, **params: Any) -> list[tuple[str, str, str]]:
    """Parameter, phrase and text of what is found on one node."""
    items = foreign_code(graph(draw(n=node(kind, **params)), root), output_dir)
    assert {item.step for item in items} <= {"n"}
    return [(item.parameter, item.what, item.text) for item in items]


class TestFinding:
    def test_a_flow_without_anything_of_the_kind(self, tmp_path: Path) -> None:
        assert foreign_code(graph(alone("sft", lora=True), tmp_path)) == []

    def test_code(self, tmp_path: Path) -> None:
        assert found(RewardFunction, tmp_path, code=REWARD) == [("code", "runs Python code of its own", REWARD[:-1])]
        assert found(RewardFunction, tmp_path) == []  # then it is the code that comes with the node

    @pytest.mark.parametrize("kind", [LoadModel, RewardModel])
    def test_code_of_a_model_on_the_hub(self, kind: Any, tmp_path: Path) -> None:
        assert found(kind, tmp_path, path="a/b", trust_remote_code=False) == []
        ((name, what, text),) = found(kind, tmp_path, path="a/b", trust_remote_code=True, revision="v1")
        assert name == "trust_remote_code"
        assert what.startswith("fetches this repository from the Hub, and runs")
        assert text == "a/b (v1)"
        assert "(main branch)" in found(kind, tmp_path, path="a/b", trust_remote_code=True)[0][2]

    def test_code_of_a_model_in_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "m" / "inner").mkdir(parents=True)
        (tmp_path / "m" / "modeling.py").write_text("EVIL = 1")
        (tmp_path / "m" / "inner" / "more.py").write_text("WORSE = 2")
        (tmp_path / "m" / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "x/y--z.Z"}, "size": 1}))
        ((_, what, text),) = found(LoadModel, tmp_path, path="./m", trust_remote_code=True)
        assert what == "runs the Python code of this folder"
        for wanted in ("# modeling.py\nEVIL = 1", "WORSE = 2", "x/y--z.Z"):
            assert wanted in text
        before = foreign_code(graph(draw(n=node(LoadModel, path="./m", trust_remote_code=True)), tmp_path))[0].digest
        (tmp_path / "m" / "modeling.py").write_text("EVIL = 3")
        after = foreign_code(graph(draw(n=node(LoadModel, path="./m", trust_remote_code=True)), tmp_path))[0].digest
        assert before != after

    def test_a_whole_disk_is_not_read(self, tmp_path: Path) -> None:
        ((_, _, text),) = found(LoadModel, tmp_path, path="/", trust_remote_code=True)
        assert text.startswith("# /")

    def test_a_kernel_of_the_hub(self, tmp_path: Path) -> None:
        for harmless in ("", "sdpa", "eager", "flash_attention_2"):
            assert found(LoadModel, tmp_path, path="a/b", attn_implementation=harmless) == []
        ((name, what, text),) = found(LoadModel, tmp_path, path="a/b", attn_implementation="evil/kernel@main:f")
        assert (name, text) == ("attn_implementation", "evil/kernel@main:f")
        assert "kernel" in what

    def test_chat_templates(self, tmp_path: Path) -> None:
        (tmp_path / "t.jinja").write_text("{{ messages }}")
        ((_, what, text),) = found(SFT, tmp_path, chat_template_path=str(tmp_path / "t.jinja"))
        assert what == "takes the chat template from elsewhere"
        assert text == f"{tmp_path / 't.jinja'}\n\n{{{{ messages }}}}"
        ((_, _, beside),) = found(SFT, tmp_path, chat_template_path="t.jinja")
        assert beside == "t.jinja\n\n{{ messages }}", "looked up beside the flow, as the run does"
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "chat_template.jinja").write_text("{{ eos }}")
        assert found(SFT, tmp_path, chat_template_path=str(tmp_path / "m"))[0][2].endswith("{{ eos }}")
        assert found(SFT, tmp_path, chat_template_path="owner/name")[0][2] == "owner/name"

    @pytest.mark.parametrize(
        ("params", "phrase", "text"),
        [
            ({"push_to_hub": True, "hub_model_id": "a/b"}, "sends the model", "true\nhub_model_id: a/b"),
            ({"report_to": "wandb", "project": "p"}, "sends metrics", "wandb\nproject: p"),
            ({"report_to": ["none", "mlflow"]}, "sends metrics", '[\n  "none",\n  "mlflow"\n]'),
            ({"deepspeed": "ds.json"}, "passes this to DeepSpeed", "ds.json"),
            ({"model_init_kwargs": {"trust_remote_code": True}}, "passes this to the loading", "trust_remote_code"),
            ({"model_init_kwargs": {"attn_implementation": "a/b"}}, "passes this to the loading", "a/b"),
            ({"model_init_kwargs": {"weights_only": False}}, "passes this to the loading", "weights_only"),
        ],
    )
    def test_fields_of_every_trainer(self, params: dict[str, Any], phrase: str, text: str, tmp_path: Path) -> None:
        for kind in (SFT, PPO, DPO, GRPO):
            ((name, what, shown),) = found(kind, tmp_path, **params)
            assert name == next(iter(params))
            assert what.startswith(phrase)
            assert text in shown

    @pytest.mark.parametrize(
        ("params", "phrase"),
        [
            ({"log_completions_hub_repo": "a/b"}, "sends completions"),
            ({"generation_kwargs": {"custom_generate": "a/b"}}, "passes this"),
            ({"chat_template_kwargs": {"chat_template": "{{ x }}"}}, "passes this to the chat template"),
        ],
    )
    @pytest.mark.parametrize("kind", [PPO, GRPO])
    def test_fields_of_rollouts(self, kind: Any, params: dict[str, Any], phrase: str, tmp_path: Path) -> None:
        ((_, what, text),) = found(kind, tmp_path, **params)
        assert what.startswith(phrase)
        for value in params.values():
            assert (value if isinstance(value, str) else next(iter(value))) in text

    def test_a_server_of_others(self, tmp_path: Path) -> None:
        """PPO has no such fields."""
        params = {"use_vllm": True, "vllm_mode": "server", "vllm_server_host": "evil.example"}
        ((_, what, text),) = found(GRPO, tmp_path, **params)
        assert what.startswith("generates with vLLM")
        assert "server" in text
        assert "evil.example" in text

    def test_settings_that_reach_nothing(self, tmp_path: Path) -> None:
        harmless = {"push_to_hub": False, "report_to": "none", "run_name": "x", "lr_scheduler_type": "cosine"}
        harmless |= {"model_init_kwargs": {"dtype": "bfloat16", "attn_implementation": "sdpa"}, "seed": 3}
        assert found(SFT, tmp_path, **harmless) == []
        assert found(GRPO, tmp_path, report_to="tensorboard", use_vllm=False, optim="adamw_torch") == []

    @pytest.mark.parametrize("kind", [SFT, PPO, DPO, GRPO])
    def test_every_field_that_takes_text_was_judged(self, kind: type[Trainer]) -> None:
        """A version of TRL or transformers with further fields: read what they do, and name them in ``reach.py``."""
        fields = [p for p in kind.all_parameters().values() if p not in kind.parameters and not p.choices]
        open_ended = {p.name for p in fields if {str, dict, list} & set(p.types)}
        assert open_ended - HARMLESS - set(REACHES) == set()

    def test_every_judged_field_exists(self) -> None:
        known = {name for kind in (SFT, PPO, DPO, GRPO) for name in kind.all_parameters()}
        assert (HARMLESS | set(REACHES) | set(DETAILS)) - known == set()

    def test_a_field_that_nobody_judged_is_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ryven_llm_nodes.run.trust.reach.HARMLESS", HARMLESS - {"optim_args"})
        assert found(SFT, tmp_path, optim_args="x")[0][1] == "sets what this package does not know"

    @pytest.mark.parametrize("place", ["/etc/x", "~/.bashrc", "~root/x", "../x", "a/../../x", "a/..", ".."])
    @pytest.mark.parametrize(("kind", "name"), [(SaveModel, "folder"), (ExportScript, "path")])
    def test_places_outside_the_run(self, kind: Any, name: str, place: str, tmp_path: Path) -> None:
        ((parameter, what, text),) = found(kind, tmp_path, **{name: place})
        assert (parameter, what, text) == (name, f"writes to {place!r}, outside the folder of the run", place)

    @pytest.mark.parametrize("place", ["x", "a/b", "./x", "..x", "C:\\x", "a b", ".ssh"])
    @pytest.mark.skipif(sys.platform == "win32", reason="where C: is a drive")
    def test_places_inside_the_run(self, place: str, tmp_path: Path) -> None:
        assert found(SaveModel, tmp_path, folder=place) == found(ExportScript, tmp_path, path=place) == []

    def test_files_of_others_in_the_folder_of_the_run(self, tmp_path: Path) -> None:
        (tmp_path / "setup.py").write_text("mine")
        (tmp_path / "config.json").write_text("{}")
        assert "overwrites 'setup.py'" in found(ExportScript, tmp_path, tmp_path, path="setup.py")[0][1]
        assert "overwrites '.'" in found(SaveModel, tmp_path, tmp_path, folder=".")[0][1]
        (tmp_path / "pipeline.py").write_text("mine, and the default")
        assert "overwrites 'pipeline.py'" in found(ExportScript, tmp_path, tmp_path)[0][1]
        (tmp_path / "setup.py").write_text('"""x\n\nWritten by ryven-llm-nodes 1\n"""')
        (tmp_path / "config.json").write_text('{"transformers_version": "5"}')
        assert found(ExportScript, tmp_path, tmp_path, path="setup.py") == []
        assert found(SaveModel, tmp_path, tmp_path, folder=".") == []

    @pytest.mark.parametrize("value", [None, 1, True, [], {}, [[[]]], "\0", "\ud800", "x" * 5000, float("nan")])
    def test_values_of_any_shape(self, value: Any, tmp_path: Path) -> None:
        for kind in (LoadModel, RewardModel, RewardFunction, SFT, GRPO, SaveModel, ExportScript):
            names = [*kind.all_parameters(), "trust_remote_code", "unknown"]
            drawn = draw(n=node(kind, **dict.fromkeys(names, value)))
            for item in foreign_code(graph(drawn, tmp_path), tmp_path):
                assert len(item.digest) == 64
                item.text.encode()

    def test_files_that_never_end_are_not_read(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.jinja")
        for path in (tmp_path / "pipe.jinja", "/dev/zero", "/proc/kmsg"):
            text = found(SFT, tmp_path, chat_template_path=str(path))[0][2]
            assert text.strip() == str(path)

    def test_what_is_shown_hides_nothing(self, tmp_path: Path) -> None:
        code = "a\rb\x1b[2K\u202e\u200b\u2028 \x0c\ud800\té"
        assert found(RewardFunction, tmp_path, code=code)[0][2] == ("a\nb\\x1b[2K\\u202e\\u200b\\u2028 \\x0c\\ud800 é")


class TestRemembering:
    def test_asked_once(self, store: Path, tmp_path: Path) -> None:
        flow = graph(chain(), tmp_path)
        (item,) = unseen(flow)
        assert item.parameter == "code"
        assert remember([item]) == ""
        assert unseen(flow) == []
        assert store.stat().st_mode & 0o077 == 0
        assert REWARD not in store.read_text()

    def test_line_ends_make_no_other_code(self, store: Path, tmp_path: Path) -> None:
        remember(unseen(graph(draw(n=node(RewardFunction, code=REWARD)), tmp_path)))
        windows = node(RewardFunction, code=f"\n{REWARD}\n".replace("\n", "\r\n"))
        assert unseen(graph(draw(n=windows), tmp_path)) == []

    def test_another_letter_is_other_code(self, store: Path, tmp_path: Path) -> None:
        remember(unseen(graph(draw(n=node(RewardFunction, code=REWARD)), tmp_path)))
        assert len(unseen(graph(draw(n=node(RewardFunction, code=REWARD + "#")), tmp_path))) == 1

    def test_the_same_code_twice_is_one_question(self, store: Path, tmp_path: Path) -> None:
        twice = draw(a=node(RewardFunction, code=REWARD), b=node(RewardFunction, code=REWARD))
        assert len(foreign_code(graph(twice, tmp_path))) == 2
        assert len(unseen(graph(twice, tmp_path))) == 1

    def test_a_place_is_allowed_to_one_flow(self, store: Path, tmp_path: Path) -> None:
        drawn = draw(n=node(SaveModel, folder="~/model"))
        remember(unseen(graph(drawn, tmp_path, "mine.json")))
        assert unseen(graph(drawn, tmp_path, "mine.json")) == []
        assert len(unseen(graph(drawn, tmp_path, "theirs.json"))) == 1

    @pytest.mark.parametrize("drawn", [demo_flow, *templates.TEMPLATES.values()])
    def test_code_of_this_package_needs_no_question(
        self, drawn: Callable[[], Any], store: Path, tmp_path: Path
    ) -> None:
        assert unseen(graph(drawn(), tmp_path)) == []

    @pytest.mark.parametrize("kind", [node for node in ALL_NODES if node.holds_code], ids=lambda node: node.title)
    def test_nor_does_the_code_that_a_node_begins_with(self, kind: type[LLMNode], store: Path, tmp_path: Path) -> None:
        """In whatever folder the file of the node lies."""
        code = kind.all_parameters()["code"].default
        assert len(foreign_code(graph(draw(n=node(kind, code=code)), tmp_path))) == 1
        assert unseen(graph(draw(n=node(kind, code=code)), tmp_path)) == []

    @pytest.mark.parametrize("content", [b"", b"\xff\n\0", b"[" * 100_000, b"{}\n[]\n1\nnull\n", b'{"sha256": []}'])
    def test_a_broken_store_is_one_in_which_nothing_was_seen(self, content: bytes, store: Path, tmp_path: Path) -> None:
        flow = graph(chain(), tmp_path)
        store.parent.mkdir()
        store.write_bytes(content)
        assert len(unseen(flow)) == 1
        assert remember(unseen(flow)) == ""
        assert unseen(flow) == []

    @pytest.mark.parametrize("make", ["folder", "pipe"])
    def test_a_store_that_is_no_file(self, make: str, store: Path, tmp_path: Path) -> None:
        store.parent.mkdir()
        store.mkdir() if make == "folder" else os.mkfifo(store)
        assert len(unseen(graph(chain(), tmp_path))) == 1

    def test_a_store_that_cannot_be_written(self, store: Path, tmp_path: Path) -> None:
        store.parent.write_text("a file where a folder should be")
        why = remember(unseen(graph(chain(), tmp_path)))
        assert why.startswith(f"{store} cannot be written (")
        assert why.endswith("; you will be asked again.")

    def test_processes_lose_nothing_of_each_other(self, store: Path) -> None:
        code = (
            "import sys; from ryven_llm_nodes.run.trust.seen import *\n"
            "for i in range(100): assert not remember([Foreign('s', 'l', 'p', 'w', f'{sys.argv[1]} {i}')])"
        )
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        running = [subprocess.Popen([sys.executable, "-c", code, name], env=env) for name in "abc"]
        assert [process.wait() for process in running] == [0, 0, 0]
        lines = [json.loads(line)["sha256"] for line in store.read_text().split("\n") if line]
        assert set(lines) == {Foreign("s", "l", "p", "w", f"{name} {i}").digest for name in "abc" for i in range(100)}


class TestRunningALiveFlow:
    def flow(self, folder: Path, drawn: Any) -> Any:
        from flows import save

        return open_project(save(drawn, folder / "f.json")).flows[0]

    def test_is_refused(self, store: Path, work: Path) -> None:
        marker = work / "ran"
        code = f"open({str(marker)!r}, 'w').close()\n{REWARD}"
        drawn = draw(base=BASE, score=node(RewardFunction, code=code))
        with pytest.raises(FlowError) as caught:
            run_live_flow(self.flow(work, drawn), root=work, output_dir=work / "out")
        assert str(caught.value) == (
            "Reward Function 'score' > code: runs Python code of its own, which you have not allowed yet; review it, "
            "then run with trust=True."
        )
        assert not marker.exists()
        assert not (work / "out").exists()

    def test_with_trust(self, store: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn = draw(base=BASE, score=node(RewardFunction, code=f"open('ran', 'w').close()\n{REWARD}"))
        monkeypatch.chdir(work)
        flow = self.flow(work, drawn)
        outcome = run_live_flow(flow, root=work, output_dir=work / "out", trust=True)
        assert outcome.status == "done", outcome.error
        assert (work / "ran").exists()
        assert not store.exists()  # the caller's word holds for this run

    def test_only_what_is_run_counts(self, store: Path, work: Path) -> None:
        new_session()
        flow = self.flow(work, draw(base=BASE, score=node(RewardFunction, code=REWARD)))
        assert run_live_flow(flow, flow.nodes[0], root=work, output_dir=work / "out").status == "done"


def test_the_graph_is_only_looked_at(tmp_path: Path) -> None:
    flow: Graph = graph(chain(), tmp_path)
    before = flow.digest
    unseen(flow)
    assert flow.digest == before
    assert list(tmp_path.iterdir()) == []
