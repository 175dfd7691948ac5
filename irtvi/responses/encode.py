"""New people's answers, coded like those that were read first."""

from dataclasses import replace

import numpy as np
import torch

from irtvi.errors import UnknownItemError
from irtvi.responses.cells import Cells
from irtvi.responses.coding import Coding
from irtvi.responses.files import load_table
from irtvi.responses.labels import some
from irtvi.responses.layout import find_known_roles
from irtvi.responses.observed import Observed
from irtvi.responses.people import covariates_of, weights_of
from irtvi.responses.read import coded, located, observe
from irtvi.responses.responses import Responses


def encode(source: object, coding: Coding) -> Responses:
    """Answers of new people under a known coding; see `Coding.encode`."""
    if isinstance(source, Responses):
        return _recoded(source, coding)
    settings = coding.settings
    frame, notes = load_table(source)
    roles = find_known_roles(frame, settings, coding.item_ids)
    people, observed, said = observe(frame, roles, replace(settings, items=None))
    cells = _placed(observed, coding)
    covariates, varying = covariates_of(frame, roles, people)
    return Responses(
        people.ids,
        cells,
        coding,
        covariates,
        weights_of("weights", None, roles.weights, frame, people),
        weights_of("survey_weights", None, roles.survey_weights, frame, people),
        roles.layout,
        (*notes, *roles.notes, *said, *varying),
    )


def _recoded(responses: Responses, coding: Coding) -> Responses:
    """Responses that were read apart, under another coding."""
    if responses.coding is coding:
        return responses

    def row_of(item: int, code: int) -> int:
        persons, items, codes = responses.cells.pairs()
        return int(persons[(items == item) & (codes == code)][0])

    labels = [own.categories for own in responses.codings]
    observed = Observed(
        responses.person_ids, responses.item_ids, responses.cells, labels, [()] * len(labels), row_of
    )
    return replace(responses, cells=_placed(observed, coding), coding=coding)


def _placed(observed: Observed, coding: Coding) -> Cells:
    """Codes in the columns of the coding, those of absent items missing."""
    place = coding.item_ids.get_indexer(observed.item_ids)
    if (place < 0).any():
        unknown = observed.item_ids[place < 0]
        raise UnknownItemError(
            f"{some(unknown)} is no item of this coding; its items are {some(coding.item_ids)}; drop these "
            "answers"
        )
    with located(observed):
        cells = coded(observed, observed.counts() > 0, coding.subset(place))
    if np.array_equal(place, np.arange(len(coding.item_ids))):
        return cells
    return cells.spread(torch.from_numpy(place), len(coding.item_ids))
