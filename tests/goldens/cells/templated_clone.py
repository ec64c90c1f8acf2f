set_chat_template(
    pipeline,
    "templated",
    model=its_model,
    clone="owner/other",
    dtype="bfloat16",
    revision="v1",
)
