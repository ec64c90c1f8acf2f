dataset_2 = load_dataset("owner/name", split="train")
dataset_2 = dataset_2.shuffle(seed=42)
