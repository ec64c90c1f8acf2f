push_model(
    pipeline,
    "saved_model",
    pipeline.copy("saved_model", its_model, "final-model"),
    repository="owner/name",
    private=False,
    license="mit",
    about='it\'s "odd" \\ {x} %s \u2028 é 😀',
)
