"""Hundreds of spoiled flow files: each is opened or refused in plain lines, soon, and nothing runs or is written.

RYVEN_LLM_FILES=180 makes thousands of them.
"""

from __future__ import annotations

import ast
import json
import os
import re
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import flows
import pytest
import typer
from flows import draw, graph, node
from guard import assert_plain, guarded
from hostile import BASES, CANARY, PICKLES, WAYS, files
from typer.testing import CliRunner

import ryven_llm_nodes
from ryven_llm_nodes.catalogue import ALL_NODES, SFT
from ryven_llm_nodes.cli import app
from ryven_llm_nodes.errors import FlowError, LLMNodesError
from ryven_llm_nodes.host.session import open_project
from ryven_llm_nodes.program import Program, build, read_flow
from ryven_llm_nodes.program.flow import read_project
from ryven_llm_nodes.program.names import names_of
from ryven_llm_nodes.program.runtime_source import runtime_names
from ryven_llm_nodes.run.trust.seen import unseen

BATCHES, FILES = 12, int(os.environ.get("RYVEN_LLM_FILES", "60"))
LONGEST = 2.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a model, and things that are no files."""
    folder = tmp_path_factory.mktemp("hostile")
    flows.write_data(folder)
    flows.write_hollow_model(folder / "model")
    for name in ("pipe", "pipe.jsonl"):
        os.mkfifo(folder / name)
    for name, target in {"loop": "loop", "loop.jsonl": "loop.jsonl", "zero.jsonl": "/dev/zero"}.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.fixture
def quiet(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is imported late is imported now, so that the guard sees nothing but what a file does."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("RYVEN_LLM_STATE", str(place / "state"))
    for text in BASES:
        (place / "good.json").write_text(text)
        build(read_flow(place / "good.json"))
        open_project(place / "good.json")
    for name in ("", "not json", '{"flows": {"a": {"nodes": [{"identifier": "x"}]}}}'):
        (place / "bad.json").write_text(name)
        with pytest.raises(LLMNodesError):
            read_flow(place / "bad.json")


def first_try(path: Path) -> Program:
    """Reads, checks, writes the script, asks what is foreign: everything short of running."""
    read = read_flow(path)
    unseen(read, path.parent)
    program = build(read)
    program.script_for(path.parent / "elsewhere")
    return program


def timed(call: Any, what: str) -> Any:
    """The outcome of a call, which is soon there; a machine that is busy with something else gets a second chance."""
    for last in (False, True):
        started = time.perf_counter()
        try:
            result = call()
        except LLMNodesError as error:
            result = error
        seconds = time.perf_counter() - started
        if seconds <= LONGEST:
            return result
        assert not last, f"{what} took {seconds:.1f} s"
    return None


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_file_is_opened_or_refused(batch: int, place: Path, quiet: None) -> None:
    opened = 0
    for what, path in files(batch, FILES, place):
        with guarded() as guard:
            result = timed(lambda path=path: first_try(path), what)
            session = timed(lambda path=path: open_project(path), what) if _is_json(path) else None
        assert guard.seen == [], what
        assert not (place / CANARY).exists(), what
        if isinstance(result, LLMNodesError):
            assert isinstance(result, FlowError), what
            assert_plain(str(result), what)
        else:
            assert_only_literals(result, what)
            opened += 1
        if isinstance(session, LLMNodesError):
            assert_plain(str(session), what)
        path.unlink()
    assert opened > FILES / 20  # or nothing was tried but the refusal


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"), strict=False)
    except (ValueError, RecursionError):
        return path.suffix == ".py"
    return True


# A script holds what a flow says as literals, and nothing else of it


def words(tree: ast.AST) -> set[str]:
    """Every name, attribute, keyword argument and import: all that code can be made of."""
    found: set[str] = set()
    for item in ast.walk(tree):
        for field in ("id", "attr", "arg", "module", "name", "asname"):
            value = getattr(item, field, None)
            found |= {value} if isinstance(value, str) else set()
    return found


@lru_cache
def vocabulary() -> frozenset[str]:
    """The words of harmless scripts with every node, and the names of all parameters."""
    found = {name for kind in ALL_NODES for name in kind.all_parameters()} | runtime_names()
    folder = Path("model").absolute().parent
    for text in BASES:
        read = flows.graph(json.loads(text.replace('"no"', '"steps"')), folder)
        found |= words(ast.parse(build(read).script.text))
    for file in Path(ryven_llm_nodes.__file__).parent.glob("runtime/*.py"):
        found |= words(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset(
        found | {"name", "data_files", "peft_config", "shuffle", "select", "range", "min", "len", "expanduser"}
    )


def assert_only_literals(program: Program, what: str) -> None:
    """Beside the code of the flow's own, the script has no word that is not ours or the name of a step."""
    script = program.script
    lines = script.text.split("\n")
    for step in program.steps:
        if step.node.holds_code and step.name in script.definitions:
            first, last = script.definitions[step.name]
            lines[first - 1 : last] = [""] * (last - first + 1)
    steps = {name for step in program.steps for name in names_of(step.name)}
    own = {name for cell in program.cells.values() for name in cell.defines}
    tree = ast.parse("\n".join(lines))
    assert words(tree) - vocabulary() - steps - own == set(), what
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in steps), what


