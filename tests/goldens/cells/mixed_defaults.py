mixed = interleave_datasets(
    [its_dataset_1, its_dataset_2],
    probabilities=[0.5, 0.5],
    seed=42,
    stopping_strategy="all_exhausted_without_replacement",
)
