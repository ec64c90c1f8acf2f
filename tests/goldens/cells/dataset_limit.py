dataset = load_dataset("owner/name", split="train")
dataset = dataset.select(range(min(1, len(dataset))))
