# %% Metrics Function 'metrics'
def metrics(prediction):
    """The share of tokens that the model finds the most likely ones; no label (-100), no token."""
    logits, labels = prediction.predictions[:, :-1], prediction.label_ids[:, 1:]
    hits = logits.argmax(-1) == labels
    return {"token_accuracy": float(hits[labels != -100].mean())}
