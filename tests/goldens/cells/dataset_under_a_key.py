dataset = read_json(str(ROOT / "under.json"), field="data")
