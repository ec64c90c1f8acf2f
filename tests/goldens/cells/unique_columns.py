unique = deduplicate(its_dataset, ["prompt", 'it\'s "odd" \\ {x} %s \u2028 é 😀'], ignore_case=True)
