"""A project from a stranger is looked into before anything in it is unpickled."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flows import chain, save
from hypothesis import given
from hypothesis import strategies as st

from ryven_llm_nodes import templates
from ryven_llm_nodes.errors import FlowError
from ryven_llm_nodes.host.required_packages import installed_packages
from ryven_llm_nodes.host.session import open_project
from ryven_llm_nodes.program.pickles import PICKLED, refuse_unsafe


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch evil",)


class WithState:
    """An instance with attributes: BUILD, and a class that is looked up."""

    def __init__(self) -> None:
        self.x = 1


def packed(value: Any, protocol: int | None = None) -> str:
    """A value as Ryven stores it."""
    return base64.b64encode(pickle.dumps(value, protocol)).decode()


PLAIN = [{}, {"a": [1, 2.5, None, True, "é", b"x", (1, 2)]}, [], 10**50, {1, 2}, -1, "x" * 1000, [[[]]]]


def refused(project: Any) -> list[str]:
    """What is said about a project that is not opened."""
    try:
        refuse_unsafe(project, "f.json")
    except FlowError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("protocol", [None, 4, 5])
@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_plain_data_is_fine(value: Any, protocol: int | None) -> None:
    assert refused({"state data": packed(value, protocol)}) == []


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [Evil(), [Evil()], {"a": {"b": Evil()}}, WithState(), WithState, os.system, 1j])
def test_what_names_code_is_not(value: Any, protocol: int) -> None:
    (wrong,) = refused({"state data": packed(value, protocol)})
    assert wrong.startswith("f.json: state data holds a pickle that would run code (")
    assert wrong.endswith("); the project is not opened.")


def test_persistent_ids() -> None:
    class Persistent(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return "id" if isinstance(obj, list) else None

    for protocol in (0, 4):
        file = io.BytesIO()
        Persistent(file, protocol).dump([1])
        (wrong,) = refused({"state data": base64.b64encode(file.getvalue()).decode()})
        assert "PERSID" in wrong


@pytest.mark.parametrize(
    "stream",
    [
        b"cos\nsystem\n(S'touch evil'\ntR.",
        b"(S'touch evil'\nios\nsystem\n.",
        b"\x80\x02c__builtin__\neval\nU\x01x\x85R.",
        b"\x82\x01.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    ],
)
def test_streams_made_by_hand(stream: bytes) -> None:
    (wrong,) = refused({"serialized": base64.b64encode(stream).decode()})
    assert "would run code" in wrong


@pytest.mark.parametrize("text", ["!", "gAR9lC4", "gAR9", "", "AAAA", "é", "gASVAQAAAAAAAAB9lC4=\n", "\ud800"])
def test_what_is_no_pickle_is_not_opened(text: str) -> None:
    (wrong,) = refused({"state data": text})
    assert wrong == "f.json: state data holds a pickle that would not load (it is broken); the project is not opened."


@pytest.mark.parametrize("key", sorted(PICKLED))
def test_every_place_where_ryven_keeps_pickles(key: str) -> None:
    project = {"flows": {"a": {"nodes": [{}, {"inputs": [{key: packed(Evil())}]}]}}}
    (wrong,) = refused(project)
    assert wrong.startswith(f"f.json: flows > a > nodes[1] > inputs[0] > {key} holds a pickle")


def test_all_are_named_at_once() -> None:
    assert (
        len(refused([{"state data": packed(Evil())}, {"widget data": packed(Evil())}, {"other": packed(Evil())}])) == 2
    )


def test_these_are_all_the_places() -> None:
    """Every key under which ryvencore and its Qt front end unpickle something is known."""
    import re

    import ryvencore

    packages = [Path(str(ryvencore.__file__)).parent]
    packages += [packages[0].parent / "ryvencore_qt"]
    found: set[str] = set()
    for file in (file for package in packages for file in package.rglob("*.py")):
        for line in file.read_text(encoding="utf-8").split("\n"):
            if "deserialize(" in line and "def " not in line and not line.strip().startswith("#"):
                found |= set(re.findall(r"\[['\"](.+?)['\"]\]\s*\)", line))
    assert {"state data", "serialized"} <= found
    assert found <= PICKLED


def test_nesting_without_end() -> None:
    deep: Any = {"state data": packed(Evil())}
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(FlowError):
        refuse_unsafe(deep, "f.json")


@given(st.binary(max_size=60))
def test_any_bytes_are_judged(stream: bytes) -> None:
    """Whatever passes can be loaded without naming anything."""
    if refused({"state data": base64.b64encode(stream).decode()}):
        return

    looked_up: list[str] = []

    class Nothing(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            looked_up.append(f"{module}.{name}")
            raise pickle.UnpicklingError

    with suppress(Exception):  # a stream may be cut short in ways that only loading shows
        Nothing(io.BytesIO(stream)).load()
    assert looked_up == []


class TestOpening:
    def test_a_project_of_ours(self, tmp_path: Path) -> None:
        for name, write in templates.TEMPLATES.items():
            assert len(open_project(save(write(), tmp_path / f"{name}.json")).flows) == 1

    @pytest.mark.parametrize("place", ["state data", "outputs"])
    def test_nothing_runs(self, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        project = chain()
        node = project["flows"]["chain"]["nodes"][0]
        node[place] = packed(Evil()) if place == "state data" else [{"data": {"serialized": packed(Evil())}}]
        with pytest.raises(FlowError, match="would run code"):
            open_project(save(project, tmp_path / "f.json"))
        assert not (tmp_path / "evil").exists()

    def test_the_danger_is_real(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the tests above hold off: the pickle runs a command when it is loaded."""
        monkeypatch.chdir(tmp_path)
        pickle.loads(base64.b64decode(packed(Evil())))
        assert (tmp_path / "evil").exists()

    def test_an_unknown_node_or_no_project(self, tmp_path: Path) -> None:
        project = chain()
        project["flows"]["chain"]["nodes"][0]["identifier"] = "other.Node"
        with pytest.raises(FlowError, match=r"unknown node 'other\.Node'"):
            open_project(save(project, tmp_path / "f.json"))
        (tmp_path / "g.json").write_text(json.dumps([]))
        with pytest.raises(FlowError, match="is not a Ryven project"):
            open_project(tmp_path / "g.json")


class TestRequiredPackages:
    def test_our_own_is_known(self) -> None:
        assert installed_packages({"required packages": [{"name": "ours", "dir": "/x"}]}, "f.json", "ours") == []

    def test_one_beside_the_project_is_not_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "theirs").mkdir()
        (tmp_path / "theirs" / "nodes.py").touch()
        monkeypatch.chdir(tmp_path)
        for name in ("theirs", str(tmp_path / "theirs"), "../theirs"):
            project = {"required packages": [{"name": name, "dir": str(tmp_path / "theirs")}]}
            with pytest.raises(FlowError, match="needs the packages theirs; put them into"):
                installed_packages(project, "f.json", "ours")
