"""Item models, populations and priors: what is fitted."""
