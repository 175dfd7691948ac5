"""What can be asked of irtvi.fit, by each engine: priors, anchors, populations, weights, odd data, stopping."""

import numpy as np
import pandas as pd
import pytest
import torch

import irtvi
from irtvi.errors import ConstantItemWarning, DichotomousModelError, EmptyPersonWarning, SpecificationError

ENGINES = ["quadrature", "amortized"]
by_both = pytest.mark.parametrize("engine", ENGINES)


def bank(n_items=12, seed=2):
    rng = np.random.default_rng(seed)
    table = {"a": np.exp(0.2 * rng.standard_normal(n_items)), "b": rng.uniform(-1.5, 1.5, n_items)}
    return pd.DataFrame(table, index=[f"Q{j + 1}" for j in range(n_items)])


def drawn(n_persons=600, n_items=12, seed=1, **truth):
    return irtvi.simulate("2pl", n_persons, **{"items": bank(n_items), "seed": seed} | truth)


@by_both
class TestPriors:
    def test_a_tight_prior_decides_alone(self, engine):
        answers = drawn().responses
        result = irtvi.fit(answers, model="2pl", priors={"a": irtvi.priors.Normal(1.3, 1e-4), "d": None}, engine=engine)
        np.testing.assert_allclose(result.items["a"], 1.3, atol=1e-3)
        assert result.penalised

    def test_by_item_only_that_item(self, engine):
        answers = drawn().responses
        priors = {"a": None, "d": None, ("Q3", "a"): irtvi.priors.Normal(0.2, 1e-4)}
        result = irtvi.fit(answers, model="2pl", priors=priors, engine=engine)
        assert result.items.loc["Q3", "a"] == pytest.approx(0.2, abs=1e-3)
        assert (result.items["a"].drop("Q3") > 0.3).all()

    def test_an_item_can_do_without(self, engine):
        answers = drawn().responses
        priors = {"a": irtvi.priors.Normal(1.3, 1e-4), "d": None, ("Q3", "a"): None}
        result = irtvi.fit(answers, model="2pl", priors=priors, engine=engine)
        np.testing.assert_allclose(result.items["a"].drop("Q3"), 1.3, atol=1e-3)
        assert abs(result.items.loc["Q3", "a"] - 1.3) > 0.01

    def test_none_is_maximum_likelihood(self, engine):
        answers = drawn().responses
        best = irtvi.fit(answers, model="2pl", priors=None, engine=engine)
        default = irtvi.fit(answers, model="2pl", engine=engine)
        assert best.log_prior == 0.0
        assert not best.penalised
        assert default.log_prior != 0.0
        assert best.log_marginal > default.log_marginal

    def test_the_log_prior_is_the_density_at_the_estimate(self, engine):
        answers = drawn().responses
        result = irtvi.fit(answers, model="2pl", priors={"a": irtvi.priors.Normal(1.0, 0.5), "d": None}, engine=engine)
        a = result.items["a"].to_numpy()
        expected = (-0.5 * ((a - 1.0) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi))).sum()
        # The scale of the density is kept in float32.
        assert result.log_prior == pytest.approx(expected, rel=1e-7)


