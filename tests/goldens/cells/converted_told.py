converted = convert_format(
    its_dataset,
    **conversion(its_dataset.column_names, "hh-rlhf", "preference", say=print),
    target="preference",
)
