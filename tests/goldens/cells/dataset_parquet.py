dataset = load_dataset("parquet", data_files=str(ROOT / "rows.parquet"), split="train")
