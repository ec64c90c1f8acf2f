converted = convert_format(
    its_dataset,
    source="alpaca",
    replaced=["instruction", "input", "output"],
    target="prompt-completion",
    conversational=False,
)
