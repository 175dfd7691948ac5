"""Files to take away: tables whose text cannot be a formula, a manifest, and a script that gives the same numbers."""

from __future__ import annotations

import io
import json
import platform
import zipfile
from collections.abc import Hashable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from jobs import Job
from reading import Choices, Source
from score_tables import Reference

from irtvi.results.score_report import reference_population

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_PACKAGES = ("irtvi", "torch", "numpy", "pandas", "scipy", "streamlit")


def safe_csv(table: pd.DataFrame, index_label: str) -> bytes:
    """A table as CSV in UTF-8; text that a spreadsheet would run as a formula begins with a quote, numbers stay."""
    safe = table.copy()
    safe.columns = [_safe(column) for column in safe.columns]
    for place in range(safe.shape[1]):
        if not pd.api.types.is_numeric_dtype(safe.dtypes.iloc[place]):
            safe.isetitem(place, safe.iloc[:, place].map(_safe))
    safe.index = pd.Index([_safe(label) for label in safe.index], dtype=object)
    return safe.to_csv(index_label=_safe(index_label)).encode("utf-8-sig")


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def saved_model(job: Job) -> bytes:
    """The result as the file that `irtvi.load` and `irtvi score` read."""
    assert job.result is not None
    with TemporaryDirectory() as folder:
        return job.result.save(Path(folder) / "model.irtvi").read_bytes()


def manifest(source: Source, choices: Choices, job: Job, cut: float, reference: Reference) -> bytes:
    """What was computed from what, and with what, as JSON."""
    result = job.result
    assert result is not None
    facts = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "name": source.name,
            "bundled": source.sample,
            "sha256": source.sha256,
            "bytes": len(source.content),
            "coded_sha256": result.data_digest,
            "persons": job.responses.n_persons,
            "items": job.responses.n_items,
            "answers": job.responses.n_responses,
            "read_options": _plain(choices.options()),
            "notes": list(job.responses.notes),
        },
        "fit": {
            "label": job.label,
            "model": _plain(job.request.model),
            "engine": job.request.engine,
            "engine_used": result.engine,
            "seed": job.request.seed,
            "priors": job.request.priors,
            "settings": _plain(result.settings),
            "converged": result.converged,
            "reason": result.reason,
            "log_marginal": result.log_marginal,
            "n_parameters": result.n_parameters,
            "seconds": round(job.elapsed, 3),
        },
        "scores": {"cut": cut, "reference": reference_population(result, reference)._asdict()},  # pyright: ignore
        "versions": {name: _version(name) for name in _PACKAGES} | {"python": platform.python_version()},
    }
    return json.dumps(facts, indent=2, ensure_ascii=False, default=str).encode()


def script(source: Source, choices: Choices, job: Job, cut: float, reference: Reference) -> str:
    """A Python script that reads the same file, fits the same model and writes the same numbers."""
    assert job.result is not None
    request = job.request
    data = f"irtvi.load_data({source.name!r})" if source.sample else repr(source.name)
    read = _call("irtvi.read", [data], choices.options())
    settings = {"model": _plain_dict(request.model), "engine": request.engine, "seed": request.seed}
    settings |= {} if request.priors == "default" else {"priors": request.priors}
    fit = _call("irtvi.fit", ["responses"], settings)
    stopped = "" if job.state != "stopped" else (
        "# The fit on the page was stopped early; this script lets it run to its end, so its numbers may differ.\n"
    )  # fmt: skip
    return f'''"""Reproduces the export of the irtvi dashboard: {_one_line(source.name)}, {_one_line(job.label)}.

Run it in the folder of the data file. Written for irtvi {_version("irtvi")}.
"""

import irtvi
from irtvi.results.ranks import rank_intervals
from irtvi.results.score_report import score_report

responses = {read}
if responses.digest() != "{job.result.data_digest}":
    raise SystemExit("These are not the data of the export.")

{stopped}result = {fit}
scores = score_report(result, {cut!r}, reference={reference!r}).join(rank_intervals(result))

scores.to_csv("scores.csv", index_label="id")
result.items.to_csv("items.csv", index_label="item")
result.save("model.irtvi")
print(result.summary())
'''


def everything(files: dict[str, bytes]) -> bytes:
    """Several files as one zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _call(name: str, positional: list[str], options: dict[str, Any]) -> str:
    arguments = [*positional, *(f"{option}={value!r}" for option, value in options.items())]
    one_line = f"{name}({', '.join(arguments)})"
    if len(one_line) <= 90:
        return one_line
    return f"{name}(\n    " + ",\n    ".join(arguments) + ",\n)"


def _plain_dict(model: Any) -> Any:
    return model if isinstance(model, str) else dict(model)


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    return str(value) if isinstance(value, Hashable) else repr(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"
