"""`make demo LIVE=1`: the same vehicles, left running for whoever wants to press, watch and kill."""
