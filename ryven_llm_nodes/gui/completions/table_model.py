"""The samples of a stage as a table: one row per completion, one column per reward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QColor

from ryven_llm_nodes.errors import one_line
from ryven_llm_nodes.gui.style.colours import BAD, GOOD, MUTED, WARN
from ryven_llm_nodes.gui.widgets.tables import Index
from ryven_llm_nodes.quantities import number
from ryven_llm_nodes.run.events import Completions

MOST_ROWS: Final = 20_000
RECENT: Final = 64
"""How many recent batches are searched for the same samples when another reward arrives."""


@dataclass
class Sample:
    """A completion, the optimizer step it was sampled in, and its score by every reward."""

    step: int
    prompt: str
    completion: str
    scores: dict[str, float | None] = field(default_factory=dict)


@dataclass
class _Batch:
    done: int
    prompts: tuple[str, ...]
    completions: tuple[str, ...]
    samples: list[Sample]

    def fits(self, event: Completions) -> bool:
        """Whether ``event`` scores these samples with a reward that they have no score of yet."""
        same = self.done == event.done and self.completions == event.completions and self.prompts == event.prompts
        return same and all(event.reward not in sample.scores for sample in self.samples)


class SampleStore:
    """Merges events into samples: several rewards score the same samples one after the other."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.rewards: list[str] = []
        self._recent: list[_Batch] = []

    def add(self, event: Completions) -> list[Sample]:
        """Adds an event; returns the new samples."""
        if event.reward not in self.rewards:
            self.rewards.append(event.reward)
        batch = next((batch for batch in self._recent if batch.fits(event)), None)
        is_new = batch is None
        if batch is None:
            texts = zip(event.prompts, event.completions, strict=False)
            samples = [Sample(event.done + 1, prompt, completion) for prompt, completion in texts]
            batch = _Batch(event.done, event.prompts, event.completions, samples)
            self._recent = [*self._recent[1 - RECENT :], batch]
            self.samples += samples
        for sample, score in zip(batch.samples, event.scores, strict=False):
            sample.scores[event.reward] = score
        return batch.samples if is_new else []


class CompletionsModel(QAbstractTableModel):
    """A table over a :class:`SampleStore`: filtered by steps and words, sorted by a column.

    Columns are the step, the prompt, the completion, and every reward. Filtering and sorting happen here rather than
    in a proxy, whose calls into Python would take a second for twenty thousand rows.
    """

    FIXED: Final = ("step", "prompt", "completion")

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = SampleStore()
        self.rows: list[Sample] = []
        self._words: list[str] = []
        self._steps: tuple[int, int] | None = None
        self._sort: tuple[int, bool] | None = None
        self._range: dict[str, tuple[float, float]] = {}

    # What is shown

    def show(self, events: Iterable[Completions]) -> None:
        """Shows the samples of ``events`` in place of all others."""
        self.store = SampleStore()
        self._range = {}
        for event in events:
            self._take(event)
        self._rebuild()

    def add(self, events: Sequence[Completions]) -> None:
        """Adds the samples of ``events``. New rows come last, unless the table is sorted."""
        columns = len(self.store.rewards)
        new = [sample for event in events for sample in self._take(event)]
        too_many = len(self.store.samples) > MOST_ROWS
        if too_many or self._sort is not None or len(self.store.rewards) != columns:
            del self.store.samples[:-MOST_ROWS]
            self._rebuild()
            return
        self._append([sample for sample in new if self._fits(sample)])
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, self.columnCount() - 1))

    def _append(self, samples: list[Sample]) -> None:
        if samples:
            self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows) + len(samples) - 1)
            self.rows += samples
            self.endInsertRows()

    def _take(self, event: Completions) -> list[Sample]:
        scores = [score for score in event.scores if score is not None]
        if scores:
            low, high = self._range.get(event.reward, (scores[0], scores[0]))
            self._range[event.reward] = min(low, *scores), max(high, *scores)
        return self.store.add(event)

    def set_filter(self, words: str = "", steps: tuple[int, int] | None = None) -> None:
        """Shows the samples of these steps (first and last) whose prompt or completion has every word."""
        if (words.lower().split(), steps) != (self._words, self._steps):
            self._words, self._steps = words.lower().split(), steps
            self._rebuild()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sorts by a column; -1 is the order of arrival. Samples without a score come last."""
        self._sort = None if column < 0 else (column, order == Qt.SortOrder.DescendingOrder)
        self._rebuild()

    @property
    def is_sorted(self) -> bool:
        """Whether the rows are in another order than the one of arrival."""
        return self._sort is not None

    def _rebuild(self) -> None:
        self.beginResetModel()
        self.rows = [sample for sample in self.store.samples if self._fits(sample)]
        if self._sort is not None and self._sort[0] < self.columnCount():
            column, down = self._sort
            known = [sample for sample in self.rows if self.value(sample, column) is not None]
            unknown = [sample for sample in self.rows if self.value(sample, column) is None]
            self.rows = sorted(known, key=lambda sample: self.value(sample, column), reverse=down) + unknown
        self.endResetModel()

    def _fits(self, sample: Sample) -> bool:
        if self._steps is not None and not self._steps[0] <= sample.step <= self._steps[1]:
            return False
        text = f"{sample.prompt}\n{sample.completion}".lower() if self._words else ""
        return all(word in text for word in self._words)

    def step_range(self) -> tuple[int, int]:
        """The first and the last step there are samples of; (0, 0) while there are none."""
        samples = self.store.samples
        return (samples[0].step, max(samples[-1].step, samples[0].step)) if samples else (0, 0)

    # Qt's interface

    def value(self, sample: Sample, column: int) -> Any:
        """The full value of a sample in a column."""
        if column < len(self.FIXED):
            return (sample.step, sample.prompt, sample.completion)[column]
        return sample.scores.get(self.store.rewards[column - len(self.FIXED)])

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.FIXED) + len(self.store.rewards)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            names = [*self.FIXED, *self.store.rewards]
            return names[section] if section < len(names) else None
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.rows) or index.column() >= self.columnCount():
            return None
        value, column = self.value(self.rows[index.row()], index.column()), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._shown(value, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column not in (1, 2):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and column >= len(self.FIXED):
            return self._colour(self.store.rewards[column - len(self.FIXED)], value)
        if role == Qt.ItemDataRole.ForegroundRole and column == 0:
            return QColor(MUTED)
        return None

    @staticmethod
    def _shown(value: Any, column: int) -> str:
        if column in (1, 2):
            return one_line(value[:600])[:300]
        if column == 0:
            return str(value)
        return "-" if value is None else number(value)

    def _colour(self, reward: str, score: float | None) -> QColor:
        """Red for the low third of a reward's range so far, green for the high one."""
        low, high = self._range.get(reward, (0.0, 0.0))
        if score is None or high <= low:
            return QColor(MUTED)
        share = (score - low) / (high - low)
        return QColor(BAD if share < 1 / 3 else WARN if share < 2 / 3 else GOOD)
