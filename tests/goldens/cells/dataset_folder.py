dataset_2 = load_dataset(str(ROOT / "./folder"), split="train")
