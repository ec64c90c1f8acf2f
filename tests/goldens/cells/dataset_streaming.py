dataset = load_dataset("owner/name", split="train", streaming=True)
dataset = Dataset.from_list(list(dataset.shuffle(seed=42).take(100)), features=dataset.features)
