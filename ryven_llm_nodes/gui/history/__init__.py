"""What earlier runs have left: their records, one or two side by side, and the stages that are kept."""
