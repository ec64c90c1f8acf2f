import_model(pipeline, "imported", "owner/name")
