push_model(
    pipeline,
    "saved_model",
    write_gguf(
        pipeline,
        "saved_model",
        pipeline.copy("saved_model", its_model, "final-model"),
        "q8_0",
    ),
    repository="owner/name",
    private=True,
)
