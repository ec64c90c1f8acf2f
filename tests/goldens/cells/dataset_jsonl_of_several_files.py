dataset = load_dataset("json", data_files=str(ROOT / "s*.jsonl"), split="train")
