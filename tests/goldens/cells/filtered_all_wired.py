filtered = its_dataset.filter(lambda row: all(text_of(row, [column]).strip() for column in list(row)))
filtered = filter_by_tokens(filtered, its_model, filtered.column_names, max_length=9)
