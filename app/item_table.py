"""The editable table of items: which to use, of what type, with which key, reversed or not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st
from reading import Choices
from session import Workspace
from words import Words

from irtvi.models.items import ITEM_MODELS

AS_CHOSEN = "as the fit says"


def item_table(workspace: Workspace, words: Words) -> pd.DataFrame:
    """The table with the edits made so far in this form."""
    reading, choices = workspace.reading, workspace.choices
    assert reading is not None
    items = reading.all_items
    included = set(items) if choices.items is None else set(choices.items)
    found = _found(workspace)
    table = pd.DataFrame(
        {
            "item": [str(item) for item in items],
            "use": [item in included for item in items],
            "type": [workspace.item_types.get(item, AS_CHOSEN) for item in items],
            "key": ["/".join(choices.key.get(item, ())) for item in items],
            "reverse": [item in choices.reverse for item in items],
            "measured": [item in choices.continuous for item in items],
            "order": [", ".join(choices.categories.get(item, ())) for item in items],
            "found": [found.get(item, "") for item in items],
        }
    )
    return st.data_editor(
        table,
        key=f"items-{reading.key}",
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * max(2, len(items))),
        disabled=["item", "found"],
        column_order=[c for c in table.columns if c != "type" or not words.plain],
        column_config={
            "item": st.column_config.TextColumn(words["item"].capitalize()),
            "use": st.column_config.CheckboxColumn("use"),
            "type": st.column_config.SelectboxColumn(
                "type", options=[AS_CHOSEN, *ITEM_MODELS], required=True,
                help="An item model for this item alone; the others get the one that is chosen for the fit.",
            ),
            "key": st.column_config.TextColumn("key", help="The right option; several stand apart by /."),
            "reverse": st.column_config.CheckboxColumn(
                "reverse", help="For statements that say the opposite of the others."
            ),
            "measured": st.column_config.CheckboxColumn(
                "measured", help="Answers are measured numbers, such as seconds or shares."
            ),
            "order": st.column_config.TextColumn(
                "order of answers", help="All answers from low to high, with commas between, where they are words."
            ),
            "found": st.column_config.TextColumn("answers found"),
        },
    )  # fmt: skip


def edited(
    choices: Choices, items: Sequence[Hashable], table: pd.DataFrame, whole_key: str
) -> tuple[Choices, dict[Hashable, str]]:
    """Choices with what the table says, and the types of items that have their own.

    Raises
    ------
    ValueError
        The key for all items has more or fewer answers than there are items.
    """
    rows = list(zip(items, table.to_dict("records"), strict=True))
    key = {item: _parts(row["key"], "/") for item, row in rows}
    used = tuple(item for item, row in rows if row["use"])
    if whole_key.strip():
        key = _whole_key(whole_key, items, used)
    changed = replace(
        choices,
        items=None if len(used) == len(items) else used,
        key={item: own for item, own in key.items() if own},
        reverse=tuple(item for item, row in rows if row["reverse"]),
        continuous=tuple(item for item, row in rows if row["measured"]),
        categories={item: own for item, row in rows if (own := _parts(row["order"], ","))},
    )
    return changed, {item: row["type"] for item, row in rows if row["use"] and row["type"] not in (AS_CHOSEN, None)}


def _whole_key(text: str, items: Sequence[Hashable], used: Sequence[Hashable]) -> dict[Hashable, tuple[str, ...]]:
    answers = text.replace(",", " ").replace(";", " ").split()
    if len(answers) == 1:
        answers = list(answers[0])
    for named in (used, items):
        if len(answers) == len(named):
            return {item: _parts(answer, "/") for item, answer in zip(named, answers, strict=True)}
    raise ValueError(f"The answer key has {len(answers)} answers, but {len(used)} columns are in use.")


def _parts(text: object, separator: str) -> tuple[str, ...]:
    if not isinstance(text, str):
        return ()
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _found(workspace: Workspace) -> dict[Hashable, str]:
    responses = workspace.reading.responses if workspace.reading else None
    if responses is None:
        return {}
    return {
        item: f"{coding.measured[0]:g} to {coding.measured[1]:g}"
        if coding.measured
        else ", ".join(map(str, coding.categories[:8])) + (" ..." if len(coding.categories) > 8 else "")
        for item, coding in zip(responses.item_ids, responses.codings, strict=True)
    }
