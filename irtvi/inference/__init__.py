"""From a model and answers to a posterior: tables, passes over persons, searches, engines."""
