"""Models that are sent to the Hub: here to an interface that stands for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flows
import pytest
from huggingface_hub import ModelCard

from ryven_llm_nodes.catalogue import SaveModel
from ryven_llm_nodes.run import run_program
from ryven_llm_nodes.runtime import hub


class Hub:
    """Takes the place of ``huggingface_hub.HfApi``."""

    calls: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, repository: str, **options: Any) -> None:
        self.calls.append(("create", {"repository": repository, **options}))

    def upload_folder(self, **options: Any) -> None:
        self.calls.append(("upload", options))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    monkeypatch.setattr(Hub, "calls", [])
    monkeypatch.setattr(hub, "HfApi", Hub)
    return Hub.calls


def test_the_folder_is_sent_with_a_card(calls: list[Any], tmp_path: Path) -> None:
    pipeline: Any = SimpleNamespace(only=None)
    given = hub.push_model(pipeline, "final", str(tmp_path), "owner/name", license="mit", about="Trained on rows.")
    assert given == str(tmp_path)
    (created, (name, sent)) = calls
    assert created == ("create", {"repository": "owner/name", "private": True, "exist_ok": True})
    assert (name, sent["repo_id"], sent["folder_path"]) == ("upload", "owner/name", str(tmp_path))
    assert "flow.json" in sent["ignore_patterns"]
    card = ModelCard.load(tmp_path / "README.md")
    assert (card.data.library_name, card.data.license) == ("transformers", "mit")
    assert "# name\n\nTrained on rows." in card.text


def test_a_card_of_the_user_stays(calls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    hub.push_model(SimpleNamespace(only=None), "final", str(tmp_path), "owner/name")  # type: ignore[arg-type]
    assert (tmp_path / "README.md").read_text() == "mine"
    assert len(calls) == 2


def test_a_single_other_stage_sends_nothing(calls: list[Any], tmp_path: Path) -> None:
    hub.push_model(SimpleNamespace(only="sft"), "final", str(tmp_path), "owner/name")  # type: ignore[arg-type]
    assert calls == []


def test_a_run_sends_the_model_that_it_saved(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(Hub, "calls", [])
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr("ryven_llm_nodes.run.examine.here._no_hub", lambda: None)
    final = flows.node(SaveModel, push_to_hub=True, hub_model_id="owner/name")
    outcome = run_program(flows.program(flows.draw("base -> final", base=flows.BASE, final=final), workspace), tmp_path)
    assert outcome.error is None
    assert [name for name, _ in Hub.calls] == ["create", "upload"]
    assert Path(Hub.calls[1][1]["folder_path"]) == tmp_path / "final-model"
    assert (tmp_path / "final-model" / "model.safetensors").exists()
