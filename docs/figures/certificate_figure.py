"""What certificates say of each person, beside the truth of dense quadrature.

Everything is computed at the items that made the data, so that only people's integrals can be wrong.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

import irtvi
from irtvi.inference.answers import answers_of
from irtvi.inference.certificate import NEEDS_REPAIR, Audit
from irtvi.inference.encoders.encoder import Encoder
from irtvi.inference.encoders.parabola import Parabola
from irtvi.inference.encoders.proposal import GaussianProposal
from irtvi.inference.engines.engine import Data
from irtvi.inference.expectation import PersonSums, integrate
from irtvi.inference.placing import GridPlacing
from irtvi.inference.window_certificate import FrozenEncoder, audit_windows
from irtvi.models.model import Model
from irtvi.plots.theme import look, styled

N_PERSONS = 1_000
DENSE = 0.01
SMALLEST = 1e-10
"""What is smaller is drawn here."""
WRONG = 0.2
"""Posterior sds by which an encoder's mean is off that is called wrong."""
PROMISED = 0.005
"""Largest error of a repaired score, posterior sds."""


@dataclass(frozen=True)
class Problem:
    """People, and items whose parameters are known."""

    model: Model
    free: Tensor
    data: Data

    @staticmethod
    def simulated(model: str, bank: pd.DataFrame, missing: float, seed: int) -> "Problem":
        """The first person all right and the second all wrong, wherever they answered."""
        answers = irtvi.simulate(model, N_PERSONS, items=bank, missing=missing, seed=seed).responses
        for person, answer in ((0, 1), (1, 0)):
            answers.iloc[person] = answers.iloc[person].where(answers.iloc[person].isna(), answer)
        held = irtvi.fit(answers, model=model, fixed=bank)
        data = Data.of(held.responses, held.item_models, torch.device("cpu"))
        return Problem(held.model, held.posterior.free, data)

    def certified(self, encoder: Encoder) -> Audit:
        answers = answers_of(self.model, self.data.cells)
        return audit_windows(self.model, self.free, answers, self.data.groups, encoder)

    def exact(self) -> PersonSums:
        """On 1,800 nodes from -9 to 9, which take no part in what is judged."""
        everyone = torch.arange(self.data.cells.n_persons)
        answers = answers_of(self.model, self.data.cells)
        placing = GridPlacing(answers, everyone, self.data.groups, _spacing=DENSE, _tail=9.0)
        return integrate(self.model, placing.place(self.model, self.free), self.free)


@dataclass(frozen=True)
class Spoiled(Encoder):
    """The parabola, with means moved and sds stretched for some people."""

    shift: Tensor
    stretch: Tensor
    name = "spoiled"

    def encode(self, model, free, answers, persons, groups) -> GaussianProposal:
        honest = Parabola().encode(model, free, answers, persons, groups)
        return GaussianProposal(honest.mean + self.shift[persons] * honest.sd, honest.sd * self.stretch[persons])


def bank(n_items: int, model: str, steepest: float = 0.0) -> pd.DataFrame:
    """Slopes lognormal(0, .3), difficulties N(0, 1), guessing .2 in a 3PL; two steep items if asked for."""
    rng = np.random.default_rng(5)
    items = pd.DataFrame({"a": np.exp(0.3 * rng.standard_normal(n_items)), "b": rng.standard_normal(n_items)})
    if model == "3pl":
        items["c"] = 0.2
    if steepest:
        items.loc[items.index[:2], ["a", "b"]] = [[steepest, -0.3], [steepest, 0.4]]
    return items.set_axis([f"Q{j + 1}" for j in range(n_items)])


CASES = {
    "2PL, 40 items": ("2pl", 40, 0.0, 0.0),
    "3PL, 40 items, 80 % missing": ("3pl", 40, 0.8, 0.0),
    "2PL, 5 items, two of slope 8": ("2pl", 5, 0.0, 8.0),
}


def certificate_figure() -> go.Figure:
    """Four panels: stated against true error, scores before and after repair, who is flagged, a frozen encoder."""
    titles = (
        "Log marginal: stated and true error", "Largest error of a score",
        "Encodings spoiled on purpose", "Encoder at work, and frozen at the prior",
    )  # fmt: skip
    figure = make_subplots(2, 2, subplot_titles=titles, horizontal_spacing=0.13, vertical_spacing=0.17)
    errors(figure)
    scores(figure)
    problem = Problem.simulated("2pl", bank(40, "2pl"), 0.0, seed=32)
    spoil(figure, problem)
    freeze(figure, problem)
    styled(figure, False, title="What certificates say, and what is true", height=820)
    legend = {"y": 1.06, "itemsizing": "constant", "entrywidth": 210}
    figure.update_layout(margin={"t": 160, "l": 76}, legend=legend)
    figure.update_annotations(font={"size": 13})
    log = {"type": "log", "exponentformat": "power", "dtick": 2, "tickfont": {"size": 11}}
    figure.update_xaxes(title="Stated error (nats)", **log, row=1, col=1)
    figure.update_yaxes(title="True error (nats)", **log, row=1, col=1)
    figure.update_xaxes(title="Answers missing", tickvals=[0, 50, 80, 95], ticksuffix=" %", row=1, col=2)
    figure.update_yaxes(title="Error (posterior sd)", **log, row=1, col=2)
    figure.update_xaxes(title="True error of the encoder's mean (posterior sd)", row=2, col=1)
    figure.update_yaxes(title="Amortization gap (nats)", **log, row=2, col=1)
    figure.update_xaxes(title="Amortization gap (nats)", **log, row=2, col=2)
    figure.update_yaxes(title="Share of persons", tickformat=".0%", row=2, col=2)
    figure.update_xaxes(title_font_size=12)
    figure.update_yaxes(title_font_size=12)
    return figure


