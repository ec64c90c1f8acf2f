dataset = load_dataset("json", data_files=str(ROOT / "rows.json"), split="train")
