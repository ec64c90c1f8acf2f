"""What a flow would take on GPUs that are not here: memory, communication, time and cost, from documented formulae."""
