dataset = load_dataset(str(ROOT / "./folder"), split="train")
