"""Roots 5, 7 and 8: causes that were lost, and files that readers change or refuse."""

from __future__ import annotations

import json

from cases.case import Case, lines, pairs

ROWS = lines(pairs())
CUT = ROWS.rstrip()[:-9]
NAN = ROWS.replace('" Number 4"', "NaN")
LONE = "prompt,completion\n" + "".join(f"What is {i}?,{chr(34) * (i == 5)}Number {i}\n" for i in range(12))
PARTS = {"more/part-1.jsonl": ROWS, "more/part-2.jsonl": lines(pairs(3, source="b"))}
TYPES = {"part-1.jsonl": lines(pairs(3, note=1)), "part-2.jsonl": lines(pairs(3, note="one"))}
CP = "prompt,completion\n" + "".join(f"What is {i}?,Größe {i}\n" for i in range(9))
SEMICOLONS = CP.replace(",", ";")
UNDER = json.dumps({"version": "1.0", "data": pairs()})

CASES = [
    Case(
        "37 a folder without the split",
        "error",
        "no split 'train', but 'test'",
        files={"bench/test.jsonl": ROWS},
        path="./bench",
    ),
    Case("39 a line that is cut off", "error", "rows.jsonl, line 12", files={"rows.jsonl": CUT}),
    Case(
        "58 a file with other types",
        "error",
        "part-2.jsonl, line 1: column 'note' contains text, but numbers",
        files=TYPES,
        path="part-*.jsonl",
    ),
    Case("65 a lone quote in CSV", "error", "a quote is never closed", files={"rows.csv": LONE}, path="rows.csv"),
    Case("a file that is not there", "error", "does not exist", path="nothing.jsonl"),
    Case("an empty file", "error", "rows.jsonl is empty", files={"rows.jsonl": ""}),
    Case(
        "a list in place of an object",
        "error",
        "line 2: contains [1, 2], not an object",
        files={"rows.jsonl": lines(pairs(1)) + "[1, 2]\n"},
    ),
    Case(
        "48 CSV in cp1252",
        "error",
        "set the encoding of the file, such as 'cp1252'",
        files={"rows.csv": CP.encode("cp1252")},
        path="rows.csv",
    ),
]
