"""What the answers say about a fitted model."""