@by_both
class TestHeldItems:
    def test_items_of_another_fit(self, engine):
        answers = drawn().responses
        old = irtvi.fit(answers, model="2pl", engine=engine)
        new = irtvi.fit(answers, model="2pl", fixed=old.items, engine=engine)
        assert new.n_parameters == 0
        assert (new.items["a_sd"] == 0).all()
        # Nothing is estimated, so all that differs is where the nodes stand.
        tolerance = 1e-6 if engine == "quadrature" else 2e-3
        np.testing.assert_allclose(new.abilities["theta"], old.abilities["theta"], atol=tolerance)
        np.testing.assert_allclose(new.abilities["sd"], old.abilities["sd"], atol=tolerance)
        assert new.log_marginal == pytest.approx(old.log_marginal, abs=1e-5 if engine == "quadrature" else 0.02)

    def test_a_whole_bank_has_the_standard_population(self, engine):
        truth = drawn(items=bank(), population={"mean": 1.0, "sd": 0.5})
        result = irtvi.fit(truth.responses, model="2pl", fixed=truth.items, engine=engine)
        assert result.population["mean"].tolist() == [0.0]
        assert result.population["sd"].tolist() == [1.0]

    def test_anchors_free_the_population(self, engine):
        truth = drawn(3000, items=bank(20), population={"mean": 0.6, "sd": 1.3}, seed=4)
        anchors = truth.items.iloc[:10]
        result = irtvi.fit(truth.responses, model="2pl", fixed=anchors, priors=None, engine=engine)
        population = result.population.iloc[0]
        # Four standard errors, which are themselves those of 3,000 persons.
        assert abs(population["mean"] - 0.6) < 4 * population["mean_sd"] < 0.2
        assert abs(population["sd"] - 1.3) < 4 * population["sd_sd"] < 0.2
        new = result.items.iloc[10:]
        for name in ("a", "b"):
            z = (new[name] - truth.items[name].iloc[10:]) / new[f"{name}_sd"]
            assert (z.abs() < 4).all()
        np.testing.assert_allclose(result.items["b"].iloc[:10], anchors["b"], atol=1e-12)

    def test_one_parameter_can_be_held(self, engine):
        truth = drawn()
        held = pd.DataFrame({"a": [1.1, np.nan]}, index=["Q1", "Q2"])
        result = irtvi.fit(truth.responses, model="2pl", fixed=held, engine=engine)
        assert result.n_parameters == 23
        assert result.items.loc["Q1", "a"] == pytest.approx(1.1, abs=1e-12)
        assert result.population["sd"].tolist() == [1.0]

    def test_a_population_that_is_given(self, engine):
        truth = drawn(items=bank())
        given = {"mean": 0.5, "sd": 2.0}
        result = irtvi.fit(truth.responses, model="2pl", fixed=truth.items, population=given, engine=engine)
        assert result.population["mean"].tolist() == [0.5]
        assert result.population["sd"].tolist() == [2.0]

    def test_another_population_is_another_scale(self, engine):
        """Under N(m, s) slopes are divided by s and difficulties stretched: the same likelihood."""
        answers = drawn().responses
        first = irtvi.fit(answers, model="2pl", priors=None, engine=engine)
        given = {"mean": 1.0, "sd": 2.0}
        second = irtvi.fit(answers, model="2pl", priors=None, population=given, engine=engine)
        tolerance = 1e-4 if engine == "quadrature" else 0.02
        assert second.log_marginal == pytest.approx(first.log_marginal, abs=tolerance)
        share = 1e-3 if engine == "quadrature" else 0.03
        apart = (2.0 * second.items["a"] - first.items["a"]).abs() / first.items["a_sd"]
        assert apart.max() < 2 * share


PATTERNS = [12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28, 7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35,
            18, 136, 32, 308]  # fmt: skip
"""LSAT7: how many persons gave the answers 00000 .. 11111, item 5 fastest."""


def pattern_table():
    codes = (np.arange(32)[:, None] >> np.arange(4, -1, -1)) & 1
    return pd.DataFrame(codes, columns=[f"Item.{j + 1}" for j in range(5)])


