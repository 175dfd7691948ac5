"""py-irt (PyPI): variational inference in Pyro with its defaults (2,000 epochs), hierarchical priors."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from py_irt.config import IrtConfig
from py_irt.dataset import Dataset
from py_irt.training import IrtModelTrainer

from data import MISSING
from measure import Estimates, main


def prepare(responses: np.ndarray) -> Dataset:
    """Its long form, built without its slow reader."""
    persons, items = np.nonzero(responses != MISSING)
    n_persons, n_items = responses.shape
    subject_ids, item_ids = [f"p{i}" for i in range(n_persons)], [f"i{j}" for j in range(n_items)]
    return Dataset.model_construct(
        item_ids=set(item_ids),
        subject_ids=set(subject_ids),
        item_id_to_ix={name: j for j, name in enumerate(item_ids)},
        ix_to_item_id=dict(enumerate(item_ids)),
        subject_id_to_ix={name: i for i, name in enumerate(subject_ids)},
        ix_to_subject_id=dict(enumerate(subject_ids)),
        observation_subjects=persons.tolist(),
        observation_items=items.tolist(),
        observations=responses[persons, items].tolist(),
        training_example=[True] * len(persons),
        anchor_items=[],
    )


def fit(dataset: Dataset) -> Estimates:
    """Its ability scale is free under these priors, so the estimates are brought to N(0, 1) afterwards."""
    torch.manual_seed(1)
    config = IrtConfig(model_type="2pl", priors="hierarchical")
    trainer = IrtModelTrainer(config=config, data_path=Path(), dataset=dataset, verbose=False)
    trainer.train()
    found = {name: np.array(trainer.last_params[name]) for name in ("ability", "diff", "disc")}
    mean, sd = found["ability"].mean(), found["ability"].std()
    return Estimates(found["disc"] * sd, (found["diff"] - mean) / sd, (found["ability"] - mean) / sd)


if __name__ == "__main__":
    # Nothing is compiled, and 2,000 epochs are too long for a first fit that is not counted.
    main(f"py-irt {version('py-irt')}", prepare, fit, warm_up=False)
