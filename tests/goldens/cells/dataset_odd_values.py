dataset = load_dataset(
    "owner/name",
    'it\'s "odd" \\ {x} %s \u2028 é 😀',
    split='it\'s "odd" \\ {x} %s \u2028 é 😀\n',
    revision='it\'s "odd" \\ {x} %s \u2028 é 😀',
)
