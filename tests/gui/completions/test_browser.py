"""The completions browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QAbstractItemModel, Qt
from qtpy.QtTest import QAbstractItemModelTester

from ryven_llm_nodes.gui.completions.browser import CompletionsBrowser
from ryven_llm_nodes.gui.completions.table_model import MOST_ROWS, CompletionsModel, SampleStore
from ryven_llm_nodes.gui.state.run_model import RunModel
from ryven_llm_nodes.gui.style.colours import BAD, GOOD
from ryven_llm_nodes.run.events import Completions, RunStarted, StageStarted


def batch(done: int, reward: str, *scores: float | None, mark: str = "") -> Completions:
    prompts = tuple(f"prompt {done}" for _ in scores)
    answers = tuple(f"answer {done}.{place}{mark}" for place in range(len(scores)))
    return Completions("grpo", done, reward, prompts, answers, scores)


# Merging


def test_rewards_of_the_same_samples_are_one_row() -> None:
    store = SampleStore()
    assert len(store.add(batch(0, "short", 1.0, 0.5))) == 2
    assert store.add(batch(0, "true", 0.0, None)) == []
    assert store.rewards == ["short", "true"]
    assert [sample.scores for sample in store.samples] == [{"short": 1.0, "true": 0.0}, {"short": 0.5, "true": None}]
    assert [sample.step for sample in store.samples] == [1, 1]


def test_the_same_samples_again_are_further_rows() -> None:
    store = SampleStore()
    for reward in ("short", "true", "short", "true"):
        store.add(batch(0, reward, 1.0))
    assert [sample.scores for sample in store.samples] == [{"short": 1.0, "true": 1.0}] * 2


def test_batches_of_one_step_are_kept_apart() -> None:
    store = SampleStore()
    for reward, mark in (("short", "a"), ("short", "b"), ("true", "a"), ("true", "b")):
        store.add(batch(0, reward, 1.0 if mark == "a" else 0.0, mark=mark))
    assert [(s.completion, s.scores["short"], s.scores["true"]) for s in store.samples] == [
        ("answer 0.0a", 1.0, 1.0),
        ("answer 0.0b", 0.0, 0.0),
    ]


# The table


@pytest.fixture
def table() -> CompletionsModel:
    model = CompletionsModel()
    model.show([batch(0, "short", 0.5, None), batch(1, "short", 0.9, 0.1), batch(7, "short", 0.7)])
    return model


def texts(model: QAbstractItemModel, column: int) -> list[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_columns(table: CompletionsModel) -> None:
    heads = [table.headerData(i, Qt.Orientation.Horizontal) for i in range(table.columnCount())]
    assert heads == ["step", "prompt", "completion", "short"]
    assert texts(table, 0) == ["1", "1", "2", "2", "8"]
    assert texts(table, 3) == ["0.5000", "-", "0.9000", "0.1000", "0.7000"]


def test_sorting_by_a_reward_puts_what_has_none_last(table: CompletionsModel) -> None:
    table.sort(3, Qt.SortOrder.DescendingOrder)
    assert texts(table, 3) == ["0.9000", "0.7000", "0.5000", "0.1000", "-"]
    table.sort(3, Qt.SortOrder.AscendingOrder)
    assert texts(table, 3) == ["0.1000", "0.5000", "0.7000", "0.9000", "-"]
    table.sort(-1)
    assert texts(table, 0) == ["1", "1", "2", "2", "8"]


def test_filters(table: CompletionsModel) -> None:
    table.set_filter("ANSWER 1.1")
    assert texts(table, 2) == ["answer 1.1"]
    table.set_filter("", (2, 7))
    assert texts(table, 0) == ["2", "2"]
    table.set_filter("prompt", (2, 8))
    assert texts(table, 0) == ["2", "2", "8"]


def test_new_samples_pass_through_filter_and_order(table: CompletionsModel) -> None:
    table.set_filter("answer 9")
    table.add([batch(8, "short", 0.2), batch(9, "short", 0.4)])
    assert texts(table, 2) == ["answer 9.0"]
    table.set_filter()
    table.sort(3, Qt.SortOrder.DescendingOrder)
    table.add([batch(10, "short", 0.8)])
    assert texts(table, 3)[:3] == ["0.9000", "0.8000", "0.7000"]


def test_a_second_reward_is_a_further_column(table: CompletionsModel) -> None:
    QAbstractItemModelTester(table, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.add([batch(7, "true", 0.25)])
    assert table.columnCount() == 5
    assert texts(table, 4) == ["-", "-", "-", "-", "0.2500"]


def test_long_runs_keep_the_latest_rows_and_stay_quick() -> None:
    model = CompletionsModel()
    events = [batch(done, "short", *(done % 7 / 7,) * 50) for done in range(500)]
    model.show(events[:390])
    start = time.thread_time()
    model.add(events[390:])
    model.sort(3, Qt.SortOrder.DescendingOrder)
    assert time.thread_time() - start < 1.0
    assert model.rowCount() == MOST_ROWS
    assert model.step_range() == (101, 500)


def test_scores_are_coloured_by_how_high_they_are(table: CompletionsModel) -> None:
    colours = [table.index(row, 3).data(Qt.ItemDataRole.ForegroundRole).name() for row in (2, 3)]
    assert colours == [GOOD, BAD]


# The browser


@pytest.fixture
def model() -> RunModel:
    return RunModel()


@pytest.fixture
def browser(model: RunModel, qtbot: Any) -> CompletionsBrowser:
    browser = CompletionsBrowser(model)
    qtbot.addWidget(browser)
    browser.resize(800, 260)
    browser.show()
    qtbot.waitExposed(browser)
    return browser


@pytest.fixture
def post(model: RunModel, qtbot: Any) -> Callable[..., None]:
    def post_all(*events: Any) -> None:
        for event in events:
            model.post(event)
        qtbot.wait(350)

    return post_all


def test_an_empty_browser_says_what_comes(browser: CompletionsBrowser) -> None:
    assert browser.empty.isVisible()
    assert not browser.bar.isVisible()


def test_samples_appear_while_it_trains(browser: CompletionsBrowser, post: Any) -> None:
    post(RunStarted("", ("grpo",)), StageStarted("grpo"), batch(0, "short", 0.5, 0.25), batch(0, "true", 1.0, 0.0))
    assert browser.table.isVisible()
    assert texts(browser.table_model, 3) == ["0.5000", "0.2500"]
    assert texts(browser.table_model, 4) == ["1.0000", "0"]
    post(*(batch(done, "short", 0.5) for done in range(1, 6)))
    assert browser.table_model.rowCount() == 7
    assert browser.steps.limits == (1, 6)


def test_the_newest_is_followed_unless_scrolled_up(browser: CompletionsBrowser, post: Any) -> None:
    post(StageStarted("grpo"), *(batch(done, "short", *(0.5,) * 8) for done in range(10)))
    bar = browser.table.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    bar.setValue(3)
    post(batch(10, "short", *(0.5,) * 8))
    assert bar.value() == 3


def test_the_chosen_sample_is_shown_whole(browser: CompletionsBrowser, post: Any) -> None:
    long = Completions("grpo", 3, "short", ("Why\nso <b>long</b>?",), ("word " * 500,), (0.5,))
    post(StageStarted("grpo"), long)
    browser.table.selectRow(0)
    shown = browser.detail.toPlainText()
    assert "Why\nso <b>long</b>?" in shown
    assert shown.count("word") == 500
    assert "short 0.5000" in shown.replace("\xa0", " ")
    post(Completions("grpo", 3, "true", long.prompts, long.completions, (0.75,)))
    assert "true 0.7500" in browser.detail.toPlainText().replace("\xa0", " ")


def test_the_chosen_sample_stays_chosen_when_sorted(browser: CompletionsBrowser, post: Any) -> None:
    post(StageStarted("grpo"), batch(0, "short", 0.1, 0.9, 0.5))
    browser.table.selectRow(0)
    browser.table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    (row,) = browser.table.selectionModel().selectedRows()
    assert row.row() == 2
    assert "answer 0.0" in browser.detail.toPlainText()


def test_search_and_steps_filter(browser: CompletionsBrowser, post: Any, qtbot: Any) -> None:
    post(StageStarted("grpo"), *(batch(done, "short", 0.5) for done in range(10)))
    qtbot.keyClicks(browser.search, "answer 7")
    assert texts(browser.table_model, 0) == ["8"]
    assert browser.count.text() == "1 of 10"
    browser.search.clear()
    browser.steps.setValue((3, 5))
    assert texts(browser.table_model, 0) == ["3", "4", "5"]


def test_each_stage_has_its_own_samples(browser: CompletionsBrowser, post: Any) -> None:
    post(StageStarted("ppo"), Completions("ppo", 0, "short", ("p",), ("from ppo",), (0.1,)))
    post(StageStarted("grpo"), batch(0, "short", 0.5))
    assert [browser.stage_box.itemText(i) for i in range(browser.stage_box.count())] == ["ppo", "grpo"]
    assert texts(browser.table_model, 2) == ["answer 0.0"]
    browser.show_stage("ppo")
    assert texts(browser.table_model, 2) == ["from ppo"]


def test_what_came_while_hidden_is_there(browser: CompletionsBrowser, post: Any) -> None:
    post(StageStarted("grpo"), batch(0, "short", 0.5))
    browser.hide()
    post(batch(1, "short", 0.6), batch(2, "short", 0.7))
    browser.show()
    assert texts(browser.table_model, 3) == ["0.5000", "0.6000", "0.7000"]
