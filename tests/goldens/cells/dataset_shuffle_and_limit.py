dataset = load_dataset("owner/name", split="train")
dataset = dataset.shuffle(seed=7)
dataset = dataset.select(range(min(100, len(dataset))))
