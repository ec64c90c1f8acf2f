dataset = load_from_disk(str(ROOT / "./saved"))
