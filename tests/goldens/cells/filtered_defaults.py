filtered = its_dataset.filter(lambda row: all(text_of(row, [column]).strip() for column in list(row)))
