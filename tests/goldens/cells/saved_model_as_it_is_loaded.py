pipeline.copy(
    "saved_model",
    its_model,
    "final-model",
    dtype="bfloat16",
    revision='it\'s "odd" \\ {x} %s \u2028 é 😀',
    trust_remote_code=True,
)
