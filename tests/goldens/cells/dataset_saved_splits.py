dataset = load_from_disk(str(ROOT / "./splits"))["test"]
dataset = dataset.select(range(min(2, len(dataset))))
