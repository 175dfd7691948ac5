"""Public data sets are read with the sizes that their index states."""

import pytest

from irtvi import errors
from irtvi.responses import read
from irtvi.responses.cells import DenseCells, SparseCells

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore::irtvi.errors.IrtviWarning")]

# persons, items, responses: the table in data/INDEX.md
SIZES = {
    "lsat7.csv": (1_000, 5, 5_000),
    "sat12_raw.csv": (600, 32, 19_200),
    "verbagg.csv": (316, 24, 7_584),
    "bfi25.csv": (2_800, 25, 69_492),
    "icar16.csv": (1_525, 16, 23_257),
    "pisa12_us_math.csv": (4_978, 76, 117_371),
    "timss07_g8_rus_math.csv": (4_472, 215, 136_668),
    "learning_to_learn.csv": (782, 82, 64_124),
    "amsterdam_chess_rt_long.csv": (256, 40, 10_240),
    "us_senate_80_110_long.csv.gz": (3_162, 20_245, 1_879_731),
    "wordbank_danish.csv.gz": (5_506, 727, 3_426_740),
    "assist0910_edudata_long.csv.gz": (2_493, 17_671, 267_415),
    "metabench_gsm8k.csv.gz": (5_041, 249, 1_255_209),
    "swebench_verified.csv": (134, 500, 67_000),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name, reference):
    responses = read(reference / "data" / name)
    assert (responses.n_persons, responses.n_items, responses.n_responses) == SIZES[name]
    assert responses.layout == ("long" if "_long" in name else "wide")
    assert isinstance(responses.cells, SparseCells if responses.cells.density < 0.15 else DenseCells)


def test_waves_must_be_named(reference):
    path = reference / "data" / "spatial_rotation_long.csv"
    with pytest.raises(errors.WavesError, match="wave="):
        read(path)
    waves = read(path, wave="wave")
    assert (waves.n_persons, waves.n_responses) == (5 * 350, 17_500)
    assert read(path, wave=False).n_persons == 350


def test_the_key_scores_sat12(reference):
    """The raw options with the published key are the scored file, omits (8) scored wrong."""
    # mirt's documentation of SAT12
    key = [1, 4, 5, 2, 3, 1, 2, 1, 3, 1, 2, 4, 2, 1, 5, 3, 4, 4, 1, 4, 3, 3, 4, 1, 3, 5, 1, 3, 1, 5, 4, 5]
    items = [f"Item.{j}" for j in range(1, 33)]
    raw = read(reference / "data" / "sat12_raw.csv", key=dict(zip(items, key, strict=True)), wrong=8)
    scored = read(reference / "data" / "sat12.csv")
    assert raw.scored().to_dense().codes.equal(scored.raw().to_dense().codes)
    assert set(raw.n_categories("raw").tolist()) == {5, 6}
