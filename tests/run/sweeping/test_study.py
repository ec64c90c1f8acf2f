"""A study in a file: what is drawn depends on the seed and the number of the trial, not on interruptions."""

from __future__ import annotations

from pathlib import Path

import flows
import pytest

from ryven_llm_nodes.program.sweeping.space import Space, space_of
from ryven_llm_nodes.run.sweeping.storage import FILE, repaired
from ryven_llm_nodes.run.sweeping.study import Study, Trial

RANGES = ("dpo.beta=0.05,0.1,0.3", "dpo.learning_rate=1e-6..1e-4:log")


@pytest.fixture
def space(data: Path) -> Space:
    return space_of(flows.graph(flows.alone("dpo"), data), RANGES)


def worth(trial: Trial) -> float:
    return -abs(trial.values["dpo.beta"] - 0.1) - trial.values["dpo.learning_rate"]


def told(study: Study, count: int) -> None:
    for _ in range(count):
        trial = study.next()
        assert trial is not None
        study.done(trial, worth(trial), 1.0)


def test_a_study_that_is_opened_again_draws_what_it_would_have_drawn(space: Space, tmp_path: Path) -> None:
    through = Study(tmp_path / "a", space, True, 7)
    told(through, 12)
    for _ in range(4):
        told(Study(tmp_path / "b", space, True, 7), 3)
    assert [t.values for t in Study(tmp_path / "b", space, True, 7).trials()] == [t.values for t in through.trials()]
    other = Study(tmp_path / "c", space, True, 8)
    told(other, 3)
    assert [t.values for t in other.trials()] != [t.values for t in through.trials()][:3]


def test_an_interrupted_trial_is_the_next_one(space: Space, tmp_path: Path) -> None:
    first = Study(tmp_path, space, True, 0)
    told(first, 2)
    begun = first.next()
    assert begun is not None
    again = Study(tmp_path, space, True, 0)
    assert again.unfinished() == begun
    again.done(begun, 1.0, 2.5)
    assert again.unfinished() is None
    assert [trial.state for trial in again.trials()] == ["done"] * 3
    assert again.trials()[2].seconds == 2.5


def test_the_best_of_both_directions_and_failures(space: Space, tmp_path: Path) -> None:
    for maximize, best in ((True, 1), (False, 0)):
        study = Study(tmp_path / str(maximize), space, maximize, 0)
        assert study.best() is None
        for value in (1.0, 3.0, 3.0):
            study.done(study.next(), value, 0.1)
        study.failed(study.next(), "out of memory", 0.1)
        found = study.best()
        assert found is not None
        assert found.number == best
        assert (study.trials()[3].state, study.trials()[3].error) == ("failed", "out of memory")


def test_lists_alone_are_tried_once_each(data: Path, tmp_path: Path) -> None:
    space = space_of(flows.graph(flows.alone("dpo"), data), ["dpo.beta=0.05,0.1,0.3", "dpo.bf16=true,false"])
    for _ in range(3):
        study = Study(tmp_path, space, True, 0)
        for _ in range(2):
            study.done(study.next(), 0.0, 0.1)
    assert len({tuple(trial.values.values()) for trial in study.trials()}) == space.size == 6


def test_half_a_line_and_a_lock_of_a_killed_process_are_removed(space: Space, tmp_path: Path) -> None:
    told(Study(tmp_path, space, True, 0), 2)
    file = tmp_path / FILE
    complete = file.read_bytes()
    file.write_bytes(complete + b'{"op_code":4,"wor')
    (tmp_path / f"{FILE}.lock").symlink_to(file)
    assert repaired(file).read_bytes() == complete
    told(Study(tmp_path, space, True, 0), 1)
    assert len(Study(tmp_path, space, True, 0).trials()) == 3
