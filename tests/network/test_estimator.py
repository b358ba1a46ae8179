"""The scikit-learn face: its conventions, its exactness where a network is small, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.network import exact_log_likelihood
from kadanoff.network.estimator import Phi4RBM
from kadanoff.network.scaling import Scaling

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6)) * np.arange(1, 7) + RNG.choice([-3.0, 3.0], size=(120, 1))


@pytest.fixture(scope="module")
def fitted() -> Phi4RBM:
    return Phi4RBM(n_hidden=4, epochs=3, batch_size=30, random_state=0).fit(X)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.reference
@parametrize_with_checks([Phi4RBM(n_hidden=5, epochs=2, batch_size=16)])
def test_scikit_learn_accepts_the_estimator(estimator, check) -> None:
    # It hands the constructor values of any type; users' calls are not type-checked either.
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        check(estimator)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.exact
def test_scores_are_the_exact_log_likelihood_in_units_of_the_data(fitted: Phi4RBM) -> None:
    v = jnp.asarray(fitted.scaling_.apply(X), jnp.float32)
    expected = np.asarray(exact_log_likelihood(fitted.network_, v)) - np.log(fitted.scaling_.scale).sum()
    np.testing.assert_allclose(fitted.score_samples(X), expected, atol=1e-4)
    assert fitted.log_partition_.error == 0
    assert fitted.score(X) == pytest.approx(fitted.score_samples(X).mean())


@pytest.mark.exact
def test_the_scale_of_the_data_changes_the_density_by_its_volume_only(fitted: Phi4RBM) -> None:
    larger = clone(fitted).fit(10 * X)
    np.testing.assert_allclose(larger.transform(10 * X), fitted.transform(X), atol=1e-4)
    np.testing.assert_allclose(
        larger.score_samples(10 * X), fitted.score_samples(X) - 6 * np.log(10), atol=0.05
    )


@pytest.mark.exact
def test_shapes_and_seeds(fitted: Phi4RBM) -> None:
    assert fitted.transform(X).shape == (120, 4)
    assert fitted.inverse_transform(fitted.transform(X)).shape == X.shape
    assert fitted.gibbs(X[:5], steps=2).shape == (5, 6)
    assert fitted.sample(3, steps=20).shape == (3, 6)
    np.testing.assert_array_equal(fitted.sample(3, steps=20), clone(fitted).fit(X).sample(3, steps=20))
    assert list(fitted.get_feature_names_out()) == [f"phi4rbm{i}" for i in range(4)]


@pytest.mark.exact
def test_known_features_are_kept_in_a_completion(fitted: Phi4RBM) -> None:
    known = np.arange(6) < 3
    filled = fitted.complete(X[:4], known, steps=20)
    np.testing.assert_array_equal(filled[:, :3], X[:4, :3])
    assert np.isfinite(filled).all() and not np.array_equal(filled[:, 3:], X[:4, 3:])
    # what stands where nothing is known does not matter
    np.testing.assert_array_equal(fitted.complete(np.where(known, X[:4], np.nan), known, steps=20), filled)
    with pytest.raises(InputError, match="NaN"):
        fitted.complete(np.where(known, np.nan, X[:4]), known, steps=20)


@pytest.mark.exact
def test_partial_fits_go_on_and_records_are_handed_to_callbacks() -> None:
    seen = []
    callbacks = [lambda state, record: seen.append(record.epoch)]
    model = Phi4RBM(3, visible="gaussian", epochs=2, callbacks=callbacks, random_state=1).fit(X)
    assert seen == [1, 2] == [record.epoch for record in model.history_]
    before = model.network_.w
    assert model.partial_fit(X).n_iter_ == 3
    assert np.abs(model.network_.w - before).max() > 1e-3  # though the schedule of `fit` has come to its end
    assert Phi4RBM(3, visible="gaussian", random_state=1).partial_fit(X).n_iter_ == 1


@pytest.mark.slow
@pytest.mark.exact
@pytest.mark.parametrize("training", ["persistent", "contrastive divergence", "tempering"])
@pytest.mark.parametrize("visible", [pytest.param("gaussian", marks=pytest.mark.ci), "bernoulli"])
def test_batches_of_partial_fits_may_be_of_any_size(training: str, visible: str, tmp_path: Path) -> None:
    model = Phi4RBM(3, visible=visible, training=training, batch_size=50, random_state=0)
    for rows in (X, X[:20], X):
        model.partial_fit(rows)
    model.set_params(batch_size=70).partial_fit(X)
    loaded = Phi4RBM.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.partial_fit(X[:9]).network_.w, model.partial_fit(X[:9]).network_.w)


@pytest.mark.exact
def test_what_training_is_built_on_cannot_change_between_partial_fits() -> None:
    model = Phi4RBM(3, visible="gaussian", random_state=0).partial_fit(X)
    for change in ({"training": "tempering"}, {"n_hidden": 4}, {"optimiser": "sgd"}, {"centred": False}):
        before = model.get_params()
        with pytest.raises(InputError, match=f"cannot go on with {next(iter(change.values()))!r}"):
            model.set_params(**change).partial_fit(X)
        model.set_params(**before)
    assert model.set_params(n_hidden=4).fit(X).transform(X).shape == (120, 4)


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_whole_numbers_of_numpy_are_options(tmp_path: Path) -> None:
    options = {"n_hidden": 3, "steps": 1, "batch_size": 100, "epochs": 2, "likelihood_every": 1}
    plain = Phi4RBM(visible="gaussian", random_state=0, **options).fit(X)
    model = Phi4RBM(visible="gaussian", random_state=0, **{n: np.int64(v) for n, v in options.items()}).fit(X)
    np.testing.assert_array_equal(model.network_.w, plain.network_.w)
    loaded = Phi4RBM.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.transform(X), plain.transform(X))


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
@pytest.mark.filterwarnings("error")
def test_numbers_and_switches_of_a_grid_of_options_are_taken() -> None:
    options = {"n_hidden": 3, "visible": "gaussian", "epochs": 2, "random_state": 0}
    plain = Phi4RBM(learning_rate=0.125, smoothing=1.0, centred=False, **options).fit(X)
    grid = np.array([0.125, 1.0], np.float32)
    model = Phi4RBM(learning_rate=grid[0], smoothing=grid[1], centred=np.array([False])[0], **options).fit(X)
    np.testing.assert_array_equal(model.network_.w, plain.network_.w)


@pytest.mark.exact
@pytest.mark.parametrize(
    "fails",
    [
        {"options": {"learning_rate": -1.0}},
        {"options": {"visible": "ising", "scaling": "none"}},
        {"data": np.full_like(X, 3.0)},
        {"options": {"callbacks": [lambda state, record: 1 / 0]}},
    ],
    ids=["options", "units", "data", "interrupted"],
)
def test_a_fit_that_ends_early_leaves_no_scaling_beside_a_network_of_another_fit(fails: dict) -> None:
    model = Phi4RBM(3, visible="gaussian", epochs=2, random_state=0).fit(X)
    before, score = model.scaling_.scale, model.score(X)
    with pytest.raises((InputError, ZeroDivisionError)):
        model.set_params(**fails.get("options", {})).fit(fails.get("data", 50 * X))
    if model.scaling_.scale is before:
        assert model.score(X) == score
    else:
        assert model.n_iter_ == 0 and model.network_.w.shape == (6, 3)
        np.testing.assert_array_equal(model.network_.w, model.state_.network.w)


@pytest.mark.exact
def test_what_a_mask_hides_is_missing(fitted: Phi4RBM) -> None:
    hidden = X > 1
    masked = np.ma.masked_array(X, hidden)
    known = ~hidden[:5]
    found = fitted.complete(masked[:5], known, steps=20)
    np.testing.assert_array_equal(found, fitted.complete(X[:5], known, steps=20))
    for call in (clone(fitted).fit, fitted.transform, fitted.score_samples):
        with pytest.raises(InputError, match="NaN or infinity"):
            call(masked)
    np.testing.assert_array_equal(fitted.transform(np.ma.masked_array(X)), fitted.transform(X))


@pytest.mark.exact
def test_calls_of_gibbs_in_turn_make_a_chain(fitted: Phi4RBM) -> None:
    first, second = (clone(fitted).fit(X) for _ in range(2))
    chain = [first.gibbs(X[:5]) for _ in range(3)]
    assert len({states.tobytes() for states in chain}) == 3
    for states in chain:
        np.testing.assert_array_equal(second.gibbs(X[:5]), states)
    np.testing.assert_array_equal(first.fit(X).gibbs(X[:5]), chain[0])
    np.testing.assert_array_equal(first.gibbs(X[:5], seed=3), second.gibbs(X[:5], seed=3))
    known = np.arange(6) < 3
    one, other = (fitted.complete(X[:4], known, steps=20, seed=seed) for seed in (None, 3))
    assert (one[:, 3:] != other[:, 3:]).any()


@pytest.mark.exact
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(0), "n_samples must be 1 or more, got 0"),
        (lambda m: m.sample(2, steps=0), "steps must be 1 or more"),
        (lambda m: m.gibbs(X, -1), "steps must be 0 or more"),
        (lambda m: m.complete(X, np.ones(6, bool), steps=-1), "steps must be 1 or more"),
        (lambda m: m.complete(X[:3], np.ones(3, bool)), r"has the shape \(3, 6\) of the data, or \(6,\)"),
        (lambda m: m.complete(X, ["yes"] * 6), "true and false"),
        (lambda m: m.complete(X, [[1], [1, 0]]), "true and false"),
        (lambda m: m.transform(np.full((1, 6), 1e40)), "single precision"),
        (lambda m: m.inverse_transform(np.full((1, 4), 1e40)), "single precision"),
        (lambda m: clone(m).set_params(scaling="none").fit(X * 1e40), "single precision"),
    ],
)
def test_calls_that_ask_for_nothing_possible_are_refused_in_one_line(
    fitted: Phi4RBM, call: Callable[[Phi4RBM], object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call(fitted)
    assert "\n" not in str(caught.value)


@pytest.mark.exact
def test_an_estimator_without_a_fit_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        Phi4RBM().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.exact
@pytest.mark.parametrize("visible", ["gaussian", pytest.param("phi4", marks=pytest.mark.slow)])
def test_what_other_columns_are_does_not_matter_without_smoothing(visible: str) -> None:
    columns = np.random.default_rng(1).normal(size=(120, 6))
    model = Phi4RBM(3, visible=visible, epochs=3, random_state=0)
    expected = model.fit(columns).score(columns)
    away = columns + [0.0, 1e6, 0.0, 0.0, 0.0, 0.0]
    assert model.fit(away).score(away) == pytest.approx(expected, abs=1e-3)
    other = columns * [1.0, 1e-3, 1e4, 1.0, 1.0, 1.0]
    assert model.fit(other).score(other) == pytest.approx(expected - np.log(10), abs=1e-3)


@pytest.mark.exact
def test_only_columns_of_almost_one_value_are_scaled_by_more_than_their_deviation() -> None:
    x = np.zeros((200, 4))
    x[:, 0], x[:1, 1], x[:3, 2] = np.linspace(-30, 30, 200), 16.0, 0.5
    x[:, 3] = 1e-3 * x[:, 0]
    deviation = x.std(axis=0)
    expected = [deviation[0], deviation[0] / 10, 0.5, deviation[3]]
    np.testing.assert_allclose(Scaling.of(x, "standard", None).scale, expected)


@pytest.mark.exact
def test_raw_values_that_units_cannot_follow_are_warned_of() -> None:
    with pytest.warns(KadanoffWarning, match="more than real units can follow"):
        Scaling.of(100 * X, "none", None)


@pytest.mark.exact
def test_completions_of_grey_data_by_two_level_units_are_levels() -> None:
    model = Phi4RBM(2, visible="bernoulli", epochs=1, random_state=0).fit(X)
    known = np.arange(6) < 3
    filled = model.complete(X[:4], known, steps=4)
    np.testing.assert_array_equal(filled[:, :3], model.scaling_.apply(X[:4])[:, :3])
    assert ((filled >= 0) & (filled <= 1)).all()


@pytest.mark.slow
@pytest.mark.exact
def test_pipelines_and_searches_take_it() -> None:
    y = X[:, 0] > 0
    pipeline = make_pipeline(Phi4RBM(visible="gaussian", epochs=1, random_state=0), LogisticRegression())
    search = GridSearchCV(pipeline, {"phi4rbm__weight_decay": [0.0, 0.1]}, cv=2).fit(X, y)
    assert search.best_params_["phi4rbm__weight_decay"] in (0.0, 0.1)


@pytest.mark.exact
@pytest.mark.parametrize("visible", ["bernoulli", pytest.param("ising", marks=pytest.mark.slow)])
def test_two_level_units_take_data_cut_in_the_middle(visible: str) -> None:
    model = Phi4RBM(2, visible=visible, epochs=1, random_state=0).fit(X)
    assert set(np.unique(model.sample(8, steps=4))) <= set(model.scaling_.levels)
    assert np.all(model.score_samples(X) < 0)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({}, np.where(X == X[3, 2], np.nan, X), "NaN or infinity .first in row 3, column 2"),
        ({}, np.ones((5, 3)), "every column of the data is constant"),
        ({}, X[:1], "one sample"),
        ({"n_hidden": 0}, X, "n_hidden must be 1 or more"),
        ({"n_hidden": 2.5}, X, "n_hidden must be a whole number, got 2.5"),
        ({"epochs": "3"}, X, "epochs must be a whole number, got '3'"),
        ({"batch_size": 0}, X, "batch_size must be 1 or more"),
        ({"centred": "no"}, X, "centred is True or False, got 'no'"),
        ({"steps": 1.5}, X, "steps must be a whole number"),
        ({"likelihood_every": -1}, X, "likelihood_every must be 0 or more"),
        ({"callbacks": None}, X, "callbacks are a list of functions"),
        ({"callbacks": print}, X, "callbacks are a list of functions"),
        ({"visible": ["phi4"]}, X, "unknown unit type"),
        ({"training": ["persistent"]}, X, "unknown training"),
        ({}, X + 1j, "Complex data not supported"),
        ({}, X[0], "Expected 2D array, got 1D array instead: Reshape your data"),
        ({"visible": "cubic"}, X, "unknown unit type 'cubic'"),
        ({"hidden": "cubic"}, X, "unknown unit type 'cubic'"),
        ({"training": "luck"}, X, "unknown training 'luck'"),
        ({"scaling": "log"}, X, "unknown scaling 'log'"),
        ({"scaling": "binary"}, X, "does not fit real units"),
        ({"visible": "ising", "scaling": "none"}, X, "-1 and 1 only"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_fitted_is_refused_in_one_line(options: dict, data: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Phi4RBM(**{"epochs": 1, **options}).fit(data)
    assert "\n" not in str(caught.value)


@pytest.mark.exact
def test_another_number_of_features_or_hidden_units_is_refused(fitted: Phi4RBM) -> None:
    with pytest.raises(ValueError, match="5 features"):
        fitted.transform(X[:, :5])
    with pytest.raises(InputError, match="4 hidden units"):
        fitted.inverse_transform(np.zeros((1, 5)))


@pytest.mark.exact
def test_scaling_does_not_overflow_and_takes_rounding_for_constant() -> None:
    x = RNG.normal(size=(100, 3))
    for factor in (1e-200, 1e200):
        np.testing.assert_allclose(Scaling.of(factor * x, "standard", None).scale, factor * x.std(axis=0))
    x[:, 1] = np.where(np.arange(100) < 50, 0.3, 3 * 0.1)  # differ in the last bit
    np.testing.assert_allclose(Scaling.of(x, "standard", None).scale[1], x.std(axis=0).max() / 10)
    with pytest.raises(InputError, match="every column of the data is constant"):
        Scaling.of(x[:, 1:2], "standard", None)


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_missing_values_of_any_kind_are_completed(fitted: Phi4RBM) -> None:
    known = np.arange(6) < 3
    missing = np.where(known, X[:4], np.nan).astype(object)
    missing[0, 3] = None
    expected = fitted.complete(X[:4], known, steps=20)
    np.testing.assert_array_equal(fitted.complete(missing, known, steps=20), expected)
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(missing).astype("Float64")
    np.testing.assert_array_equal(fitted.complete(table, known, steps=20), expected)
