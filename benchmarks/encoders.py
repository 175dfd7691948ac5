"""What learned encoders leave between their bound and the log marginal: the two gaps, in nats a person.

python benchmarks/encoders.py [--sizes 10000x50,10000x100m80] [--encoders product_of_experts,flow]

The amortization gap is all that another Gaussian encoder could win over this one.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import irtvi
from data import simulate, size_of
from irtvi_2pl import read
from tables import Table

HEADINGS = ("size, encoder", "approximation gap", "amortization gap", "its median", "its largest", "CPU s")


def gaps(responses: irtvi.Responses, size: str, encoder: str) -> list[str]:
    """A fit to the ELBO, and the means over persons of what its certificates say."""
    started = time.process_time()
    engine = irtvi.Amortized(objective="elbo", encoder=encoder)
    certificates = irtvi.fit(responses, model="2pl", engine=engine).certificates
    amortization = certificates["gap_amortization"]
    values = (certificates["gap_approximation"].mean(), amortization.mean(), amortization.median(), amortization.max())
    return [f"{size}, {encoder}", *(f"{value:.4f}" for value in values), f"{time.process_time() - started:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000x50,10000x100m80")
    parser.add_argument("--encoders", default="product_of_experts,flow")
    chosen = parser.parse_args()
    rows = []
    for size in map(size_of, chosen.sizes.split(",")):
        responses = read(simulate(size, seed=1).responses)
        rows += [gaps(responses, str(size), encoder) for encoder in chosen.encoders.split(",")]
    table = Table("Gaps of learned encoders", HEADINGS, rows, ["Nats a person; 2PL, seed 1."])
    table.show()
    print(table.markdown())


if __name__ == "__main__":
    main()
