split = its_dataset.train_test_split(test_size=0.5, shuffle=False)
