"""What every training method is made of: its fields, the text of its stage, and what is examined before it trains."""
