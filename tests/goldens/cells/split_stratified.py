split = (
    its_dataset.add_column("_stratum", its_dataset["label"][:])
    .class_encode_column("_stratum")
    .train_test_split(test_size=0.1, seed=7, stratify_by_column="_stratum")
    .remove_columns("_stratum")
)
