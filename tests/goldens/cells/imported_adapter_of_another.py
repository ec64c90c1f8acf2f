import_model(pipeline, "imported", "owner/adapter", base=str(ROOT / "model"))