@by_both
class TestWeights:
    def test_frequencies_equal_the_expanded_data(self, engine):
        counts = np.array(PATTERNS)
        expanded = pattern_table().loc[np.repeat(np.arange(32), counts)].reset_index(drop=True)
        # In another order than the expanded table's, so that sums are rounded in another way.
        patterns, other_order = pattern_table().iloc[::-1], counts[::-1].copy()
        weighted = irtvi.fit(irtvi.read(patterns, weights=other_order), model="2pl", priors=None, engine=engine)
        whole = irtvi.fit(expanded, model="2pl", priors=None, engine=engine)
        assert weighted.n_persons == whole.n_persons == 1000
        # The amortized engine cuts 32 and 1,000 rows into other windows.
        for name in ("log_marginal", "aic", "bic", "sabic"):
            expected = getattr(whole, name)
            assert getattr(weighted, name) == pytest.approx(expected, rel=1e-12 if engine == "quadrature" else 1e-10)
        columns = ["a", "a_sd", "b", "b_sd", "mean", "item_rest", "n_answered"]
        # Nodes differ by where the last pass of the search put them, hence not to the last digit.
        rtol = 1e-8 if engine == "quadrature" else 1e-6
        np.testing.assert_allclose(
            weighted.items[columns].to_numpy(float), whole.items[columns].to_numpy(float), rtol=rtol
        )
        theta = whole.abilities["theta"].to_numpy()[np.cumsum(counts) - 1][::-1]
        np.testing.assert_allclose(weighted.abilities["theta"], theta, atol=rtol)
        assert weighted.reliability["empirical"] == pytest.approx(whole.reliability["empirical"], abs=rtol)

    def test_a_weight_of_nothing_is_nobody(self, engine):
        truth = drawn(400)
        weights = np.r_[np.ones(300), np.zeros(100)]
        weighted = irtvi.fit(irtvi.read(truth.responses, weights=weights), model="2pl", engine=engine)
        without = irtvi.fit(truth.responses.iloc[:300], model="2pl", engine=engine)
        share = 1e-3 if engine == "quadrature" else 0.03
        assert ((weighted.items["a"] - without.items["a"]).abs() / without.items["a_sd"]).max() < share
        assert len(weighted.abilities) == 400
        assert weighted.n_persons == 300

    def test_survey_weights(self, engine):
        """Scaled to mean 1; criteria do not hold; sandwich standard errors."""
        truth = drawn(1500, 8)
        weights = np.random.default_rng(0).choice([0.2, 3.0], 1500)
        survey = irtvi.fit(irtvi.read(truth.responses, survey_weights=weights), model="2pl", priors=None, engine=engine)
        tenfold = irtvi.read(truth.responses, survey_weights=10 * weights)
        again = irtvi.fit(tenfold, model="2pl", priors=None, engine=engine)
        scaled = irtvi.read(truth.responses, weights=weights / weights.mean())
        frequencies = irtvi.fit(scaled, model="2pl", priors=None, engine=engine)
        assert np.isnan([survey.aic, survey.bic, survey.sabic]).all()
        # Each search ends within its stated tolerance of the maximum, in standard errors.
        stop = 2 * irtvi.inference.engines.ENGINES[engine]().tolerance
        assert ((again.items["a"] - survey.items["a"]).abs() / survey.items["a_sd"]).max() < stop
        np.testing.assert_allclose(again.items["a_sd"], survey.items["a_sd"], rtol=stop)
        np.testing.assert_allclose(frequencies.items["a"], survey.items["a"], rtol=1e-3)
        # Unequal weights cost precision: the mean square of these over their squared mean is 1.77.
        ratio = (survey.items["a_sd"] / frequencies.items["a_sd"]).median()
        assert ratio == pytest.approx(np.sqrt((weights**2).mean() / weights.mean() ** 2), rel=0.1)

    def test_equal_survey_weights_nearly_change_nothing(self, engine):
        """Where the model holds, sandwich and information agree as the sample grows."""
        truth = drawn(4000, 8)
        survey = irtvi.fit(irtvi.read(truth.responses, survey_weights=np.ones(4000)), model="2pl", engine=engine)
        plain = irtvi.fit(truth.responses, model="2pl", engine=engine)
        ratio = survey.items["a_sd"] / plain.items["a_sd"]
        assert ratio.median() == pytest.approx(1.0, abs=0.05)


@by_both
class TestWhatCannotBeEstimated:
    def test_constant_item(self, engine):
        answers = drawn().responses.assign(always=1)
        with pytest.warns(ConstantItemWarning, match="always"):
            result = irtvi.fit(answers, model="2pl", priors=None, engine=engine)
        assert result.items.loc["always", ["a", "a_sd", "b", "b_sd"]].isna().all()
        assert "everybody gave the same answer" in result.items.loc["always", "status"]
        assert result.items["a"].drop("always").notna().all()
        plain = irtvi.fit(drawn().responses, model="2pl", priors=None, engine=engine)
        assert result.log_marginal == pytest.approx(plain.log_marginal, abs=1e-3)
        assert result.n_parameters == plain.n_parameters

    def test_constant_item_with_a_prior(self, engine):
        answers = drawn().responses.assign(always=1)
        with pytest.warns(ConstantItemWarning, match="always"):
            result = irtvi.fit(answers, model="2pl", engine=engine)
        assert np.isfinite(result.items.loc["always", ["a", "a_sd", "b"]].astype(float)).all()

    def test_separable_item(self, engine):
        """Two items that agree in every answer: the steeper, the likelier."""
        answers = drawn(300, 4).responses
        answers["twin"] = answers["Q1"]
        result = irtvi.fit(answers, model="2pl", priors=None, engine=engine)
        separated = result.items["a"].isna()
        assert separated[["Q1", "twin"]].any()
        assert result.items.loc[separated, "status"].str.contains("separated").all()
        assert result.items.loc[separated, ["a_sd", "b_sd"]].isna().all(axis=None)
        assert np.isfinite(result.abilities["theta"]).all()

    def test_who_answered_nothing_says_nothing_of_the_population(self, engine):
        answers = irtvi.simulate("rasch", 600, 8, seed=3).responses
        silent = pd.DataFrame(np.nan, index=range(601, 1501), columns=answers.columns)
        alone = irtvi.fit(answers, model="rasch", engine=engine)
        with pytest.warns(EmptyPersonWarning):
            among = irtvi.fit(pd.concat([answers, silent]), model="rasch", engine=engine)
        pd.testing.assert_frame_equal(among.population, alone.population, rtol=1e-6)
        pd.testing.assert_series_equal(among.items["b_sd"], alone.items["b_sd"], rtol=1e-6)

    def test_a_person_without_answers(self, engine):
        answers = drawn(items=bank()).responses.astype(float)
        answers.iloc[5] = np.nan
        with pytest.warns(EmptyPersonWarning):
            result = irtvi.fit(answers, model="2pl", fixed=bank(), population={"mean": 0.4, "sd": 1.2}, engine=engine)
        row = result.abilities.iloc[5]
        assert row["theta"] == pytest.approx(0.4, abs=1e-5)
        assert row["sd"] == pytest.approx(1.2, abs=1e-5)
        assert row["n_answered"] == 0
        assert "prior" in row["status"] or "population" in row["status"]
        assert result.n_persons == len(answers) - 1
        assert float(result.posterior.persons.log_marginal[5]) == pytest.approx(0.0, abs=1e-5)


