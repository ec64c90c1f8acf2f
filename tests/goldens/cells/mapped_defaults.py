mapped = its_dataset
