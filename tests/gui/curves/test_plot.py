"""One plot under the mouse: zoom, drag, log scale, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from ryven_llm_nodes.gui.curves.plot import CurvePlot
from ryven_llm_nodes.gui.curves.series import Curve, Series

GREEN = "#00ff00"
NOTCH = 120


@pytest.fixture
def plot(qtbot: Any) -> CurvePlot:
    """A loss from 100 down to 0.01, over 1001 steps."""
    plot = CurvePlot("loss", unit="nats")
    qtbot.addWidget(plot)
    plot.resize(400, 200)
    plot.set_curves([Curve("sft", GREEN, Series([(step, 100 * 10 ** (-step / 250)) for step in range(1001)]))])
    plot.show()
    return plot


def wheel(plot: CurvePlot, place: QPointF, notches: int = 1, ctrl: bool = False) -> QWheelEvent:
    modifiers = Qt.KeyboardModifier.ControlModifier if ctrl else Qt.KeyboardModifier.NoModifier
    where = QPointF(plot.mapToGlobal(place.toPoint()))
    nothing = Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(place, where, QPoint(), QPoint(0, notches * NOTCH), *nothing, False)
    QApplication.sendEvent(plot, event)
    return event


def test_the_wheel_zooms_around_the_pointer_and_a_double_click_shows_all(plot: CurvePlot, qtbot: Any) -> None:
    told: list[Any] = []
    plot.zoomed.connect(told.append)
    place = QPointF(plot.frame().x(500), 100)
    assert wheel(plot, place, 3).isAccepted()
    frame = plot.frame()
    assert frame.last - frame.first == pytest.approx(1000 * 0.8**3)
    assert frame.step(place.x()) == pytest.approx(500)
    assert told == [plot.view.steps]
    qtbot.mouseDClick(plot, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert (plot.frame().first, plot.frame().last, told[-1]) == (0, 1000, None)


def test_what_is_zoomed_is_shown_with_all_its_points(plot: CurvePlot) -> None:
    assert len(plot._drawn()[0].raw.points()) < 1001
    plot.set_steps((100, 200))
    steps = [step for step, _ in plot._drawn()[0].raw.points()]
    assert steps == list(range(99, 202)), "and one on either side, so that the line reaches the edge"


def test_values_fill_the_height_of_what_is_shown(plot: CurvePlot) -> None:
    whole = plot.frame()
    plot.set_steps((900, 1000))
    assert whole.high > 100
    assert plot.frame().high < 0.05


def test_an_average_that_lags_behind_is_seen_too(plot: CurvePlot) -> None:
    series = Series([(step, float(step)) for step in range(101)], smoothing=0.9)
    plot.set_curves([Curve("a", GREEN, series)])
    plot.set_steps((50, 60))
    assert plot.frame().low < 45 < 60 < plot.frame().high


def test_dragging_moves_the_steps(plot: CurvePlot, qtbot: Any) -> None:
    plot.set_steps((400, 600))
    x = round(plot.frame().x(500))
    qtbot.mousePress(plot, Qt.MouseButton.LeftButton, pos=QPoint(x, 100))
    qtbot.mouseMove(plot, QPoint(round(plot.frame().x(550)), 100))
    qtbot.mouseRelease(plot, Qt.MouseButton.LeftButton)
    assert plot.view.steps == pytest.approx((350, 550), abs=2)
    qtbot.mouseMove(plot, QPoint(x, 100))
    assert plot.view.steps == pytest.approx((350, 550), abs=2), "it is not held any more"


def test_over_the_title_and_in_a_page_the_wheel_scrolls(plot: CurvePlot) -> None:
    assert not wheel(plot, QPointF(100, 8)).isAccepted()
    plot.scrolls = True
    assert not wheel(plot, QPointF(200, 100)).isAccepted()
    assert plot.view.steps is None
    assert wheel(plot, QPointF(200, 100), ctrl=True).isAccepted()
    assert plot.view.steps is not None


def green_at(plot: CurvePlot, step: float, value: float) -> bool:
    image, frame = plot.image(1.0), plot.frame()
    near = [(int(frame.x(step)) + dx, int(frame.y(value)) + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    return any(image.pixelColor(*place).green() > 180 for place in near)


def test_on_a_log_scale_an_exponential_is_a_straight_line(plot: CurvePlot) -> None:
    plot.make_menu().actions()[0].setChecked(True)
    frame = plot.frame()
    assert frame.log
    middle = (frame.at((0, 100.0)) + frame.at((1000, 0.01))) / 2
    assert frame.at((500, 1.0)).y() == pytest.approx(middle.y())
    assert green_at(plot, 500, 1.0)
    plot.set_log(False)
    assert green_at(plot, 500, 1.0)
    assert plot.frame().y(1.0) > middle.y() + 50


def test_a_curve_without_positive_values_is_shown_as_it_is(plot: CurvePlot) -> None:
    plot.set_curves([Curve("kl", GREEN, Series([(0, -1.0), (9, 0.0)]))])
    plot.set_log(True)
    assert not plot.frame().log
    assert green_at(plot, 0, -1.0)


def test_a_zoomed_curve_stays_inside_its_frame(plot: CurvePlot) -> None:
    plot.set_curves([Curve("a", GREEN, Series([(0, 0.0), (50, 100.0), (100, 0.0)]))])
    plot.set_view(plot.frame().zoomed(plot.view, QPointF(10, plot.frame().y(0)), 0.2, (0, 100)))
    image, frame = plot.image(1.0), plot.frame()
    above = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(2, int(frame.box.top()) - 4)}
    assert all(int(name[3:5], 16) < 250 or name[1:3] == name[3:5] for name in above if name != "#d7dde5")
    assert green_at(plot, 0, 0.0)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file that is chosen in a dialog, without its suffix."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "curves"), ""))
    return tmp_path / "curves"


def test_a_plot_is_saved_as_numbers_and_as_an_image(plot: CurvePlot, chosen: Path) -> None:
    png, csv = plot.make_menu().actions()[-2:]
    csv.trigger()
    png.trigger()
    assert chosen.with_suffix(".csv").read_text().splitlines()[:2] == ["curve,step,value,smoothed", "sft,0,100.0,"]
    image = QImage(str(chosen.with_suffix(".png")))
    assert (image.width(), image.height()) == (800, 400)
    assert image.pixelColor(5, 200) == plot.grab().toImage().pixelColor(3, 100)


def test_a_place_that_cannot_be_written_to_is_told(
    plot: CurvePlot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[str] = []
    (tmp_path / "file").touch()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "file" / "below"), ""))
    monkeypatch.setattr(QMessageBox, "warning", lambda *arguments: told.append(arguments[2]))
    plot.save_csv()
    plot.save_png()
    assert ["choose another place" in text for text in told] == [True, True]


def test_nothing_is_written_where_no_file_is_chosen(
    plot: CurvePlot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    plot.save_csv()
    assert list(tmp_path.iterdir()) == []
