"""Expected answers and predictions of held-out cells, averaged over posteriors of ability."""
