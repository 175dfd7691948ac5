"""New people's answers, coded like those that were read first."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from irtvi.errors import ConflictingOptionsError, UnknownItemError
from irtvi.responses.cells import Cells
from irtvi.responses.coding import Coding
from irtvi.responses.files import load_table
from irtvi.responses.folder import folder_of
from irtvi.responses.labels import some
from irtvi.responses.layout import find_known_roles
from irtvi.responses.measures import Measures
from irtvi.responses.observed import Observed
from irtvi.responses.read import coded, located
from irtvi.responses.responses import Responses
from irtvi.responses.streaming import contents_of_folder
from irtvi.responses.tables import GivenWeights, contents_of


def encode(source: object, coding: Coding) -> Responses:
    """Answers of new people under a known coding; see `Coding.encode`."""
    if isinstance(source, Responses):
        return _recoded(source, coding)
    settings = coding.settings_for_new
    folder = folder_of(source)
    frame, notes = (folder.head(), list(folder.notes)) if folder else load_table(source)
    if folder and settings.id is None and folder.index_column is not None:
        settings = replace(settings, id=folder.index_column)
    roles, given = find_known_roles(frame, settings, coding), GivenWeights()
    contents = (
        contents_of_folder(folder, roles, settings, given) if folder else contents_of(frame, roles, settings, given)
    )
    cells, measures = _placed(contents.observed, coding)
    return Responses(
        contents.person_ids,
        cells,
        coding,
        contents.covariates,
        contents.weights,
        contents.survey_weights,
        roles.layout,
        (*notes, *roles.notes, *contents.notes),
        measures,
    )


def _recoded(responses: Responses, coding: Coding) -> Responses:
    """Responses that were read apart, under another coding."""
    if responses.coding is coding:
        return responses

    def place_of(item: int, code: int) -> str:
        for rows, part in responses.cells.parts():
            persons, items, codes = part.pairs()
            found = persons[(items == item) & (codes == code)]
            if len(found):
                return f"row {rows.start + int(found[0]) + 1}"
        return "no row"

    labels = [own.categories for own in responses.codings]
    measured = tuple(np.flatnonzero(responses.measured_items).tolist())
    observed = Observed(
        responses.person_ids, responses.item_ids, responses.cells, labels, [()] * len(labels), place_of,
        responses.measures, measured,
    )  # fmt: skip
    cells, measures = _placed(observed, coding)
    return replace(responses, cells=cells, coding=coding, measures=measures)


def _placed(observed: Observed, coding: Coding) -> tuple[Cells, Measures | None]:
    """Codes in the columns of the coding, those of absent items missing, and the numbers of measured items."""
    place = _places(observed.item_ids, coding)
    measured = np.zeros(len(place), bool)
    measured[list(observed.measured)] = True
    if len(other := np.flatnonzero(coding.measured[place] != measured)):
        kinds = ("in categories", "measured (continuous=)")
        found = bool(measured[other[0]])
        raise ConflictingOptionsError(
            f"item {observed.item_ids[other[0]]!r} was first read as {kinds[not found]}, now as {kinds[found]}; read "
            "both alike"
        )
    with located(observed):
        cells = coded(observed, observed.counts() > 0, coding.subset(place))
    if np.array_equal(place, np.arange(len(coding.item_ids))):
        return cells, observed.measures
    to, n_items = torch.from_numpy(place), len(coding.item_ids)
    return cells.spread(to, n_items), None if observed.measures is None else observed.measures.spread(to, n_items)


def _places(item_ids: pd.Index, coding: Coding) -> np.ndarray:
    """Position of each item in the coding."""
    if coding.item_ids.equals(item_ids):
        return np.arange(len(item_ids))
    place = coding.item_ids.get_indexer(item_ids)
    if (place < 0).any():
        unknown = item_ids[place < 0]
        raise UnknownItemError(
            f"{some(unknown)} is no item of this coding; its items are {some(coding.item_ids)}; drop these answers"
        )
    return place
