"""The data sets that come with irtvi."""

from pathlib import Path

import pandas as pd

from irtvi.errors import UnknownDatasetError

_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_PACKAGE / "_data", _PACKAGE.parent / "data")
"""In an installed irtvi, and in a checkout."""


def load_data(name: str) -> pd.DataFrame:
    """A bundled data set as a table; data/README.md says where each comes from.

    Parameters
    ----------
    name : "lsat6" or "lsat7"

    Raises
    ------
    UnknownDatasetError
        If there is no data set of this name; the message lists the names.
    """
    files = bundled_files()
    if name not in files:
        raise UnknownDatasetError(f"there is no data set {name!r}; there are {', '.join(sorted(files))}")
    return pd.read_csv(files[name])


def bundled_files() -> dict[str, Path]:
    """Path of each bundled data set by name."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return {} if folder is None else {path.stem: path for path in sorted(folder.glob("*.csv"))}
