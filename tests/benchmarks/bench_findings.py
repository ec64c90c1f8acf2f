"""How long findings take on many rows, and how much memory.

Run by hand: ``python tests/benchmarks/bench_findings.py [--rows 1000000]``. For conversations, for prompt and
completion and for preference pairs, a process of its own loads the rows, and a check of a flow judges them. Shown are
the seconds that judging takes, by the clock and in processor time, which other programs disturb less (loading the rows,
which ``datasets`` does, is not counted), and the memory that it adds to that of the process with its libraries: memory
of its own, and pages of the file of rows, which the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
KINDS = {"conversations": "sft", "prompt and completion": "sft", "preference pairs": "dpo"}
MOST_SECONDS, MOST_MB = 30, 500


def rows(kind: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of some hundred characters."""
    for i in range(count):
        question, answer = f"Question {i}: " + "what is it? " * 8, f"Answer {i}: " + "it is. " * 16
        if kind == "conversations":
            turns = [("user", question), ("assistant", answer), ("user", "Sure?"), ("assistant", "Yes, I am.")]
            yield {"messages": [{"role": role, "content": content} for role, content in turns]}
        elif kind == "preference pairs":
            yield {"prompt": question, "chosen": f" {answer}", "rejected": " no idea"}
        else:
            yield {"prompt": question, "completion": f" {answer}"}


def measure(kind: str, count: int, folder: Path) -> dict[str, float]:
    """Judges rows in this process."""
    import datasets
    import flows
    from cases.written_models import write_models

    from ryven_llm_nodes.program import build
    from ryven_llm_nodes.run.examine import check

    write_models(folder)
    made = datasets.Dataset.from_generator(lambda: rows(kind, count), cache_dir=str(folder / "cache"))
    made.to_parquet(folder / "rows.parquet")
    method = KINDS[kind]
    drawn = flows.draw(
        f"base -> {method}, rows -> {method}",
        base=flows.node(flows.LoadModel, path="chat"),
        rows=flows.node(flows.LoadDataset, path="rows.parquet"),
        **{method: flows.TRAINERS[method]},
    )
    program = build(flows.graph(drawn, folder))
    loading: list[float] = []
    values = check._values

    def timed(*given: Any) -> Any:
        found = list(values(*given))
        loading.extend((time.perf_counter(), time.process_time()))
        return found

    check._values = timed  # type: ignore[assignment]
    with _Memory() as memory:
        found = check.checked(program, folder / "outputs")
        seconds, busy = time.perf_counter() - loading[0], time.process_time() - loading[1]
    assert not found, found  # these rows are right
    return {"seconds": seconds, "busy": busy, "own": memory.own, "pages": memory.pages}


class _Memory:
    """The most memory, in MB, that is added while it is open."""

    def __enter__(self) -> _Memory:
        self.own = self.pages = 0.0
        self._before, self._is_open = _memory(), True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._thread.join()

    def _watch(self) -> None:
        while self._is_open:
            own, pages = (now - before for now, before in zip(_memory(), self._before, strict=True))
            self.own, self.pages = max(self.own, own), max(self.pages, pages)
            time.sleep(0.02)


def _memory() -> tuple[float, float]:
    """Memory of this process, and pages of files, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return int(found["RssAnon"].split()[0]) / 1e3, int(found["RssFile"].split()[0]) / 1e3


def main() -> None:
    """Measures each kind in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", help="measure this kind, in this process")
    given = parser.parse_args()
    if given.kind:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(given.kind, given.rows, Path(folder))))
        return
    for kind in KINDS:
        command = [sys.executable, __file__, "--rows", str(given.rows), "--kind", kind]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(out.splitlines()[-1])
        is_met = found["seconds"] < MOST_SECONDS and found["own"] < MOST_MB
        times = f"{found['seconds']:.1f} s ({found['busy']:.1f} s busy)"
        line = f"{given.rows:,} rows of {kind}: {times}, {found['own']:.0f} MB"
        print(f"{line} (+ {found['pages']:.0f} MB of pages) {'' if is_met else 'TOO MUCH'}", flush=True)


if __name__ == "__main__":
    main()