# What is no ordinary file


def special(place: Path) -> dict[str, Path]:
    """Links, loops, pipes, devices, folders: everything that can stand where a flow is looked for."""
    folder = place / "special"
    folder.mkdir(exist_ok=True)
    links = {"to a secret": "/etc/passwd", "to itself": "to itself", "to a device": "/dev/zero", "to nothing": "none"}
    links |= {"to a folder": "..", "to a pipe": "../pipe", "to a terminal": "/dev/tty", "to memory": "/proc/self/mem"}
    found = {name: Path(name) for name in ("/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/environ", "/proc/kmsg")}
    for name, target in links.items():
        link = folder / f"{name}.json"
        if not link.is_symlink():
            link.symlink_to(target if name != "to itself" else link.name)
        found[name] = link
    for name in ("flow.json", "model/flow.json"):
        (folder / "of folders" / name).mkdir(parents=True, exist_ok=True)
    (folder / "of links").mkdir(exist_ok=True)
    if not (folder / "of links" / "flow.json").is_symlink():
        (folder / "of links" / "flow.json").symlink_to("/dev/zero")
    found |= {name: folder / name for name in ("of folders", "of links")}
    found |= {"a pipe": place / "pipe", "too long": place / ("x" * 5000), "a null byte": place / "a\0b"}
    return found | {"nothing": Path(), "a surrogate": place / "\ud800", "root": Path("/"), "dots": Path("../../..")}


def test_what_is_no_ordinary_file(place: Path, quiet: None) -> None:
    for what, path in special(place).items():
        with guarded() as guard:
            for call in (first_try, read_project, open_project):
                result = timed(lambda call=call, path=path: call(path), what)
                assert isinstance(result, FlowError), what
                assert_plain(str(result), what)
        assert guard.seen == [], what


def test_folders_of_models_and_runs(place: Path, quiet: None) -> None:
    folder = place / "saved"
    folder.mkdir(exist_ok=True)
    for what, path in files(1000, 60, folder, ("flipped", "exchanged", "pickled", "led_astray")):
        with guarded() as guard:
            result = timed(lambda: first_try(folder), what)
        assert guard.seen == [], what
        if isinstance(result, LLMNodesError):
            assert_plain(str(result), what)
        path.unlink()


def test_the_guard_sees_what_it_is_there_for(place: Path, quiet: None) -> None:
    """What the tests above hold off is real: the pickles run, and the guard notices."""
    import base64
    import pickle

    with guarded() as guard:
        for pickled in PICKLES[:12]:
            with pytest.raises(RuntimeError, match="not while a flow is read"):
                pickle.loads(base64.b64decode(pickled))
        with pytest.raises(RuntimeError):
            exec("x = 1")
        with pytest.raises(RuntimeError):
            (place / "x").write_text("")
    assert len(guard.seen) == 14


def test_every_opcode_is_among_the_pickles() -> None:
    import base64
    import pickletools

    streams = b"".join(base64.b64decode(text) for text in PICKLES[12 : 12 + len(pickletools.opcodes)])
    assert all(info.code.encode("latin-1") in streams for info in pickletools.opcodes)
    assert len(WAYS) == 8


# Through the command line


def test_through_the_command_line(place: Path, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a flow that was spoiled gets no further than the question; a quick check reads nothing else."""
    started: list[Program] = []
    show = "ryven_llm_nodes.terminal.display.show_run"
    monkeypatch.setattr(show, lambda program, *_, **options: started.append(program))
    command_line = typer.main.get_command(app)  # typer evaluates annotations
    monkeypatch.setattr("typer.testing._get_command", lambda _: command_line)
    CliRunner().invoke(app, ["check", "--quick", "good.json"])
    for what, path in files(2000, 40, place, ("exchanged", "pickled", "led_astray", "coded", "carried")):
        for command in (["check", "--quick"], ["export"], ["run"]):
            with guarded() as guard:
                done = CliRunner().invoke(app, [*command, str(path)])
            assert guard.seen == [], what
            assert done.exit_code in (0, 2), (what, done.output, done.exception)
            if done.exit_code:
                assert_plain(done.stderr.rstrip("\n"), what)
                assert all(line.startswith("error: ") for line in done.stderr.splitlines()), what
        path.unlink()
    assert all(unseen(program.graph) == [] for program in started)


# A value that is fine for one node and monstrous for the next


@pytest.mark.parametrize("path", ["/**/*.jsonl", "/**/**/*.csv", "**/*.json", "/proc/**/*.json"])
def test_a_pattern_that_matches_a_whole_disk(path: str, place: Path, quiet: None) -> None:
    from ryven_llm_nodes.catalogue import LoadDataset

    drawn = draw(rows=node(LoadDataset, path=path))
    result = timed(lambda: build(graph(drawn, place)), path)
    assert isinstance(result, (Program, FlowError))


def test_many_problems_are_all_told(place: Path, quiet: None) -> None:
    drawn = draw(**{f"n{i}": node(SFT, **{f"x{j}": 1 for j in range(50)}) for i in range(50)})
    result = timed(lambda: build(graph(drawn, place)), "many")
    assert isinstance(result, FlowError)
    assert len(result.problems) >= 2500
