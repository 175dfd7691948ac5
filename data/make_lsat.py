"""Write lsat6.csv and lsat7.csv from the published frequencies of the 32 answer patterns."""

import csv
from itertools import product
from pathlib import Path

# Persons with the patterns 00000, 00001, ..., 11111 (item 5 changes fastest), 1,000 in all.
# Bock and Lieberman (1970).
FREQUENCIES = {
    "lsat6": [3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15,
              10, 29, 14, 81, 3, 28, 15, 80, 16, 56, 21, 173, 11, 61, 28, 298],
    "lsat7": [12, 19, 1, 7, 3, 19, 3, 17, 10, 5, 3, 7, 7, 23, 8, 28,
              7, 39, 11, 34, 14, 51, 15, 90, 6, 25, 7, 35, 18, 136, 32, 308],
}  # fmt: skip


def main() -> None:
    """Write both files beside this one."""
    for name, frequencies in FREQUENCIES.items():
        patterns = zip(product((0, 1), repeat=5), frequencies, strict=True)
        rows = [pattern for pattern, times in patterns for _ in range(times)]
        with (Path(__file__).parent / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["id", *(f"Item.{j}" for j in range(1, 6))])
            writer.writerows([person, *row] for person, row in enumerate(rows, start=1))


if __name__ == "__main__":
    main()
