dataset = load_dataset("owner/name", "main", split="train[:1000]", revision="v1.0")
