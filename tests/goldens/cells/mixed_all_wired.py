mixed = interleave_datasets(
    [its_dataset_1, its_dataset_2, its_dataset_3, its_dataset_4],
    probabilities=[0.25, 0.25, 0.25, 0.25],
    seed=42,
    stopping_strategy="all_exhausted_without_replacement",
)
