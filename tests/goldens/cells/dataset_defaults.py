dataset = load_dataset("owner/name", split="train")
