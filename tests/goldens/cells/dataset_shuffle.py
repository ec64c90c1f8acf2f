dataset = load_dataset("owner/name", split="train")
dataset = dataset.shuffle(seed=42)
