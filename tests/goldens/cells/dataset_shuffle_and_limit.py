dataset_2 = load_dataset("owner/name", split="train")
dataset_2 = dataset_2.shuffle(seed=7)
dataset_2 = dataset_2.select(range(min(100, len(dataset_2))))
