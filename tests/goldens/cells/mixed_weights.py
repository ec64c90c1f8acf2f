mixed = interleave_datasets(
    [its_dataset_1, its_dataset_2, its_dataset_3],
    probabilities=[0.5714285714285714, 0.2857142857142857, 0.14285714285714285],
    seed=1,
    stopping_strategy="all_exhausted",
)
