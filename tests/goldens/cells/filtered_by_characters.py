filtered = its_dataset.filter(lambda row: all(text_of(row, [column]).strip() for column in list(row)))
filtered = filtered.filter(lambda row: len(text_of(row, list(row))) <= 5)
filtered = filtered.filter(
    lambda row: not re.search('it\'s "odd" \\ {x} %s \u2028 é 😀', text_of(row, list(row))),
)
