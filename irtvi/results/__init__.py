"""Tables from a posterior: abilities, items, scores, curves; saving and loading."""
