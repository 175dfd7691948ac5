"""Figures: each function returns a plotly figure and draws only what a table says."""
