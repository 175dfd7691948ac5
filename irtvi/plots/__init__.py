"""Figures: each function returns a plotly figure and draws only what a table says.

All take the result first, and ``dark=True`` for a dark background; what the figure shows stands in words in
``figure.layout.meta["alt"]``. Points that stand for an item or a person carry its id in ``customdata[0]``.

=============================================  ===================================================================
``icc(result, item=None)``                     characteristic curves with bands, and what people answered
``icc_lines(result, items=None)``              the curves of any number of items in one panel
``icc_overlay({name: result}, item)``          one item under several models
``category_curves(result, item)``              the probability of every category of one item
``information(result, items=None)``            information of items, and the standard error of all of them
``test_information(result, items=None)``       information and standard error of a test, and where people are
``abilities(result, cut=None)``                histogram and density of abilities
``caterpillar(result)``                        people in order of ability, with intervals
``person_posterior(result, person)``           what is known about one person
``person_item_map(result)``                    persons and items on one scale (Wright map)
``discrimination_difficulty(result)``          items by difficulty and discrimination
``training(result)``                           how the fit went
``convergence(result, responses=None)``        how far the fit can be trusted, before and after repair
``comparison(table)``                          what :func:`irtvi.compare` says
``write_html(figure, path)``, ``CONFIG``       export; options under which every figure is shown
=============================================  ===================================================================
"""

from irtvi.plots.abilities import abilities
from irtvi.plots.category_curves import category_curves
from irtvi.plots.caterpillar import caterpillar
from irtvi.plots.comparison import comparison
from irtvi.plots.convergence import convergence
from irtvi.plots.discrimination_difficulty import discrimination_difficulty
from irtvi.plots.export import CONFIG, write_html
from irtvi.plots.icc import icc
from irtvi.plots.icc_lines import icc_lines
from irtvi.plots.icc_overlay import icc_overlay
from irtvi.plots.information import information
from irtvi.plots.person_item_map import person_item_map
from irtvi.plots.person_posterior import person_posterior
from irtvi.plots.test_information import test_information
from irtvi.plots.training import training

__all__ = [
    "CONFIG",
    "abilities",
    "category_curves",
    "caterpillar",
    "comparison",
    "convergence",
    "discrimination_difficulty",
    "icc",
    "icc_lines",
    "icc_overlay",
    "information",
    "person_item_map",
    "person_posterior",
    "test_information",
    "training",
    "write_html",
]
