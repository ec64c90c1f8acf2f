dataset = load_dataset("json", data_files=escape(str(ROOT / "[clean] rows.jsonl")), split="train")
