mapped = its_dataset.map(
    lambda row: {
        "prompt": "Q: {question} {{}}\n".format_map(row),
        "messages": [{"role": "user", "content": "{question}".format_map(row)}],
        "x": 'it\'s "odd',
    },
)
mapped = mapped.rename_columns({"answer": "completion"})
mapped = mapped.select_columns(["prompt", "completion"])
