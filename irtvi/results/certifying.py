"""Certificates of persons: each engine's own approximation held against the posterior, now and along a search."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from irtvi.inference.answers import answers_of
from irtvi.inference.certificate import Audit, Certificates, audit, reliable
from irtvi.inference.encoders.encoder import Encoder, LearnedEncoder
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.engines import Amortized
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import PersonSums
from irtvi.inference.item_uncertainty import sd_items
from irtvi.inference.posterior import Posterior
from irtvi.inference.prepared import PersonScores, PreparedModel
from irtvi.inference.window_certificate import audit_windows
from irtvi.models.model import Model
from irtvi.results.scoring import eap

COLUMNS = ("gap_approximation", "gap_amortization", "delta", "pareto_k", "ess", "repaired", "reliable")
GAPS = ["gap_approximation", "gap_amortization", "repair_needed"]
TRACED_PERSONS = 200
"""On so many persons the encoder is judged at the steps of a search."""
STEPS_TIMES_COLUMNS = 100_000
"""Beyond, only some of the steps are looked at: each needs tables of all items."""


def encoder_of(posterior: Posterior, engine: str) -> Encoder | None:
    """The encoder behind a result's scores; None where there is none."""
    if posterior.encoder is not None:
        return posterior.encoder
    return Parabola() if engine == Amortized.name else None


def judged(model: Model, free: Float[Tensor, " n_free"], data: Data, encoder: Encoder) -> Audit:
    """Each person's encoding and the posterior around it.

    A trained encoder is judged as it is, draws and all; the parabola by the windows that it places.
    """
    answers = answers_of(model, data.cells)
    if not isinstance(encoder, LearnedEncoder):
        return audit_windows(model, free, answers, data.groups, encoder)
    everyone = torch.arange(data.cells.n_persons, device=free.device)
    with torch.no_grad():
        proposal = encoder.encode(model, free, answers, everyone, data.groups)
    return audit(model, free, data.cells, everyone, data.groups, proposal)


def certificates(posterior: Posterior, engine: str, data: Data) -> Certificates:
    """Certificates of persons, those of the fit or new ones, as the result scores them."""
    encoder = encoder_of(posterior, engine)
    if encoder is None:
        return Certificates.of_grid(eap(posterior.model, posterior.free, data.cells, data.groups, engine))
    found = judged(posterior.model, posterior.free, data, encoder)
    return found.certificates if posterior.encoder is None else found.unrepaired()


def scored(
    posterior: Posterior, engine: str, data: Data, prepared: PreparedModel
) -> tuple[PersonScores, Bool[Tensor, " persons"]]:
    """Posterior moments of new persons as the fit itself found those of its own, and whether to trust them."""
    cells, groups = data.cells, data.groups
    if posterior.encoder is not None and cells.n_persons > 0:
        found = judged(posterior.model, posterior.free, data, posterior.encoder)
        return with_items(posterior, data, found.encoded), found.unrepaired().reliable
    scores = prepared.score(cells, groups) if prepared.suits(cells.n_persons) else None
    if scores is None:
        scores = with_items(posterior, data, eap(posterior.model, posterior.free, cells, groups, engine))
    return scores, reliable(scores.sums)


def with_items(posterior: Posterior, data: Data, sums: PersonSums) -> PersonScores:
    """Posterior moments of persons together with what the items' uncertainty adds to them."""
    extra = sd_items(posterior.model, posterior.free, posterior.curvature, data.cells, data.groups, sums)
    return PersonScores(sums, extra)


def gaps_by_step(posterior: Posterior, engine: str, data: Data) -> pd.DataFrame:
    """How good the encoder was at the steps of a search, on at most 200 persons spread over the data.

    Returns
    -------
    DataFrame
        One row a step: ``gap_approximation`` and ``gap_amortization`` (mean, nats, before repair) and
        ``repair_needed`` (share). NaN without an encoder, for a result from a file, and, with very many items,
        for most of the steps.
    """
    encoder = encoder_of(posterior, engine)
    table = np.full((len(posterior.trace), len(GAPS)), np.nan)
    some = None if encoder is None else _spread(data)
    if encoder is not None and some is not None:
        most = max(2, STEPS_TIMES_COLUMNS // int(posterior.model.n_categories.sum()))
        for row in np.unique(np.linspace(0, len(table) - 1, min(most, len(table))).round().astype(int)):
            at = posterior.trace[row].snapshot
            if at is not None:
                found = judged(at.model, at.free, some, at.encoder or encoder).certificates
                of_persons = (found.gap_approximation, found.gap_amortization, found.needed.double())
                table[row] = [float(values.mean()) for values in of_persons]
    return pd.DataFrame(table, columns=GAPS)


def _spread(data: Data) -> Data | None:
    """Some of those who answered, evenly spaced over the data."""
    answered = torch.nonzero(data.cells.n_answered() > 0)[:, 0]
    if len(answered) == 0:
        return None
    places = torch.linspace(0, len(answered) - 1, min(TRACED_PERSONS, len(answered))).round().long()
    persons = answered[places.to(answered.device)].to(data.groups.device)
    return Data(data.cells.take(persons), None, data.groups[persons])
