dataset = read_json([str(ROOT / "sft.jsonl"), str(ROOT / "t*.jsonl")])
