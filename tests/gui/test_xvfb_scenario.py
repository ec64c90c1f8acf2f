"""One session at the editor with a real mouse and real keys, under Xvfb: from an empty canvas to the script.

The editor runs in a process of its own and is used through xdotool alone. It answers questions about where things
are (in pixels of the screen) and what state they are in over its standard input and output, since xdotool is blind.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]
NEEDED = ("Xvfb", "xdotool")
PATIENCE = 120  # seconds that the editor may take to answer
missing = [tool for tool in NEEDED if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not found; on Debian: apt install xvfb xdotool"),
]

EDITOR = '''
import faulthandler, json, os, signal, sys, threading
from pathlib import Path
from PySide6.QtCore import QObject, Qt, Signal
from ryven_llm_nodes.gui import editor
from ryven_llm_nodes.host import opening

faulthandler.register(signal.SIGUSR1, all_threads=True)
path = Path(sys.argv[1])


def say(answer):
    """In one write, on a line of its own: threads print too."""
    os.write(1, f"\\n{json.dumps(answer)}\\n".encode())


app = editor.application()
content = (opening.open_file(path) if path.exists() else opening.open_new()).content
window = editor.open_window(content, app, path)
window.setWindowFlag(Qt.WindowType.FramelessWindowHint)
window.setGeometry(0, 0, 1500, 860)
window.show()
shell = window.llm_shell
errors = []
sys.excepthook = lambda *e: errors.append(repr(e[1]))


def spot(widget, point=None):
    point = widget.mapToGlobal(point if point is not None else widget.rect().center())
    return [point.x(), point.y()]


def node(name):
    nodes = shell.flows.current_flow().nodes
    return next(n for n in nodes if n.name == name or (not n.name and type(n).__name__ == name))


def on_canvas(place):
    return spot(shell.flows.current_view().viewport(), shell.flows.current_view().mapFromScene(place))


def palette(title):
    tree = shell.palette.tree
    from PySide6.QtWidgets import QTreeWidgetItemIterator
    iterator = QTreeWidgetItemIterator(tree)
    while iterator.value():
        item = iterator.value()
        if item.text(0) == title:
            tree.scrollToItem(item)
            return spot(tree.viewport(), tree.visualItemRect(item).center())
        iterator += 1


def pin(name, port, side):
    n = node(name)
    declared, items = (n.out_ports, n.gui.item.outputs) if side == "out" else (n.in_ports, n.gui.item.inputs)
    return on_canvas(items[[p.name for p in declared].index(port)].pin.get_scene_center_pos())


def header(name):
    from PySide6.QtCore import QPointF
    item = node(name).gui.item
    return on_canvas(item.mapToScene(item.boundingRect().topLeft() + QPointF(60, 14)))


def canvas(x, y):
    view = shell.flows.current_view().viewport()
    from PySide6.QtCore import QPoint
    return spot(view, QPoint(x, y))


def button(text):
    bar = shell.toolbar.bar
    action = next(a for a in bar.actions() if a.text() == text)
    return spot(bar.widgetForAction(action))


def code_button(text):
    from PySide6.QtWidgets import QPushButton
    return spot(next(b for b in shell.commands.code_window.findChildren(QPushButton) if b.text().startswith(text)))


def field(name, parameter):
    """Scrolls to the row of a parameter in the inspector and says where its field is."""
    form = shell.flows.inspectors[shell.flows.current_flow()].panel(node(name)).form
    form.scroll_to(parameter)
    app.processEvents()
    shell.palette.search.setFocus()
    return spot(form.row(parameter).editor.input())


def stage(name):
    found = shell_state().stage(node(name))
    return found and [found.state, found.done, found.total]


def shell_state():
    from ryven_llm_nodes.gui.state.flow_state import flow_state
    return flow_state(shell.flows.current_flow())


def meaning():
    flow = shell.flows.current_flow()
    out = []
    for n in flow.nodes:
        wires = [(w.node.name or type(w.node).__name__) if (w := flow.connected_output(i)) else None for i in n.inputs]
        out.append([type(n).__name__, n.name, n.params, wires, [round(n.gui.item.x()), round(n.gui.item.y())]])
    return out


class Asked(QObject):
    asked = Signal(str)


def answer(line):
    try:
        say({"value": eval(line)})
    except Exception as error:
        say({"error": repr(error)})


asked = Asked()
asked.asked.connect(answer, Qt.ConnectionType.QueuedConnection)


def read():
    for line in sys.stdin:
        asked.asked.emit(line.strip())


threading.Thread(target=read, daemon=True).start()
say({"value": "ready"})
app.exec()
shell.runs.shut_down()
'''


class Desk:
    """A screen, a mouse, and a keyboard, with the editor on it."""

    def __init__(self, display: str, work: Path) -> None:
        self.environment = {
            **os.environ,
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")]),
            "HF_HUB_OFFLINE": "1",
        }
        self.work = work
        self.editor: Any = None

    def open(self, name: str) -> None:
        command = [sys.executable, "-X", "faulthandler", "-c", EDITOR, name]
        self.editor = subprocess.Popen(
            command, cwd=self.work, env=self.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(self.work / "editor.log").open("a"),
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(line) for line in self.editor.stdout], daemon=True).start()
        assert self._answer() == "ready"
        time.sleep(1.0)

    def close(self) -> None:
        self.ask("window.close()")
        assert self.editor.wait(30) == 0

    def ask(self, expression: str) -> Any:
        assert self.editor.poll() is None, (self.work / "editor.log").read_text()[-4000:]
        self.editor.stdin.write(expression + "\n")
        self.editor.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.editor.poll() is None:
            with suppress(queue.Empty):
                line = self.lines.get(timeout=1)
                if line.startswith("{"):
                    answer = json.loads(line)
                    assert "error" not in answer, answer
                    return answer["value"]
        if self.editor.poll() is None:
            self.editor.send_signal(signal.SIGUSR1)  # tells where each of its threads is
            time.sleep(1)
        raise AssertionError((self.work / "editor.log").read_text()[-8000:])

    def wait(self, expression: str, seconds: float = 60) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.ask(expression):
                return value
            time.sleep(0.1)
        raise AssertionError(f"not true within {seconds} s: {expression}; log: {self.ask('errors')}")

    # The hands

    def do(self, *words: Any) -> None:
        subprocess.run(["xdotool", *map(str, words)], env=self.environment, check=True, timeout=20)
        time.sleep(0.12)

    def click(self, place: str) -> None:
        x, y = self.ask(place)
        self.do("mousemove", x, y)
        self.do("click", 1)

    def drag(self, start: str, end: str) -> None:
        (x1, y1), (x2, y2) = self.ask(start), self.ask(end)
        self.do("mousemove", x1, y1)
        self.do("mousedown", 1)
        for share in (0.1, 0.3, 0.6, 0.9, 1.0):
            self.do("mousemove", round(x1 + (x2 - x1) * share), round(y1 + (y2 - y1) * share))
        self.do("mouseup", 1)

    def key(self, *keys: str) -> None:
        for key in keys:
            self.do("key", key)

    def type(self, text: str) -> None:
        self.do("type", "--delay", 15, text)

    def fill(self, node: str, parameter: str, text: str) -> None:
        """Selects a node and types a value into a field of its inspector."""
        self.click(f"header({node!r})")
        self.wait(f"shell.flows.inspectors[shell.flows.current_flow()].currentWidget().node is node({node!r})", 5)
        self.click(f"field({node!r}, {parameter!r})")
        self.key("ctrl+a")
        self.type(text)
        self.key("Tab")


@pytest.fixture
def desk(work: Path) -> Iterator[Desk]:
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1500x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as answer:
        display = f":{answer.readline().strip()}"
    desk = Desk(display, work)
    yield desk
    if desk.editor is not None and desk.editor.poll() is None:
        desk.editor.kill()
    server.terminate()
    server.wait(10)


def shot(desk: Desk, name: str) -> None:
    """A picture of the screen for whoever wants to see what happened, where ImageMagick is there."""
    folder = os.environ.get("SCENARIO_SHOTS")
    if folder and shutil.which("import"):
        subprocess.run(["import", "-window", "root", f"{folder}/{name}.png"], env=desk.environment, check=False)


def test_from_an_empty_canvas_to_the_script(desk: Desk, work: Path) -> None:
    desk.open("mine.json")
    _draw(desk)
    _set_values(desk)
    shot(desk, "drawn")
    _run_and_stop(desk)
    _run_to_the_end(desk)
    _take_the_script(desk, work)
    meaning = desk.ask("meaning()")
    desk.key("ctrl+s")
    desk.wait("not shell.document.modified", 10)
    assert desk.ask("errors") == []
    desk.close()
    desk.open("mine.json")
    assert desk.ask("meaning()") == meaning
    desk.click("button('Check')")
    desk.wait("shell.toolbar.status.text() == 'no problems'", 60)
    shot(desk, "reopened")
    desk.close()


def _draw(desk: Desk) -> None:
    for title, x, y in (("Load Model", 120, 100), ("Load Dataset", 120, 260), ("SFT", 480, 180)):
        desk.drag(f"palette({title!r})", f"canvas({x}, {y})")
    placed = desk.ask("[type(n).__name__ for n in shell.flows.current_flow().nodes]")
    assert placed == ["LoadModel", "LoadDataset", "SFT"]
    # the wrong way first: it is refused and leaves nothing behind
    desk.drag("pin('LoadDataset', 'dataset', 'out')", "pin('SFT', 'model', 'in')")
    assert desk.ask("len(shell.flows.current_view().connection_items)") == 0
    desk.drag("pin('LoadModel', 'model', 'out')", "pin('SFT', 'model', 'in')")
    desk.drag("pin('LoadDataset', 'dataset', 'out')", "pin('SFT', 'dataset', 'in')")
    assert desk.ask("len(shell.flows.current_view().connection_items)") == 2


def _set_values(desk: Desk) -> None:
    desk.fill("LoadModel", "path", "model")
    desk.fill("LoadDataset", "path", "sft.jsonl")
    desk.fill("SFT", "learning_rate", "0.002")
    desk.fill("SFT", "warmup_steps", "0")
    desk.fill("SFT", "num_train_epochs", "4000")
    desk.fill("SFT", "per_device_train_batch_size", "4")
    assert desk.ask("node('LoadModel').params") == {"path": "model"}
    expected = {"learning_rate": 0.002, "warmup_steps": 0, "num_train_epochs": 4000, "per_device_train_batch_size": 4}
    assert desk.ask("node('SFT').params") == expected
    desk.click("canvas(700, 400)")
    desk.key("ctrl+z", "ctrl+z")
    desk.key("ctrl+shift+z", "ctrl+shift+z")
    assert desk.ask("node('SFT').params") == expected


def _run_and_stop(desk: Desk) -> None:
    desk.key("F5")
    desk.wait("(stage('SFT') or [0, 0])[1] > 20", 60)
    shot(desk, "running")
    assert desk.ask("stage('SFT')[0]") == "running"
    desk.key("shift+F5")
    desk.wait("not shell.runs.running", 20)
    assert desk.ask("stage('SFT')[0]") == "cancelled"


def _run_to_the_end(desk: Desk) -> None:
    desk.fill("SFT", "num_train_epochs", "2")
    desk.click("button('Run')")
    desk.wait("shell.runs.running", 10)
    desk.wait("not shell.runs.running", 60)
    assert desk.ask("stage('SFT')") == ["done", 8, 8]
    shot(desk, "done")


def _take_the_script(desk: Desk, work: Path) -> None:
    desk.key("F7")
    desk.wait("shell.commands.code_window is not None and shell.commands.code_window.isVisible()", 10)
    time.sleep(0.5)
    shot(desk, "code")
    desk.click("code_button('Copy')")
    desk.click("code_button('Close')")
    desk.ask("window.activateWindow()")  # a window manager would do that; there is none here
    assert "SFTTrainer" in desk.ask("app.clipboard().text()")
    assert (work / "outputs" / "pipeline" / "sft" / "model.safetensors").is_file()
