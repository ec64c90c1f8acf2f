unique = deduplicate(its_dataset, its_dataset.column_names)