def errors(figure: go.Figure) -> None:
    """Error of each log marginal beside the one that is stated."""
    for (label, (model, n_items, missing, steepest)), colour in zip(CASES.items(), look(False).series, strict=False):
        problem = Problem.simulated(model, bank(n_items, model, steepest), missing, seed=31)
        found, truth = problem.certified(Parabola()), problem.exact()
        apart = (found.certificates.log_marginal - truth.log_marginal).abs()
        inside = float((apart <= found.certificates.error).double().mean())
        print(f"{label}: {inside:.1%} of persons within the stated error, the largest of which is "
              f"{float(found.certificates.error.max()):.1e}")  # fmt: skip
        points(figure, 1, 1, found.certificates.error, apart.clamp(min=SMALLEST), label, colour)
    ends = [1e-7, 1e-3]
    faint = {"color": look(False).faint, "dash": "dot"}
    figure.add_scatter(x=ends, y=ends, mode="lines", line=faint, showlegend=False, row=1, col=1)


def scores(figure: go.Figure) -> None:
    """Largest error of anybody's theta, of the encoder and of the table, by how much is missing."""
    shares = 0.0, 0.5, 0.8, 0.95
    for model, symbol in (("2pl", "circle"), ("3pl", "diamond")):
        off: dict[str, list[float]] = {"encoder": [], "repaired": []}
        for missing in shares:
            problem = Problem.simulated(model, bank(40, model), missing, seed=34)
            found, truth = problem.certified(Parabola()), problem.exact()
            for name, theta in (("encoder", found.certificates.encoded_mean), ("repaired", found.sums.mean)):
                off[name].append(float(((theta - truth.mean).abs() / truth.sd).max()))
        for name, colour in (("encoder", 6), ("repaired", 5)):
            print(f"{model}, {name}: " + ", ".join(f"{value:.1e}" for value in off[name]))
            figure.add_scatter(
                x=[100 * share for share in shares], y=off[name], name=f"{model.upper()}, {name}", mode="lines+markers",
                line={"color": look(False).series[colour]}, marker={"symbol": symbol, "size": 8}, row=1, col=2,
            )  # fmt: skip
    figure.add_hline(y=PROMISED, line={"color": look(False).faint, "dash": "dot"}, row=1, col=2)


def points(figure: go.Figure, row: int, col: int, x: Tensor, y: Tensor, label: str, colour: str) -> None:
    """One point a person."""
    figure.add_scatter(
        x=x.numpy(), y=y.numpy(), mode="markers", name=label,
        marker={"color": colour, "size": 4, "opacity": 0.5}, row=row, col=col,
    )  # fmt: skip


def spoil(figure: go.Figure, problem: Problem) -> None:
    """Half of the people get a Gaussian that is moved, by anything from nothing to 1.2 sd, and stretched."""
    generator = torch.Generator().manual_seed(33)
    uniform = [torch.rand(N_PERSONS, generator=generator, dtype=torch.float64) for _ in range(4)]
    chosen = uniform[0] < 0.5
    shift = torch.where(uniform[1] < 0.5, -1.2, 1.2) * uniform[2] * chosen
    found = problem.certified(Spoiled(shift, torch.where(chosen, 0.9 + 0.2 * uniform[3], 1.0)))
    truth, gap = problem.exact(), found.certificates.gap_amortization
    error = (found.certificates.encoded_mean - truth.mean).abs() / truth.sd
    wrong, flagged = error > WRONG, found.certificates.needed
    area = float((gap[wrong][:, None] > gap[~wrong]).double().mean())
    print(f"spoiled: {int(wrong.sum())} off by more than {WRONG} sd, all flagged: {bool(flagged[wrong].all())}; "
          f"{int((flagged & ~wrong).sum())} others flagged; area under the curve {area:.4f}")  # fmt: skip
    for label, who, colour in (("left alone", ~chosen, 3), ("spoiled", chosen, 4)):
        points(figure, 2, 1, error[who], gap[who].clamp(min=1e-6), label, look(False).series[colour])
    faint = {"color": look(False).faint, "dash": "dot"}
    figure.add_hline(y=NEEDS_REPAIR, line=faint, row=2, col=1)
    figure.add_vline(x=WRONG, line=faint, row=2, col=1)


def freeze(figure: go.Figure, problem: Problem) -> None:
    """The prior for everybody, beside the parabola."""
    shares = np.linspace(0, 1, 200)
    for label, encoder, colour in (("parabola", Parabola(), 6), ("frozen at the prior", FrozenEncoder(), 1)):
        certificates = problem.certified(encoder).certificates
        gap = certificates.gap_amortization.clamp(min=SMALLEST).numpy()
        needed = float(certificates.needed.double().mean())
        print(f"{label}: mean gap {float(gap.mean()):.4f} nats, {needed:.1%} need repair")
        figure.add_scatter(
            x=np.quantile(gap, shares), y=shares, mode="lines", name=f"{label}: {needed:.0%} repaired",
            line={"color": look(False).series[colour], "width": 2.2}, row=2, col=2,
        )  # fmt: skip
    figure.add_vline(x=NEEDS_REPAIR, line={"color": look(False).faint, "dash": "dot"}, row=2, col=2)
