"""What is opened, what is refused, and how the package appears in a stock Ryven. No window is made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.catalogue import SFT
from ryven_llm_nodes.errors import LLMNodesError, UsageError
from ryven_llm_nodes.host.install import install, uninstall

pytest.importorskip("PySide6.QtCore", reason="Qt is not installed")
from ryven_llm_nodes.host import launch, opening
from ryven_llm_nodes.templates import TEMPLATES


def test_a_flow_is_read_as_it_stands(tmp_path: Path) -> None:
    drawn = flows.draw(sft=flows.node(SFT, seed=1))
    path = flows.save(drawn, tmp_path / "flow.json")
    content = opening.open_file(path).content
    assert content["flows"] == drawn["flows"]
    assert content["required packages"] == []


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_templates_are_found(name: str) -> None:
    assert opening.open_new(name).content["flows"] == TEMPLATES[name]()["flows"]


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UsageError, match=r"there is no template 'gpro'\. Did you mean 'grpo'\?"):
        opening.open_new("gpro")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"flows": {}}', '{"flows": {"a": 3}}'])
def test_what_is_no_project_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "flow.json"
    path.write_text(text)
    with pytest.raises(LLMNodesError) as caught:
        opening.open_file(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LLMNodesError, match="does not exist"):
        opening.open_file(tmp_path / "none.json")


def test_a_package_beside_a_project_is_not_run(tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "nodes.py").write_text("raise SystemExit('pwned')")
    drawn = {**flows.draw(sft=flows.node(SFT)), "required packages": [{"name": "evil", "dir": str(evil)}]}
    path = flows.save(drawn, tmp_path / "flow.json")
    with pytest.raises(LLMNodesError, match="needs the packages evil; put them into"):
        opening.open_file(path)


def test_packages_of_ryven_itself_are_admitted(tmp_path: Path) -> None:
    packages = [{"name": "linalg", "dir": "/elsewhere/linalg"}, {"name": "ryven_llm_nodes", "dir": "/x"}]
    path = flows.save({**flows.draw(sft=flows.node(SFT)), "required packages": packages}, tmp_path / "flow.json")
    (package,) = opening.open_file(path).content["required packages"]
    assert package["name"] == "linalg"
    assert Path(package["dir"], "nodes.py").is_file()


def test_without_a_display_it_says_so(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has to be told where the display is")
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    code = "from ryven_llm_nodes.gui.editor import edit\ntry: edit()\nexcept Exception as e: print(type(e), e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.startswith("<class 'ryven_llm_nodes.errors.LLMNodesError'> there is no display; set DISPLAY")


# install


def test_install_and_uninstall(tmp_path: Path) -> None:
    place = install(tmp_path)
    assert place == tmp_path / "ryven_llm_nodes"
    assert install(tmp_path) == place
    assert uninstall(tmp_path) == place
    assert not place.exists()
    assert uninstall(tmp_path) is None


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "ryven_llm_nodes"
    theirs.mkdir()
    (theirs / "nodes.py").write_text("x = 1")
    for call in (install, uninstall):
        with pytest.raises(UsageError, match="contains something else"):
            call(tmp_path)
    assert (theirs / "nodes.py").read_text() == "x = 1"
    (theirs / "nodes.py").unlink()
    theirs.rmdir()
    place = install(tmp_path)
    (place / "my-notes.txt").write_text("dear")
    with pytest.raises(UsageError):
        uninstall(tmp_path)


AS_FOR_DEVELOPMENT = """
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path

real = Path(find_spec("ryven_llm_nodes").origin)

class Finder:
    '''As an editable install: the folders of sys.path come first, then the package where it is developed.'''

    def find_spec(name, path=None, target=None):
        if name == "ryven_llm_nodes":
            others = [entry for entry in sys.path if not (Path(entry) / name / "__init__.py").exists()]
            return PathFinder.find_spec(name, others) or spec_from_file_location(name, real)

sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize("way", ["", AS_FOR_DEVELOPMENT], ids=["installed", "installed for development"])
def test_ryven_finds_the_installed_package_by_name(way: str, tmp_path: Path) -> None:
    """What Ryven does for a project that requires us: a bare name is looked up in ``~/.ryven/nodes``."""
    install(tmp_path / ".ryven" / "nodes")
    path = flows.save(flows.draw(sft=flows.node(SFT)), tmp_path / "flow.json")
    code = f"""{way}
import os, sys
os.environ["RYVEN_MODE"] = "no-gui"
from ryven.main.packages.nodes_package import import_nodes_package, process_nodes_packages
found, missing, _ = process_nodes_packages({str(path)!r})
(package,) = found
nodes, _ = import_nodes_package(package)
print(missing, len(nodes), sys.modules["ryven_llm_nodes.nodes"].__file__.startswith({str(tmp_path)!r}))
"""
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    from ryven_llm_nodes.catalogue import ALL_NODES

    assert done.stdout == f"set() {len(ALL_NODES)} False\n", done.stdout + done.stderr


def test_the_stub_explains_itself_where_the_package_is_not_installed(tmp_path: Path) -> None:
    place = install(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(place / "nodes.py")], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert "ModuleNotFoundError: ryven_llm_nodes is not installed for this Python" in done.stderr


def test_workarounds_are_guarded_by_version() -> None:
    from ryven_llm_nodes.host import canvas, node_list, packages, ports, versions, window_style

    modules = {m.__name__ for m in (canvas, node_list, packages, ports, window_style)}
    mended = [mend for _, mend in versions._registered if mend.__module__ in modules]
    assert len(mended) >= 12
    for target, mend in versions._registered:
        assert ".py:" in (mend.__doc__ or ""), f"{mend.__qualname__} does not say where the fault is"
        assert target in (versions.RYVEN, versions.CORE, versions.CORE_QT)
    assert not versions.is_version("ryvencore", "0.4.")
    assert not versions.is_version("no-such-package", "1.")


def test_a_project_survives_json(tmp_path: Path) -> None:
    with launch._file({"flows": {"ü": {}}}) as file:
        content = json.loads(file.read_text(encoding="utf-8"))
    assert list(content["flows"]) == ["ü"]
    assert content["general info"]["ryven version"] == "3.5.0"
    assert not file.exists()
