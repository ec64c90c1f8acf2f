base_model = str(ROOT / "model")
