"""Sweeps whose study lies in a database: processes share the trials, and no password is shown."""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import flows
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ryven_llm_nodes.cli import app
from ryven_llm_nodes.errors import UsageError
from ryven_llm_nodes.program.sweeping.space import Space, space_of
from ryven_llm_nodes.run.sweeping.page import page
from ryven_llm_nodes.run.sweeping.storage import Database
from ryven_llm_nodes.run.sweeping.study import Study
from ryven_llm_nodes.run.sweeping.sweep import Result, plan
from ryven_llm_nodes.terminal.sweep import show_sweep

LISTS = ("dpo.beta=0.05,0.1,0.2,0.3", "dpo.max_steps=1,2,3")
SECRET = "postgresql+psycopg2://me:hush:p@ss@localhost:5432/db?application_name=x&sslpassword=psst"
MASKED = "postgresql+psycopg2://me:***@localhost:5432/db?application_name=x&sslpassword=***"


@pytest.fixture
def space(data: Path) -> Space:
    return space_of(flows.graph(flows.alone("dpo"), data), LISTS)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'shared.db'}")


def member(folder: Path, database: Database, space: Space) -> None:
    """Takes part in a sweep with a stand-in for the runs, and notes the trials that it has done."""
    study = Study(folder / "same", space, True, 0, database)
    done = []
    while trial := study.unfinished() or study.next(12):
        time.sleep(0.02)
        done.append(trial.number)
        study.done(trial, trial.values["dpo.beta"], 0.02)
    (folder / "done.json").write_text(json.dumps(done))


def test_two_processes_share_the_trials_and_none_is_done_twice(
    space: Space, database: Database, tmp_path: Path
) -> None:
    """They also create the tables at the same time, and ask for the last trial at the same time."""
    context = multiprocessing.get_context("fork")
    folders = [tmp_path / name for name in "ab"]
    members = [context.Process(target=member, args=(folder, database, space)) for folder in folders]
    for one in members:
        one.start()
    for one in members:
        one.join()
    assert [one.exitcode for one in members] == [0, 0]
    shares = [json.loads((folder / "done.json").read_text()) for folder in folders]
    assert all(shares), "both have done some"
    assert max(Counter(shares[0] + shares[1]).values()) == 1
    trials = Study(tmp_path / "c" / "same", space, True, 0, database).trials()
    assert [trial.state for trial in trials] == ["done"] * 12
    assert len({tuple(trial.values.values()) for trial in trials}) == space.size == 12


def test_who_has_left_a_trial_continues_it_and_others_begin_the_next(
    space: Space, database: Database, tmp_path: Path
) -> None:
    here, there = tmp_path / "here" / "same", tmp_path / "there" / "same"
    begun = Study(here, space, True, 0, database).next()
    other = Study(there, space, True, 0, database)
    assert other.unfinished() is None
    after = other.next()
    assert after is not None
    assert begun is not None
    assert after.values != begun.values
    assert Study(here, space, True, 0, database).unfinished() == begun
    assert other.next(2) is None, "two are begun"
    result = Result(other.trials(), None)
    assert result.elsewhere == 2


def test_a_trial_that_was_begun_and_not_drawn_is_drawn_later(
    space: Space, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path / "same", space, True, 0, database)
    with monkeypatch.context() as patched:
        patched.delattr(Study, "_drawn")  # the process ends here
        with pytest.raises(AttributeError):
            study.next()
    assert study.trials() == []
    found = Study(tmp_path / "same", space, True, 0, database).unfinished()
    assert found is not None
    assert (found.number, set(found.values)) == (0, set(space.axes))


def refused(url: str) -> str:
    with pytest.raises(UsageError) as caught:
        Database(url).opened()
    return str(caught.value)


def test_what_cannot_be_opened_is_one_line_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    assert refused(SECRET) == (
        f"--storage {MASKED}: its driver psycopg2 is not installed; pip install psycopg2-binary."
    )
    for url, reason in (
        ("quickdb://me:hush@host/db", "Can't load plugin: sqlalchemy.dialects:quickdb"),
        ("no address", "Could not parse SQLAlchemy URL"),
        (f"sqlite:///{tmp_path}/none/x.db", "unable to open database file"),
        ("sqlite://", "a database in memory is forgotten at the end"),
    ):
        line = refused(url)
        assert reason in line
        assert "sqlite:///FILE" in line
        assert "hush" not in line
        assert len(line.splitlines()) == 1


def test_a_driver_that_repeats_the_password_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(url: str, **options: Any) -> None:
        raise OSError("wrong password 'hush:p@ss' for me\nmore")

    monkeypatch.setattr("optuna.storages.RDBStorage", refusing)
    assert "cannot be opened (wrong password '***' for me); write" in refused(SECRET)


def test_no_password_is_shown_or_written(data: Path, tmp_path: Path) -> None:
    space = space_of(flows.graph(flows.alone("dpo"), data), LISTS)
    made = plan(space, "dpo.loss", tmp_path, database=Database(SECRET))
    said = io.StringIO()
    show_sweep(made, Result([], None), Console(file=said, width=200), as_json=True)
    texts = [said.getvalue(), page(made, Result([], None)), repr(made), str(made.database)]
    assert all("hush" not in text and "p@ss" not in text and "psst" not in text for text in texts)
    assert MASKED in json.loads(said.getvalue())["study"]


def test_the_command_opens_it_before_anything_runs(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setenv("RYVEN_LLM_STORAGE", SECRET)
    flow, out = flows.save(flows.alone("dpo"), data / "shared.json"), tmp_path / "out"
    options = ["--set", "dpo.beta=0.1,0.2", "--metric", "dpo.loss", "--trust", "--output-dir", str(out)]
    said = CliRunner().invoke(app, ["sweep", str(flow), *options])
    assert said.exit_code == 2
    assert "psycopg2-binary" in said.output
    assert "hush" not in said.output + "".join(f.read_text() for f in out.rglob("*") if f.is_file())
    assert not (out / "run-records").exists()


def test_a_database_that_is_lost_meanwhile_is_one_line(space: Space, database: Database, tmp_path: Path) -> None:
    study = Study(tmp_path / "same", space, True, 0, database)
    Path(database.url.removeprefix("sqlite:///")).write_bytes(b"none" * 1000)
    with (
        pytest.raises(UsageError, match=r"cannot be used any more \(.+\); nothing is lost; give the same"),
        database.reached(),
    ):
        study.next()
