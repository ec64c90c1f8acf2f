"""A screen of its own with a window manager, a mouse and a keyboard, and the editor on it; it counts what is done."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from probe import MARK

HERE: Final = Path(__file__).resolve().parent
SIZE: Final = (1280, 720)
NEEDED: Final = ("Xvfb", "xdotool", "openbox", "import", "convert")
PATIENCE: Final = 180
"""Seconds that a window may take to answer, or to come to what a journey waits for."""
PAUSE: Final = 0.1
"""Seconds after each movement, click and key."""
KEEP: Final = ("PATH", "PYTHONPATH", "OMP_NUM_THREADS", "LANG", "LD_LIBRARY_PATH", "XDG_DATA_DIRS")
"""What the editor takes over of the environment; else it is that of a user who has just logged in."""


@dataclass
class Count:
    """What a journey took."""

    clicks: int = 0
    keys: int = 0
    drops: int = 0
    seconds: float = 0.0
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """File and caption."""


class Desk:
    """The screen ``display``, with the folder of a user who has never started the editor at ``home``."""

    def __init__(self, display: str, home: Path, pictures: Path, name: str) -> None:
        self.home, self.pictures, self.name = home, pictures, name
        self.work = home / "project"
        self.work.mkdir(parents=True)
        self.count = self.told = Count()
        self._process: Any = None
        self._begun = 0.0
        self._away = 0.0
        self.environment = {name: os.environ[name] for name in KEEP if name in os.environ} | {
            "DISPLAY": display,
            "HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "XDG_RUNTIME_DIR": str(home),
            "RYVEN_LLM_APPEARANCE": "dark",
        }
        self._do("mousemove", *(pixels - 1 for pixels in SIZE))  # over nothing that shows it

    # The editor

    def start(self, *command: str) -> None:
        """Starts a command with a window; the clock begins with the first."""
        self._begun = self._begun or time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "probe.py"), *command], cwd=self.work, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(self.home / "stderr.log").open("a"),
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._follow(self._process, self._lines)
        self.wait(lambda: self.ask("ready"), "a window")
        time.sleep(0.5)  # panels are filled a moment after the window is there

    def _follow(self, process: Any, lines: queue.Queue[str]) -> None:
        threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()

    def kill(self) -> None:
        """Ends the editor as the system does that is out of memory: at once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def end(self) -> None:
        """Ends what is left."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def shell(self, *command: str) -> str:
        """What a command prints in a terminal in the folder of the project; its text counts as typed keys."""
        self.count.keys += len(" ".join(command)) + 1
        self._begun = self._begun or time.monotonic()
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [str(program), *command[1:]], cwd=self.work, env=self.environment, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, name: str, *arguments: Any) -> Any:
        """A question to the probe; see ``probe.py``."""
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(queue.Empty):
                line = self._lines.get(timeout=1)
                if line.startswith(MARK):
                    answer = json.loads(line.removeprefix(MARK))
                    assert "error" not in answer, answer["error"]
                    return answer["value"]
        raise AssertionError(f"no answer to {name}{arguments}:\n{(self.home / 'stderr.log').read_text()[-4000:]}")

    def wait(self, true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """Waits until something is ``true``; gives it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := true():
                return value
            time.sleep(0.1)
        raise AssertionError(f"{self.name}: not there after {seconds:.0f} s: {what}; {self.ask('texts')}")

    def see(self, *words: str, seconds: float = PATIENCE) -> str:
        """Waits until a text with all ``words`` is shown; gives it."""
        return self.wait(
            lambda: next((one for one in self.ask("texts") if all(word in one for word in words)), None),
            " ".join(words), seconds,
        )  # fmt: skip

    # The hands

    def _do(self, *words: Any) -> None:
        subprocess.run(["xdotool", *map(str, words)], env=self.environment | _path(), check=True, timeout=60)
        time.sleep(PAUSE)

    def at(self, *place: Any) -> tuple[int, int]:
        """A place of the screen: of a text, or of what a question of the probe answers."""
        question = place if len(place) > 1 else ("text", *place)
        x, y = self.wait(lambda: self.ask(*question), f"the place of {question}", 60)
        return x, y

    def point(self, *place: Any) -> None:
        """Moves the mouse to a place."""
        self._do("mousemove", *self.at(*place))

    def click(self, *place: Any, button: int = 1, times: int = 1, hold: str = "") -> None:
        """A click, or a double click, which counts as two; with a key that is held, which counts as one."""
        self.point(*place)
        self.count.clicks += times
        self.count.keys += bool(hold)
        if hold:
            self._do("keydown", hold)
        self._do("click", "--repeat", times, "--delay", 60, button)
        if hold:
            self._do("keyup", hold)

    def drag(self, start: tuple[Any, ...], end: tuple[Any, ...]) -> None:
        """Drags with the left button, which counts as a click."""
        (x1, y1), (x2, y2) = self.at(*start), self.at(*end)
        self.count.clicks += 1
        self._do("mousemove", x1, y1)
        self._do("mousedown", 1)
        for share in (0.1, 0.3, 0.6, 0.9, 1.0):
            self._do("mousemove", round(x1 + (x2 - x1) * share), round(y1 + (y2 - y1) * share))
        self._do("mouseup", 1)

    def key(self, *keys: str) -> None:
        """Keys one after the other; a combination counts as one."""
        for one in keys:
            self.count.keys += 1
            self._do("key", one)

    def type(self, text: str) -> None:
        """A text; each of its characters counts as a key."""
        self.wait(lambda: self.ask("listening"), "the focus", 20)
        self.count.keys += len(text)
        self._do("type", "--delay", 15, text)

    def drop(self, place: tuple[Any, ...], *paths: Path) -> None:
        """Drops files that are dragged together from a file manager: one drop, by the events of Qt."""
        x, y = self.at(*place)
        self._do("mousemove", x, y)
        self.count.drops += 1
        assert self.ask("drop", x, y, *map(str, paths)), "the drop was refused"

    # What is kept

    def picture(self, caption: str) -> None:
        """A picture of the screen; the clock stands still meanwhile."""
        with self._standing_still():
            time.sleep(0.7)  # for what fades, or is painted in a moment
            file = self.pictures / f"{self.name}-{len(self.count.pictures) + 1}.png"
            raw = self.home / "screen.png"
            subprocess.run(["import", "-window", "root", str(raw)], env=self.environment | _path(), check=True)
            subprocess.run(["convert", str(raw), "-dither", "None", "-colors", "128", f"PNG8:{file}"], check=True)
            self.count.pictures.append((file.name, caption))

    @contextmanager
    def _standing_still(self) -> Iterator[None]:
        before = time.monotonic()
        yield
        self._away += time.monotonic() - before

    def arrived(self) -> None:
        """The journey has reached its goal: what is done from now on is not counted."""
        self.count.seconds = round(time.monotonic() - self._begun - self._away, 1)
        self.count, self.told = replace(self.count), self.count


def _path() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


@contextmanager
def screen() -> Iterator[str]:
    """A display of its own with a window manager."""
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"not found: {', '.join(missing)}; on Debian: apt install xvfb xdotool openbox imagemagick")
    reader, writer = os.pipe()
    mode = "{}x{}x24".format(*SIZE)
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", mode, "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as answer:
        display = f":{answer.readline().strip()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    manager = subprocess.Popen(["openbox"], env=os.environ | {"DISPLAY": display}, **quiet)
    try:
        yield display
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait(10)
