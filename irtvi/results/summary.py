"""A fit in words and numbers."""

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from irtvi.results.result import Result

SCALE = "Ability scale: logistic metric (D = 1)."


class Summary:
    """Named facts; prints as text, shows as a table in a notebook."""

    def __init__(self, facts: list[tuple[str, str]]) -> None:
        self.facts = facts

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.facts)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.facts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in self.facts
        )
        return f"<table>{rows}</table>"

    def to_frame(self) -> pd.DataFrame:
        """The same as a table with one column."""
        return pd.DataFrame({"value": dict(self.facts)})


def facts(result: "Result") -> list[tuple[str, str]]:
    """What a summary says of a result."""
    penalised = " (penalised: priors took part)" if result.penalised else ""
    said = [
        ("Model", result.model_name),
        ("Engine", result.engine),
        ("Persons who answered", f"{result.n_persons:g}"),
        ("Items", str(len(result.coding.item_ids))),
        ("Free parameters", str(result.n_parameters)),
        ("Log marginal likelihood", f"{result.log_marginal:.3f}"),
        ("Log prior", f"{result.log_prior:.3f}"),
        ("AIC", f"{result.aic:.3f}{penalised}"),
        ("BIC", f"{result.bic:.3f}{penalised}"),
        ("SABIC", f"{result.sabic:.3f}{penalised}"),
        ("Converged", f"{'yes' if result.converged else 'no'}. {result.reason}"),
    ]
    for component, hyper in zip(result.model.components, result.model.hyper, strict=False):
        hierarchy = component.item_model.hierarchy
        if hierarchy is not None:
            said += [(h.label.capitalize(), f"{h.name} = {hyper[h.name]:.3g}") for h in hierarchy.hyperparameters]
    if result.responses is not None or "reliability" in result._stored:
        reliability = result.reliability
        said.append(("Reliability (empirical)", f"{reliability['empirical']:.3f}"))
        said.append(("Reliability (marginal, of what was answered)", f"{reliability['marginal']:.3f}"))
        said.append(("Reliability (marginal, all items)", f"{reliability['marginal_all_items']:.3f}"))
    if result.has_people and len(result.abilities):
        found = result.certificates
        reliable, repaired = (found[name].to_numpy(dtype=float).mean() for name in ("reliable", "repaired"))
        mended = f"; the encoder's answer was repaired for {repaired:.1%}" if repaired > 0 else ""
        said.append(("Abilities certified", f"{reliable:.1%} of persons{mended}"))
    said.append(("Scale", SCALE + " " + " ".join(result.notes)))
    return said
