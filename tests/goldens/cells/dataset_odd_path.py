it_s_odd_x_s_e = load_dataset(
    "json",
    data_files=str(ROOT / 'it\'s "odd" \\ {x} %s  é 😀.jsonl'),
    split="train",
)
