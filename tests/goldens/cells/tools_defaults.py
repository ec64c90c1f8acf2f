# %% Tools 'tools'
def calculate(operation: str, a: float, b: float) -> float:
    """Calculates with two numbers.

    Args:
        operation: One of add, subtract, multiply, divide.
        a: The first number.
        b: The second number.
    """
    return {"add": a + b, "subtract": a - b, "multiply": a * b, "divide": a / b if b else 0.0}[operation]
