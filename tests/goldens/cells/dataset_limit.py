dataset_2 = load_dataset("owner/name", split="train")
dataset_2 = dataset_2.select(range(min(1, len(dataset_2))))
