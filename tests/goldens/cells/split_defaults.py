split = its_dataset.train_test_split(test_size=0.1, seed=42)
