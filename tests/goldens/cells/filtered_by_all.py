# %% Filter 'filtered'
import math


def filtered_keep(row):
    return math.log(len(row['prompt'])) < 3

filtered = its_dataset.filter(lambda row: all(text_of(row, [column]).strip() for column in ["prompt"]))
filtered = filtered.filter(lambda row: re.search("^\\w{1,2}\\s", text_of(row, ["prompt"])))
filtered = filter_by_tokens(filtered, its_model, ["prompt"], min_length=1, max_length=99)
filtered = filtered.select([i for i, row in enumerate(filtered) if filtered_keep(row)])
