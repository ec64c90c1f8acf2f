dataset_2 = load_dataset("owner/name", split="train")
