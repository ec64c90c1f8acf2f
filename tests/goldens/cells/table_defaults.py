table = Dataset.from_list(
    [
        {"prompt": "What is 2 + 2?", "completion": "4"},
        {"prompt": "What is 3 + 3?", "completion": "6"},
    ],
)
