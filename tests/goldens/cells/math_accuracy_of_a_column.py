# %% Math Accuracy 'math_accuracy'
def math_accuracy(completions, log_extra=None, **kwargs):
    """1 for a completion whose result equals the solution, else 0."""
    answers = [as_message(completion) for completion in completions]
    solutions = [str(solution) for solution in kwargs["answer"]]
    return accuracy_reward(answers, solutions, log_extra=log_extra)
