"""A fitted model and everything that can be asked of it; tables under the user's own ids."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from irtvi.errors import ResponsesNeededError
from irtvi.inference.certificate import Certificates, reliable
from irtvi.inference.engines.engine import Data
from irtvi.inference.posterior import STEP, Posterior
from irtvi.inference.prepared import PersonScores, PreparedModel
from irtvi.inference.threads import in_one_thread
from irtvi.models.items.item_model import ItemModel
from irtvi.models.model import Model
from irtvi.responses.coding import Coding
from irtvi.responses.responses import Responses
from irtvi.results import curves, people, scores, state
from irtvi.results.certifying import COLUMNS, certificates, scored, with_items
from irtvi.results.curve_families import code_values
from irtvi.results.fit_grid import fit_grid
from irtvi.results.item_statistics import ItemStatistics, item_statistics
from irtvi.results.reliability import reliability
from irtvi.results.summary import Summary, facts
from irtvi.results.tables import covariance_table, parameter_table, population_table

ScoringMethod = Literal["eap", "map", "ml", "wle", "jeffreys", "eap_sum"]
LEVEL = 0.95


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A fitted model.

    Attributes
    ----------
    model_name : str
        The model as it was asked for.
    engine : str
        The engine that fitted it.
    posterior : Posterior
        Parameters and persons as tensors.
    coding : Coding
        How answers are coded, so that new data are read the same way.
    item_models : tuple of ItemModel
        One for each item.
    n_parameters : int
        Number of free parameters.
    priors : {"default", "none", "custom"}
    weighting : {"none", "frequencies", "survey"}
    n_persons : float
        Persons who answered something (sum of frequencies).
    notes : tuple of str
        What the fit decided by itself.
    item_status : tuple of str
    settings : dict
        Plain values: seed, device, engine settings.
    responses : Responses or None
        The data, while the result is in memory or where they were saved with it.
    """

    model_name: str
    engine: str
    posterior: Posterior
    coding: Coding
    item_models: tuple[ItemModel, ...]
    n_parameters: int
    priors: str
    weighting: Literal["none", "frequencies", "survey"]
    n_persons: float
    notes: tuple[str, ...]
    item_status: tuple[str, ...]
    settings: dict[str, Any]
    responses: Responses | None = None
    _stored: dict[str, Any] = field(default_factory=dict)

    # ---- how it went -------------------------------------------------------------------------

    @property
    def converged(self) -> bool:
        """Whether the stopping criterion was met."""
        return self.posterior.converged

    @property
    def reason(self) -> str:
        """Why the fit ended."""
        return self.posterior.reason

    @cached_property
    def data_digest(self) -> str:
        """SHA-256 of the coded data."""
        return self._stored["data_digest"] if self.responses is None else self.responses.digest()

    @cached_property
    def trace(self) -> pd.DataFrame:
        """One row per pass: phase, objective, step_se, seconds."""
        return pd.DataFrame([[getattr(step, name) for name in STEP] for step in self.posterior.trace], columns=STEP)

    # ---- tables ------------------------------------------------------------------------------

    @cached_property
    @in_one_thread
    def abilities(self) -> pd.DataFrame:
        """EAP abilities of the persons of the fit, index the person ids.

        ``theta`` and ``sd`` are conditional on the items' point estimate; ``sd_items`` is what the items'
        uncertainty adds; ``lower`` and ``upper`` bound the central 95 %.
        """
        if "abilities" in self._stored:
            return self._stored["abilities"]
        responses, posterior = self.responses_of(None), self.posterior
        if posterior.sd_items is not None:
            found = PersonScores(posterior.persons, posterior.sd_items)
        else:
            found = with_items(posterior, self._data(responses), posterior.persons)
        certified = posterior.certificates
        trusted = reliable(posterior.persons) if certified is None else certified.reliable
        return scores.ability_table(responses, found, trusted, LEVEL)

    @cached_property
    @in_one_thread
    def certificates(self) -> pd.DataFrame:
        """How good the approximation of each person is; index the person ids, NaN where not of that engine.

        ``gap_approximation`` (log marginal minus the bound of the best Gaussian) and ``gap_amortization`` (that
        bound minus the encoder's) in nats, ``delta`` (difference of the integral from that over every other
        node, relative), ``pareto_k`` and ``ess`` of draws, whether the encoding was ``repaired``, and whether
        the scores are ``reliable``. A diagnostic, not a proof.
        """
        if "certificates" in self._stored:
            return self._stored["certificates"]
        found = self.certified()
        columns = {name: getattr(found, name).cpu().numpy() for name in COLUMNS}
        return pd.DataFrame(columns, index=self.responses_of(None).person_ids)

    @in_one_thread
    def certified(self, new: Any = None) -> Certificates:
        """The whole certificate of the persons of the fit, or of new ones, as tensors.

        Raises
        ------
        ResponsesNeededError
            The result was loaded from a file without responses.
        """
        responses = self.responses_of(new)
        if new is None and self.posterior.certificates is not None:
            return self.posterior.certificates
        return certificates(self.posterior, self.engine, self._data(responses))

    @cached_property
    @in_one_thread
    def items(self) -> pd.DataFrame:
        """Item parameters with sds, and what the answers alone say; index the item ids."""
        if "items" in self._stored:
            return self._stored["items"]
        table = parameter_table(self.posterior, self.item_models, self.coding.item_ids, self.item_status)
        statistics = self.item_statistics
        for name in ("n_answered", "mean", "item_rest"):
            table.insert(len(table.columns) - 1, name, getattr(statistics, name))
        return table

    @cached_property
    @in_one_thread
    def item_statistics(self) -> ItemStatistics:
        """Classical statistics of the items."""
        return item_statistics(self.responses_of(None))

    @cached_property
    def population(self) -> pd.DataFrame:
        """Mean and sd of ability by group and dimension, with sds."""
        return population_table(self.posterior)

    @cached_property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the free parameters, named, on the scale of the search (c and u on the logit).

        Raises
        ------
        IrtviError
            With more than 3,000 free parameters only a block for each item is kept.
        """
        return covariance_table(self.posterior, self.coding.item_ids)

    # ---- fit ---------------------------------------------------------------------------------

    @property
    def has_people(self) -> bool:
        """Whether the abilities of the persons of the fit are at hand."""
        return self.responses is not None or "abilities" in self._stored

    @property
    def model(self) -> Model:
        """The fitted model."""
        return self.posterior.model

    @property
    def log_marginal(self) -> float:
        """Log-likelihood at the items' point estimate, abilities integrated out (nats)."""
        return self.posterior.log_likelihood

    @property
    def log_prior(self) -> float:
        """Log prior density of the item parameters at the point estimate."""
        return self.posterior.log_prior

    @property
    def penalised(self) -> bool:
        """Whether priors took part, so that AIC and BIC are not those of maximum likelihood."""
        return self.priors != "none"

    def _criterion(self, penalty: float) -> float:
        if self.weighting == "survey" or any(m.flexible for m in self.item_models):
            return math.nan
        return -2.0 * self.log_marginal + penalty * self.n_parameters

    @property
    def aic(self) -> float:
        """Akaike's criterion; NaN with survey weights and for flexible curves."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion with n the number of persons who answered; NaN with survey weights."""
        return self._criterion(math.log(self.n_persons))

    @property
    def sabic(self) -> float:
        """Sample-size adjusted BIC (Sclove 1987); NaN with survey weights."""
        return self._criterion(math.log((self.n_persons + 2.0) / 24.0))

    @cached_property
    @in_one_thread
    def reliability(self) -> pd.Series:
        """Reliability of the abilities.

        ``empirical`` is var(EAP) / (var(EAP) + mean sd^2) over the persons who answered; ``marginal`` the
        integral of I / (I + 1/s^2) over the population, averaged over the item sets that people answered;
        ``marginal_all_items`` the same for somebody who answers every item.
        """
        if "reliability" in self._stored:
            return pd.Series(self._stored["reliability"])
        responses = self.responses_of(None)
        return reliability(self.posterior, self._data(responses))

    def summary(self) -> Summary:
        """What was fitted, how it went and how good it is, in words and numbers."""
        return Summary(facts(self))

    def __repr__(self) -> str:
        return (
            f"<irtvi.Result {self.model_name}: {self.n_persons:g} persons x {len(self.coding.item_ids)} items, "
            f"log marginal {self.log_marginal:.3f}, {'converged' if self.converged else 'not converged'}>"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # ---- people ------------------------------------------------------------------------------

    def intervals(self, level: float) -> pd.DataFrame:
        """Central intervals for the abilities at another level: columns lower, upper."""
        return scores.interval(self.abilities, level)

    @in_one_thread
    def score(self, new: Any, method: ScoringMethod = "eap", level: float = LEVEL, limit: float = 6.0) -> pd.DataFrame:
        """Abilities of new people (or the same) without refitting.

        Parameters
        ----------
        new : DataFrame, path or Responses
            Read with the coding of the fit; absent items are missing.
        method : {"eap", "map", "ml", "wle", "jeffreys", "eap_sum"}
            ``jeffreys`` maximises log-likelihood plus half the log information.
        level : float
            Of the interval.
        limit : float
            Where an estimate without a finite maximum is put (ML), with its sign.

        Notes
        -----
        The EAP comes as the fit's own: by windows or the grid, or, after a fit to a named objective, from the
        encoder that was trained, unrepaired. The other methods maximise and need no approximation.
        ``irtvi.diagnostics.convergence(result, new)`` has the whole certificate.
        """
        responses = self._encoded(new)
        data = self._data(responses)
        if method == "eap":
            found, trusted = scored(self.posterior, self.engine, data, self._prepared)
            return scores.ability_table(responses, found, trusted, level)
        values = code_values(self.coding, self.item_models)
        return scores.estimate_table(self.posterior, data, responses, values, method, level, limit)

    @in_one_thread
    def probability_above(self, cut: float, new: Any = None) -> pd.Series:
        """Posterior probability that ability exceeds ``cut``, for each person."""
        responses, grid = self.responses_of(new), fit_grid(self) if new is None else None
        return people.probability_above(self.posterior, self._data(responses), responses.person_ids, cut, grid)

    @in_one_thread
    def plausible_values(
        self, n: int = 10, seed: int = 0, items: Literal["held", "draws"] = "held", new: Any = None
    ) -> pd.DataFrame:
        """Draws from each person's posterior of ability, columns ``pv1 ..``.

        ``items="draws"`` draws the item parameters anew for each column and so adds their uncertainty.
        """
        responses = self.responses_of(new)
        return people.plausible_values(self.posterior, self._data(responses), responses.person_ids, n, seed, items)

    # ---- items -------------------------------------------------------------------------------

    @in_one_thread
    def curves(
        self,
        items: Hashable | Sequence[Hashable] | None = None,
        theta: Any = None,
        what: Literal["probability", "expected", "sd", "information", "test_information"] = "expected",
        level: float = LEVEL,
    ) -> pd.DataFrame:
        """Curves of items over ability with pointwise bands, in long form.

        Parameters
        ----------
        items : item id or list of ids, optional
            Default: all.
        theta : array, optional
            Abilities; default 121 points from -4 to 4.
        what : {"probability", "expected", "sd", "information", "test_information"}
            Category probabilities; expected answer and its standard deviation at an ability, in the user's units;
            Fisher information.
        level : float
            Of the bands, which carry the uncertainty of the items.
        """
        positions = curves.positions(self.coding.item_ids, items)
        points = np.linspace(-4, 4, 121) if theta is None else np.atleast_1d(np.asarray(theta, dtype=float))
        return curves.curves(self.posterior, self.coding, self.item_models, positions, points, what, level)

    @in_one_thread
    def expected_responses(self, new: Any = None) -> pd.DataFrame:
        """Expected answer of every person to every item, in the user's units, missing cells included."""
        responses = self.responses_of(new)
        return people.expected_responses(
            self.posterior, self._data(responses), responses.person_ids, self.coding, self.item_models
        )

    @in_one_thread
    def predict(self, responses: Any) -> pd.DataFrame:
        """Predictions of observed cells of the same persons, such as those that were held out.

        Returns
        -------
        DataFrame
            One row per observed cell: id, item, response (scored code), log_prob, then p0, p1 .. of the
            categories; averaged over the person's posterior from the fit's own answers. For measured answers the
            response is the number, log_prob its log density, and ``mean`` what was expected.
        """
        test = responses if isinstance(responses, Responses) else self._encoded(responses)
        train = self.responses_of(None)
        return people.predictions(
            self.posterior, self._data(train), self._data(test), train.person_ids, test.person_ids, self.coding.item_ids
        )

    # ---- storage -----------------------------------------------------------------------------

    def save(self, path: str | Path, include_responses: bool = False) -> Path:
        """Write everything but the responses to one file (with them only if asked)."""
        return state.save(self, Path(path), include_responses)

    # ---- within ------------------------------------------------------------------------------

    def stored(self) -> dict[str, Any]:
        """What a file keeps of the tables that need responses."""
        return {
            "abilities": self.abilities,
            "certificates": self.certificates,
            "items": self.items,
            "reliability": self.reliability.to_dict(),
            "data_digest": self.data_digest,
        }

    @cached_property
    def _prepared(self) -> PreparedModel:
        return PreparedModel(self.model, self.posterior.free, self.posterior.curvature)

    def responses_of(self, new: Any) -> Responses:
        """The responses of the fit, or new data in its coding.

        Raises
        ------
        ResponsesNeededError
            The result was loaded from a file without them.
        """
        if new is not None:
            return self._encoded(new)
        if self.responses is None:
            raise ResponsesNeededError(
                "The responses were not saved with this result. Save it with include_responses=True, or give data "
                "where new= is taken."
            )
        return self.responses

    def _encoded(self, new: Any) -> Responses:
        if isinstance(new, Responses) and new.coding is self.coding:
            return new
        return self.coding.encode(new)

    def _data(self, responses: Responses) -> Data:
        return Data.of(responses, self.item_models, self.posterior.device)
