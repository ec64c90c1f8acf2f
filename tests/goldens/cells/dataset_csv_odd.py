dataset = load_dataset(
    "csv",
    data_files=str(ROOT / "odd.csv"),
    sep=";",
    encoding="utf-16",
    features=Features({"prompt": Value("string"), "label": Value("bool"), "score": Value("float64")}),
    keep_default_na=False,
    split="train",
)
