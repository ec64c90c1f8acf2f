import_model(
    pipeline,
    "imported",
    "owner/files",
    gguf_file="model.Q4_K_M.gguf",
    dtype="bfloat16",
    revision="v1",
)