@by_both
class TestSign:
    def test_a_miskeyed_item_is_negative(self, engine):
        answers = drawn(1000).responses
        answers["Q4"] = 1 - answers["Q4"]
        slopes = irtvi.fit(answers, model="2pl", engine=engine).items["a"]
        assert slopes["Q4"] < 0
        assert (slopes.drop("Q4") > 0).all()

    def test_the_mean_slope_is_positive(self, engine):
        """All items turned: the same slopes, difficulties mirrored."""
        answers = drawn(1000).responses
        first = irtvi.fit(answers, model="2pl", engine=engine)
        second = irtvi.fit(1 - answers, model="2pl", engine=engine)
        share = 1e-3 if engine == "quadrature" else 0.03
        assert ((first.items["a"] - second.items["a"]).abs() / first.items["a_sd"]).max() < 2 * share
        assert ((first.items["b"] + second.items["b"]).abs() / first.items["b_sd"]).max() < 2 * share

    def test_anchors_decide(self, engine):
        answers = drawn(1000, items=bank()).responses
        anchors = pd.DataFrame({"a": -bank()["a"], "b": -bank()["b"]}).iloc[:6]
        slopes = irtvi.fit(1 - answers, model="2pl", fixed=anchors, engine=engine).items["a"]
        assert (slopes < 0).sum() >= 6


@by_both
class TestProgress:
    def test_a_cancelled_fit_is_the_best_so_far(self, engine):
        answers = drawn(1500, 20).responses
        seen = []
        progress = irtvi.Progress(listener=seen.append, cancelled=lambda: len(seen) >= 3)
        result = irtvi.fit(answers, model="2pl", engine=engine, progress=progress)
        whole = irtvi.fit(answers, model="2pl", engine=engine)
        assert not result.converged
        assert result.posterior.stopped
        assert result.reason.startswith("Stopped")
        reached = result.log_marginal + result.log_prior
        assert reached == pytest.approx(max(step.objective for step in seen), abs=0.05)
        assert reached <= whole.log_marginal + whole.log_prior + 1e-3
        assert np.isfinite(result.abilities["theta"]).all()

    def test_an_interrupt_from_the_keyboard(self, engine):
        def interrupt(step):
            raise KeyboardInterrupt

        result = irtvi.fit(drawn().responses, model="2pl", engine=engine, progress=interrupt)
        assert result.posterior.stopped
        assert not result.converged
        assert np.isfinite(result.items["a"]).all()

    def test_every_step_is_told(self, engine):
        seen = []
        result = irtvi.fit(drawn().responses, model="2pl", engine=engine, progress=seen.append)
        assert result.converged
        assert len(seen) == len(result.trace) > 1
        assert result.trace["objective"].iloc[-1] >= result.trace["objective"].iloc[0]


