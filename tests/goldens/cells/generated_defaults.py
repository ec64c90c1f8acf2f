# %% Generate Rows 'generated'
import random


def generated_rows():
    """Sums of two numbers, with their results; the same ones each time."""
    rng = random.Random(0)
    for _ in range(200):
        a, b = rng.randint(1, 20), rng.randint(1, 20)
        yield {"prompt": f"What is {a} + {b}?", "answer": str(a + b)}

generated = Dataset.from_list(list(generated_rows()))
