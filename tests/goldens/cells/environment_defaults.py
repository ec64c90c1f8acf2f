# %% Environment 'environment'
class Counter:
    """Counts, and rewards a count of ten."""

    def reset(self, **kwargs) -> str:
        self.count = 0
        return " The counter is at 0."

    def add(self, amount: int) -> str:
        """Adds to the counter.

        Args:
            amount: How much to add.
        """
        self.count += amount
        return f"The counter is at {self.count}."

    def get_reward(self) -> float:
        return 1.0 - min(abs(self.count - 10), 10) / 10
