"""Ability tables: point estimates beside their uncertainty, under the user's ids."""
