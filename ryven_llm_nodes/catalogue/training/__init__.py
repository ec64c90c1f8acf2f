"""What all training methods share: configuration fields, the text of the stage, and the checks before training."""