@by_both
class TestDeterminism:
    def test_same_seed_same_numbers(self, engine):
        answers = drawn(700, 15, missing=0.3).responses
        first, second = (irtvi.fit(answers, model="3pl", engine=engine, seed=7) for _ in range(2))
        pd.testing.assert_frame_equal(first.items, second.items, check_exact=True)
        pd.testing.assert_frame_equal(first.abilities, second.abilities, check_exact=True)
        assert first.log_marginal == second.log_marginal

    def test_global_randomness_and_threads_are_left_alone(self, engine):
        state, threads = torch.random.get_rng_state(), torch.get_num_threads()
        irtvi.fit(drawn(200, 5).responses, model="2pl", engine=engine)
        assert torch.equal(state, torch.random.get_rng_state())
        assert threads == torch.get_num_threads()

    def test_the_order_of_rows_and_items_does_not_matter(self, engine):
        truth = drawn()
        shuffled = truth.responses.sample(frac=1.0, random_state=1).iloc[:, ::-1]
        first = irtvi.fit(truth.responses, model="2pl", engine=engine)
        second = irtvi.fit(shuffled, model="2pl", engine=engine)
        assert second.abilities.index.tolist() == shuffled.index.tolist()
        share = 1e-3 if engine == "quadrature" else 0.03
        apart = (second.items.loc[first.items.index, "a"] - first.items["a"]).abs() / first.items["a_sd"]
        assert apart.max() < 2 * share


@by_both
class TestRequests:
    def test_polytomous_answers(self, engine):
        answers = drawn(100, 4).responses
        answers["Q2"] = np.arange(100) % 3
        with pytest.raises(DichotomousModelError, match="Q2"):
            irtvi.fit(answers, model="2pl", engine=engine)

    def test_an_unknown_model(self, engine):
        with pytest.raises(SpecificationError, match="5pl"):
            irtvi.fit(drawn(50, 4).responses, model="5pl", engine=engine)

    @pytest.mark.parametrize(
        ("priors", "said"),
        [
            ({"slope": None}, "slope"),
            ({("Q99", "a"): None}, "Q99"),
        ],
    )
    def test_priors_of_nothing(self, engine, priors, said):
        with pytest.raises(SpecificationError, match=said):
            irtvi.fit(drawn(50, 4).responses, model="2pl", priors=priors, engine=engine)

    @pytest.mark.parametrize(
        ("population", "said"),
        [("free", "anchored"), ({"mean": 0.0, "sd": -1.0}, "sd"), ({"median": 0.0}, "median")],
    )
    def test_populations_that_make_no_sense(self, engine, population, said):
        with pytest.raises(SpecificationError, match=said):
            irtvi.fit(drawn(50, 4).responses, model="2pl", population=population, engine=engine)

    @pytest.mark.parametrize(
        ("fixed", "said"),
        [
            (pd.DataFrame({"a": [1.0]}, index=["Q99"]), "Q99"),
            (pd.DataFrame({"a": [np.inf]}, index=["Q1"]), "Q1"),
        ],
    )
    def test_values_that_cannot_be_held(self, engine, fixed, said):
        with pytest.raises(SpecificationError, match=said):
            irtvi.fit(drawn(50, 4).responses, model="2pl", fixed=fixed, engine=engine)


class TestEngines:
    def test_an_unknown_engine(self):
        with pytest.raises(SpecificationError, match="warp"):
            irtvi.fit(drawn(50, 4).responses, model="2pl", engine="warp")

    def test_quadrature_has_no_bound(self):
        with pytest.raises(SpecificationError, match="objective='elbo'"):
            irtvi.fit(drawn(50, 4).responses, model="2pl", engine="quadrature", objective="elbo")

    def test_an_unknown_objective(self):
        with pytest.raises(SpecificationError, match="tightest"):
            irtvi.fit(drawn(50, 4).responses, model="2pl", engine="amortized", objective="tightest")

    @pytest.mark.parametrize("settings", [irtvi.Quadrature, irtvi.Amortized])
    def test_settings_check_themselves(self, settings):
        with pytest.raises(SpecificationError, match="tolerance"):
            settings(tolerance=0.0)

    def test_the_engines_agree(self):
        answers = drawn(missing=0.3).responses
        exact, fast = (irtvi.fit(answers, model="2pl", engine=name) for name in ENGINES)
        assert irtvi.fit(answers, model="2pl").engine == "amortized"
        assert fast.log_marginal == pytest.approx(exact.log_marginal, abs=0.02)
        for name in ("a", "b"):
            assert ((fast.items[name] - exact.items[name]).abs() / exact.items[f"{name}_sd"]).max() < 0.03
            np.testing.assert_allclose(fast.items[f"{name}_sd"], exact.items[f"{name}_sd"], rtol=0.01)
        np.testing.assert_allclose(fast.abilities["theta"], exact.abilities["theta"], atol=2e-3)
        np.testing.assert_allclose(fast.abilities["sd"], exact.abilities["sd"], atol=2e-3)
