dataset = load_dataset(
    "csv",
    data_files=str(ROOT / "./rows.csv"),
    features=Features({"prompt": Value("string"), "completion": Value("string")}),
    keep_default_na=False,
    split="train",
)
