dataset = load_dataset("csv", data_files=str(ROOT / "./rows.csv"), split="train")
