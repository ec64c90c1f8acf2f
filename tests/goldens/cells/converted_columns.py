converted = convert_format(
    its_dataset,
    source="columns",
    names={"prompt": "question", "completion": "answer"},
    replaced=["question"],
    target="prompt-only",
    system='it\'s "odd" \\ {x} %s \u2028 é 😀',
)
