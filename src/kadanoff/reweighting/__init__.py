"""What samples say of other actions than their own: weights, responses, curves, joined simulations, overlaps."""
