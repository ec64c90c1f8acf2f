filtered = its_dataset
