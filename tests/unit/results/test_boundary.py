"""Parameters at the end of their range are named in the item table."""

import math
from dataclasses import replace

import irtvi
from irtvi.results.tables import parameter_table


def test_a_residual_that_went_to_nothing():
    # A Heywood case: maximum likelihood makes the first item ability itself, and the information is singular there.
    result = irtvi.fit(irtvi.simulate("normal", 60, 4, seed=2).responses, "normal")
    assert (result.items["status"] == "").all()
    (component,) = result.model.components
    free = result.posterior.free.clone()
    free[component.slots.index[0, component.slots.names().index("sigma")]] = math.log(0.0003)
    posterior = replace(result.posterior, free=free, curvature=None)
    table = parameter_table(posterior, result.item_models, result.coding.item_ids, result.item_status)
    assert table["status"].tolist() == ["sigma at its boundary", "", "", ""]
