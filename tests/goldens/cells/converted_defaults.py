converted = convert_format(
    its_dataset,
    **conversion(its_dataset.column_names, "detect", "prompt-completion", say=print),
    target="prompt-completion",
)
