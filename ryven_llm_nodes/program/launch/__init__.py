"""How the stages of a flow are started: on how many processes and machines, and how a model is spread over them."""
