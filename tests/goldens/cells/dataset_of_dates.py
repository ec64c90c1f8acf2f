dataset = read_json(str(ROOT / "dates.jsonl"))
