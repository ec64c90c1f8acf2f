table = Dataset.from_list(
    [
        {
            'it\'s "odd" \\ {x} %s \u2028 é 😀': [None, {"a": 'it\'s "odd" \\ {x} %s \u2028 é 😀'}],
            "b": 0.1,
        },
    ],
)
