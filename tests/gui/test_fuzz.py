"""Random operations on the editor while it trains: no crash, no exception, nothing lost.

By hand: ``python tests/gui/test_fuzz.py --seeds 8 --operations 500``. Every seed runs in a process of its own.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from rotation import turn  # noqa: E402  # the file is also a command

Meaning = tuple[Any, ...]


class Fuzz:
    """An editor and a random user. ``history`` holds what the flow meant at each place of the undo stack."""

    def __init__(self, seed: int, folder: Path) -> None:
        import flows

        from ryven_llm_nodes.gui.editor import open_window
        from ryven_llm_nodes.host.launch import application

        self.random = random.Random(seed)
        self.folder = folder
        self.app = application()
        self.open_window = open_window
        self.errors: list[str] = []
        sys.excepthook = lambda *error: self.errors.append("".join(traceback.format_exception(*error)))
        self.history: dict[int, Meaning] = {}
        self.counts: dict[str, int] = {}
        self.window: Any = None
        self.open(flows.alone(self.random.choice(flows.METHODS), max_steps=60))

    def open(self, content: Any, path: Path | None = None) -> None:
        """Opens a project in a new window and closes the old one, whatever it is doing."""
        from PySide6.QtCore import QEvent

        old, self.window = self.window, self.open_window(content, self.app, path)
        self.shell.runs.ask = lambda items: True
        self.shell.runs.finished.connect(lambda _, result: self.count(f"ended {getattr(result, 'status', 'refused')}"))
        if old is not None:
            old.close()
            old.deleteLater()
            self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        self.history = {}
        self.settle(0.05)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # What there is

    @property
    def shell(self) -> Any:
        return self.window.llm_shell

    @property
    def view(self) -> Any:
        return self.shell.flows.current_view()

    @property
    def flow(self) -> Any:
        return self.view.flow

    @property
    def stack(self) -> Any:
        return self.view._undo_stack

    def node(self) -> Any | None:
        return self.random.choice(self.flow.nodes) if self.flow.nodes else None

    def meaning(self) -> Meaning:
        """All that a user would miss: nodes in their order, names, values, wires, places; groups and notes."""
        from ryven_llm_nodes.host.annotations import items_on

        nodes = self.flow.nodes
        notes = sorted(tuple(vars(item.about).values()) for item in items_on(self.view))
        return (*self._nodes(nodes), *((*note[:2], *map(round, note[2:6]), note[6]) for note in notes))

    def _nodes(self, nodes: list[Any]) -> Meaning:
        return tuple(
            (
                type(node).__name__,
                node.name,
                node.bypassed,
                json.dumps(node.params, sort_keys=True),
                tuple(
                    (nodes.index(out.node), out.node.outputs.index(out)) if out else None
                    for out in map(self.flow.connected_output, node.inputs)
                ),
                (round(node.gui.item.pos().x()), round(node.gui.item.pos().y())),
            )
            for node in nodes
        )

    def settle(self, seconds: float = 0.0) -> None:
        end = time.monotonic() + seconds
        self.app.processEvents()
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.002)

    # What a user does

    def place(self) -> None:
        from ryven_llm_nodes.catalogue import ALL_NODES

        if len(self.flow.nodes) < 25:
            self.shell.palette.chosen.emit(self.random.choice(ALL_NODES))

    def wire(self) -> None:
        outs = [port for node in self.flow.nodes for port in node.outputs]
        ins = [port for node in self.flow.nodes for port in node.inputs]
        if outs and ins:
            self.view.connect_node_ports__cmd(self.random.choice(outs), self.random.choice(ins))

    def edit(self) -> None:
        from ryven_llm_nodes.gui.state.edits import set_value

        if node := self.node():
            name = self.random.choice(list(node.all_parameters()))
            code = "def f(completions, **kwargs):\n    return [0.0]\n"
            values = [1, -1, 0.5, "x", "", None, True, code, [1], "ü'\"\\\n"]
            set_value(node, name, self.random.choice(values))

    def reset(self) -> None:
        from ryven_llm_nodes.gui.state.edits import reset_value

        if (node := self.node()) and node.params:
            reset_value(node, self.random.choice(list(node.params)))

    def rename(self) -> None:
        from ryven_llm_nodes.gui.state.edits import rename

        if node := self.node():
            rename(node, self.random.choice(["", "one", "two", "model", "ü b", f"n{self.random.randrange(99)}"]))

    def select(self) -> None:
        from ryven_llm_nodes.host.annotations import items_on

        items = [node.gui.item for node in self.flow.nodes] + list(self.view.connection_items.values())
        items += items_on(self.view)
        chosen = set(self.random.sample(items, min(len(items), self.random.randrange(4))))
        self.view.scene().clearSelection()
        for item in chosen:
            item.setSelected(True)

    def click(self) -> None:
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest

        viewport = self.view.viewport()
        place = QPoint(self.random.randrange(viewport.width()), self.random.randrange(viewport.height()))
        if node := self.node():
            place = self.view.mapFromScene(node.gui.item.pos()) if self.random.random() < 0.7 else place
        if viewport.rect().contains(place):
            QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def drag(self) -> None:
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest

        if node := self.node():
            item, viewport = node.gui.item, self.view.viewport()
            pins = [port.pin for port in (*item.inputs, *item.outputs)]
            points = [item.boundingRect().topLeft() + _offset(20, 12), *(pin.pos() for pin in pins)]
            start = self.view.mapFromScene(item.mapToScene(self.random.choice(points)))
            end = start + QPoint(self.random.randrange(-150, 150), self.random.randrange(-100, 100))
            if viewport.rect().contains(start) and viewport.rect().contains(end):
                button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
                QTest.mousePress(viewport, button, none, start)
                QTest.mouseMove(viewport, (start + end) / 2)
                QTest.mouseMove(viewport, end)
                QTest.mouseRelease(viewport, button, none, end)
                self.view.hide_node_list_widget()

    def move(self) -> None:
        from PySide6.QtCore import QPointF

        if self.view.scene().selectedItems():
            step = QPointF(self.random.randrange(-60, 60), self.random.randrange(-60, 60))
            self.view._move_selected_copmonents__cmd(step)

    def delete(self) -> None:
        if self.random.random() < 0.6:
            self.view.remove_selected_components__cmd()

    def copy(self) -> None:
        self.view._copy()

    def cut(self) -> None:
        if self.random.random() < 0.4:
            self.view._cut()

    def paste(self) -> None:
        if len(self.flow.nodes) < 25:
            self.view._paste()

    def duplicate(self) -> None:
        if len(self.flow.nodes) < 25:
            self.shell.flows.duplicate()

    def bypass(self) -> None:
        self.shell.flows.bypass()

    def annotate(self) -> None:
        """A group or a note, or another text, colour or size of one."""
        from dataclasses import replace

        from ryven_llm_nodes.host.annotations import change, items_on
        from ryven_llm_nodes.program.annotations import COLOURS

        known = items_on(self.view)
        if len(known) < 6 and self.random.random() < 0.5:
            self.random.choice([self.shell.flows.group, self.shell.flows.note])()
            self.view.scene().clearFocus()
        elif known:
            item, text = self.random.choice(known), self.random.choice(["", "one", "ü\n'b'"])
            width, colour = self.random.randrange(120, 900), self.random.choice(COLOURS)
            change(item, replace(item.about, text=text, width=float(width), colour=colour))

    def drag_note(self) -> None:
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest

        from ryven_llm_nodes.host.annotations import items_on

        if known := items_on(self.view):
            viewport, item = self.view.viewport(), self.random.choice(known)
            corners = [item.scene_box.topLeft() + _offset(40, 10), item.scene_box.bottomRight() - _offset(5, 5)]
            start = self.view.mapFromScene(self.random.choice(corners))
            end = start + QPoint(self.random.randrange(-150, 150), self.random.randrange(-100, 100))
            if viewport.rect().contains(start) and viewport.rect().contains(end):
                button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
                QTest.mousePress(viewport, button, none, start)
                QTest.mouseMove(viewport, (start + end) / 2)
                QTest.mouseMove(viewport, end)
                QTest.mouseRelease(viewport, button, none, end)
                self.view.hide_node_list_widget()

    def align(self) -> None:
        from ryven_llm_nodes.gui.window.actions import ALIGNMENTS

        self.shell.flows.align(self.random.choice(list(ALIGNMENTS)))

    def zoom(self) -> None:
        from PySide6.QtCore import QPointF

        from ryven_llm_nodes.host.navigation import zoom_about

        place = QPointF(self.random.randrange(400), self.random.randrange(300))
        zoom_about(self.view, place, self.random.choice([0.5, 0.8, 1.25, 2]))

    def next_problem(self) -> None:
        self.shell.docks.step_problem(self.random.choice([1, -1]))

    def begin(self) -> None:
        """A template in a flow of its own, which is deleted again."""
        from ryven_llm_nodes.templates import TEMPLATES

        if self.random.random() < 0.2 and self.flow.nodes:
            first = self.flow
            self.shell.starting.use_template(self.random.choice(list(TEMPLATES)))
            self.settle(0.1)
            made = self.flow
            assert made is not first
            assert made.nodes
            self.window.core_session.delete_flow(made)

    def select_all(self) -> None:
        self.view._select_all_action()

    def undo(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.stack.undo()

    def redo(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.stack.redo()

    def collapse(self) -> None:
        if node := self.node():
            item = node.gui.item
            item.expand() if item.collapsed else item.collapse()

    def run(self) -> None:
        self.shell.commands.run()

    def run_to_here(self) -> None:
        if node := self.node():
            node.gui.run_to_here()

    def stop(self) -> None:
        self.shell.commands.stop()

    def wait(self) -> None:
        self.settle(self.random.random() * 0.6)

    def check(self) -> None:
        self.shell.commands.check()

    def generate(self) -> None:
        self.shell.commands.generate()
        self.settle(0.1)
        if self.shell.commands.code_window is not None:
            self.shell.commands.code_window.close()

    def save(self) -> None:
        before = self.meaning()
        assert self.shell.saving.save_to(self.folder / "fuzz.json")
        assert self.meaning() == before, "saving changed the flow"

    def load(self) -> None:
        if self.random.random() < 0.4:
            self.save()
            before = self.meaning()
            path = self.folder / "fuzz.json"
            self.open(json.loads(path.read_text(encoding="utf-8")), path)
            assert self.meaning() == before, "what was saved opens differently"

    def fresh(self) -> None:
        """A flow that runs, so that what follows happens while it trains."""
        import flows

        if self.random.random() < 0.5:
            self.open(flows.alone(self.random.choice(flows.METHODS), max_steps=500), self.folder / "fuzz.json")
            self.shell.commands.run()
            self.settle(0.3)

    def second_flow(self) -> None:
        session = self.window.core_session
        if self.random.random() < 0.2:
            flow = session.create_flow(f"other {self.random.randrange(10**6)}")
            self.settle(0.02)
            self.shell.palette.chosen.emit(self.random.choice(list(session.nodes)))
            self.settle(0.02)
            session.delete_flow(flow)

    # One step

    WEIGHTS: dict[str, int] = {
        **dict.fromkeys(("place", "wire", "edit", "select", "click", "drag", "undo", "redo", "delete", "paste"), 6),
        **dict.fromkeys(("run", "wait", "copy", "move", "rename", "reset", "run_to_here"), 3),
        **dict.fromkeys(("stop", "check", "generate", "save", "load", "cut", "collapse", "select_all"), 2),
        **dict.fromkeys(("second_flow", "fresh", "duplicate", "bypass", "align", "zoom", "next_problem", "begin"), 2),
        **dict.fromkeys(("annotate", "drag_note"), 4),
    }  # fmt: skip

    def step(self) -> None:
        name = self.random.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
        print(f"{name} {self.stack.index()}/{self.stack.count()}", file=sys.stderr, flush=True)
        self.count(name)
        before, window = self.stack.index(), self.window
        getattr(self, name)()
        self.settle()
        self.settle()
        self.compare(name, before if window is self.window else -1)
        if self.errors:
            raise AssertionError(f"after {name}:\n{self.errors[0]}")

    def compare(self, name: str, before: int) -> None:
        """The canvas shows what the flow holds, and undo leads to what was.

        ``before`` is the place on the undo stack before the operation: what lay beyond it is no more.
        """
        assert set(self.view.node_items) == set(self.flow.nodes), f"{name}: nodes and their items differ"
        wires = {(out, inp) for out, inps in self.flow.graph_adj.items() for inp in inps}
        assert set(self.view.connection_items) == wires, f"{name}: wires and their items differ"
        index, now = self.stack.index(), self.meaning()
        if name in ("undo", "redo"):
            if index in self.history:
                assert self.history[index] == now, f"{name} to {index} gives\n{now}\nnot\n{self.history[index]}"
        else:
            self.history = {place: then for place, then in self.history.items() if place <= before}
        self.history[index] = now


def _offset(x: float, y: float) -> Any:
    from PySide6.QtCore import QPointF

    return QPointF(x, y)


def fuzz(seed: int, operations: int) -> None:
    """One seed, in this process."""
    import flows

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    faulthandler.enable()
    faulthandler.dump_traceback_later(60 + operations, exit=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        flows.write_data(Path(folder))
        flows.write_model(Path(folder, "model"))
        user = Fuzz(seed, Path(folder))
        try:
            for _ in range(operations):
                user.step()
        finally:
            sys.excepthook = sys.__excepthook__
        user.window.close()
        user.settle(0.1)
        user.window.llm_shell.runs.shut_down(patience=60)  # a run that is being stopped still writes to the folder
        print(f"seed {seed}: {operations} operations, nothing lost; {dict(sorted(user.counts.items()))}")
    sys.stdout.flush()
    faulthandler.cancel_dump_traceback_later()


def in_process_of_its_own(seed: int, operations: int) -> subprocess.CompletedProcess[str]:
    """One seed in a child process, so that a crash is a result and not the end."""
    command = [sys.executable, __file__, "--seed", str(seed), "--operations", str(operations)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120 + 2 * operations)


@pytest.mark.slow
@pytest.mark.parametrize("seed", turn([1, 2], 2))
def test_random_operations_lose_nothing(seed: int) -> None:
    done = in_process_of_its_own(seed, 60)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert "nothing lost" in done.stdout


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one seed, here")
    parser.add_argument("--seeds", type=int, default=8, help="how many seeds (default %(default)s)")
    parser.add_argument("--operations", type=int, default=500, help="operations a seed (default %(default)s)")
    options = parser.parse_args()
    if options.seed is not None:
        fuzz(options.seed, options.operations)
        return 0
    failed = 0
    for seed in range(options.seeds):
        done = in_process_of_its_own(seed, options.operations)
        failed += done.returncode != 0
        bad = f"seed {seed} FAILED with status {done.returncode}\n{done.stderr[-4000:]}"
        print(bad if done.returncode else done.stdout.strip(), flush=True)
    print(f"{options.seeds - failed} of {options.seeds} seeds passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
