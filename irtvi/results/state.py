"""A result as plain state, and back."""
