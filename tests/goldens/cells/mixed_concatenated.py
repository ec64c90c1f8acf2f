mixed = concatenate_datasets([its_dataset_1, its_dataset_2])
mixed = mixed.shuffle(seed=42)
