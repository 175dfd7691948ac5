"""Data: a sample or a file, how it was read, what is worth knowing about it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st
from figures import kept, show
from fit_choices import with_item_types
from item_table import edited, item_table
from jobs import Job, Request
from reading import LAYOUTS, Choices, Source, plain_error, read
from session import Workspace, current
from sidebar import words_of
from words import Words, count

from irtvi.errors import DataError, TooManyCategoriesError, WavesError
from irtvi.plots.missingness import missingness
from irtvi.plots.sum_scores import sum_scores
from irtvi.responses.samples import bundled_files

UPLOADS = ["csv", "tsv", "txt", "gz", "parquet", "xlsx"]
AUTOMATIC = "automatic"
SEPARATORS = {AUTOMATIC: None, "comma": ",", "semicolon": ";", "tab": "\t", "vertical bar": "|"}
DECIMALS = {AUTOMATIC: None, "point": ".", "comma": ","}
ENCODINGS = {AUTOMATIC: None, "UTF-8": "utf-8", "Windows-1252": "cp1252", "UTF-16": "utf-16"}
NUMBERED = "no column: number the rows"
NO_COLUMN = "no column"
_FEW_IDS = 8


def page() -> None:
    workspace = current()
    words = words_of(workspace)
    st.title("Data")
    _choose_source(workspace, words)
    if workspace.source is None:
        st.info(
            f"Start with a sample, or bring a table of answers: one row for each {words['person']} and one column for "
            f"each {words['item']}, or one row for each answer."
        )
        return
    reading = workspace.reading
    if reading is None:
        with st.spinner("Reading the file"):
            reading = workspace.reading = read(workspace.source, workspace.choices)
    if reading.error is not None:
        st.error(words.sentence(plain_error(reading.error)), icon="⚠️")
        _offer_to_leave_out(workspace, reading.error)
        _offer_measured(workspace, reading.error)
        _offer_occasions(workspace, reading.error, words)
        _offer_long(workspace, reading.error, words)
    else:
        _ready(workspace, words)
    _how_it_was_read(workspace, words)
    if reading.responses is not None:
        _checks(workspace, words)
        _pictures(workspace, words)


def _choose_source(workspace: Workspace, words: Words) -> None:
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.markdown("**Try a sample**")
        for name in bundled_files():
            if st.button(f"Sample {name}", key=f"sample-{name}", width="stretch"):
                _open(workspace, Source.bundled(name))
    with right:
        uploaded = st.file_uploader(
            "Your file: CSV, TSV, Excel (.xlsx) or Parquet, also compressed as .gz",
            type=UPLOADS,
            key=f"upload-{workspace.remembered.get('uploads', 0)}",
            help="The file stays on the computer that runs this dashboard.",
        )
        if uploaded is not None:
            workspace.remembered["uploads"] = workspace.remembered.get("uploads", 0) + 1
            _open(workspace, Source(uploaded.name, uploaded.getvalue()))


def _open(workspace: Workspace, source: Source) -> None:
    workspace.open(source)
    with st.spinner("Reading the file"):
        workspace.reading = read(source, workspace.choices)
    st.rerun()


def _read_again(workspace: Workspace, choices: Choices) -> None:
    assert workspace.source is not None
    with st.spinner("Reading the file"):
        workspace.choices, workspace.reading = choices, read(workspace.source, choices)
    st.rerun()


def _ready(workspace: Workspace, words: Words) -> None:
    assert workspace.reading is not None
    responses = workspace.reading.responses
    assert responses is not None
    people, items = words["persons"].capitalize(), words["Items"]
    cells = st.columns(4)
    cells[0].metric(people, f"{responses.n_persons:,}")
    cells[1].metric(items, f"{responses.n_items:,}")
    cells[2].metric("Answers", f"{responses.n_responses:,}")
    missing = 1 - responses.n_responses / max(1, responses.n_persons * responses.n_items)
    cells[3].metric(
        "Missing", f"{missing:.1%}", help="Missing answers are missing, never counted as wrong by themselves."
    )
    if st.button(f"{words['Fit']} now", type="primary", key="fit-now", help="With the model that suits these data."):
        request = Request("auto", with_item_types(workspace, "auto"))
        workspace.queue.submit(Job(request, responses, workspace.data_key))
        st.switch_page("views/fit.py")


def _offer_to_leave_out(workspace: Workspace, error: Exception) -> None:
    reading = workspace.reading
    assert reading is not None
    item = error.item if isinstance(error, DataError) else None
    if item is None or item not in reading.all_items:
        return
    if st.button(f"Leave out the column “{item}”", key="leave-out", type="primary"):
        included = workspace.choices.items or reading.all_items
        _read_again(workspace, _changed(workspace.choices, items=tuple(i for i in included if i != item)))


def _offer_measured(workspace: Workspace, error: Exception) -> None:
    """Where a column holds too many different numbers to be answers in categories."""
    reading = workspace.reading
    assert reading is not None
    if not isinstance(error, TooManyCategoriesError) or error.item not in reading.all_items:
        return
    choices = workspace.choices
    used = choices.items or reading.all_items
    one, several = st.columns(2)
    if one.button(f"“{error.item}” holds measured numbers", key="one-measured"):
        _read_again(workspace, _changed(choices, continuous=(*choices.continuous, error.item)))
    if several.button("All columns hold measured numbers", key="all-measured"):
        _read_again(workspace, _changed(choices, continuous=tuple(used)))


def _offer_occasions(workspace: Workspace, error: Exception, words: Words) -> None:
    if not isinstance(error, WavesError):
        return
    rows, all_as_one = st.columns(2)
    if rows.button(f"Each {words['person']} on each occasion is a row", key="waves-apart", type="primary"):
        _read_again(workspace, _changed(workspace.choices, wave=error.column))
    if all_as_one.button("Take all occasions as one", key="waves-as-one"):
        _read_again(workspace, _changed(workspace.choices, wave=False))


def _offer_long(workspace: Workspace, error: Exception, words: Words) -> None:
    """Where three columns, read as two or three items, look like one row for each answer."""
    reading = workspace.reading
    assert reading is not None
    if not isinstance(error, TooManyCategoriesError) or reading.layout != "wide" or len(reading.columns) != 3:
        return
    person, item, answer = reading.columns
    label = f"Each row is one answer: {words['person']} “{person}”, {words['item']} “{item}”, answer “{answer}”"
    if st.button(label, key="long"):
        _read_again(
            workspace,
            _changed(workspace.choices, layout="long", id=person, number_rows=False, item=item, response=answer),
        )


def _changed(choices: Choices, **changes: object) -> Choices:
    return replace(choices, **changes)  # pyright: ignore[reportArgumentType]


def _how_it_was_read(workspace: Workspace, words: Words) -> None:
    reading, choices = workspace.reading, workspace.choices
    assert reading is not None
    st.subheader("How the file was read")
    facts = reading.guesses()
    if reading.preview is not None:
        said = "  ·  ".join(f"{words.sentence(name)}: **{words.sentence(value)}**" for name, value in facts.items())
        st.markdown(said.replace("$", "\\$"))
        for note in reading.remarks:
            st.caption(words.sentence(note).replace("$", "\\$"))
        with st.expander("First rows of the file", expanded=reading.error is not None):
            st.dataframe(_texts(reading.preview), hide_index=True, width="stretch")
    with (
        st.expander("Something is wrong? Say how to read it", expanded=reading.error is not None),
        st.form(f"reading-{reading.key}", border=False),
    ):
        changed = _file_form(workspace, choices, words)
        if reading.all_items:
            st.markdown(f"**{words['Items']}**")
            st.caption("Untick what is no answer. A key is the right option; several right options stand apart by /.")
            table = item_table(workspace, words)
            st.text_input(
                "Answer key for all, in this order",
                key=f"whole-key-{reading.key}",
                placeholder="such as 1 4 5 2 3 or ADEBC",
            )
        if st.form_submit_button("Read it this way", type="primary", key="read-again"):
            new = changed()
            try:
                if reading.all_items:
                    new, workspace.item_types = edited(
                        new,
                        reading.all_items,
                        table,
                        st.session_state[f"whole-key-{reading.key}"],  # pyright: ignore
                    )
            except ValueError as error:
                st.error(str(error))
                return
            _read_again(workspace, new)


def _file_form(workspace: Workspace, choices: Choices, words: Words) -> Callable[[], Choices]:
    """Widgets about the file; returns a function that gives the choices that they hold."""
    reading = workspace.reading
    assert reading is not None
    key = reading.key
    columns = [AUTOMATIC, *reading.columns]
    one, two, three = st.columns(3)
    with one:
        separator = _choice("Separator", SEPARATORS, choices.delimiter, key)
        decimal = _choice("Decimal mark", DECIMALS, choices.decimal, key)
        encoding = _choice("Encoding", ENCODINGS, choices.encoding, key)
    with two:
        layout = _choice("Layout", {AUTOMATIC: None} | {v: k for k, v in LAYOUTS.items()}, choices.layout, key)
        ids = [AUTOMATIC, NUMBERED, *reading.columns]
        present = NUMBERED if choices.number_rows else AUTOMATIC if choices.id is None else choices.id
        identity = st.selectbox("Column of ids", ids, index=_place(ids, present), key=f"id-{key}", format_func=str)
        sheet = st.text_input("Sheet (Excel)", choices.sheet or "", key=f"sheet-{key}", placeholder="the first")
    with three:
        item = st.selectbox(
            f"Column of {words['items']} (one row for each answer)", columns,
            index=_place(columns, choices.item), key=f"item-{key}", format_func=str,
        )  # fmt: skip
        response = st.selectbox(
            "Column of answers (one row for each answer)", columns,
            index=_place(columns, choices.response), key=f"response-{key}", format_func=str,
        )  # fmt: skip
        missing = st.text_input(
            "Codes that mean missing",
            ", ".join(choices.missing),
            key=f"missing-{key}",
            placeholder="such as 9, -99, NA",
        )
        blanks = st.selectbox(
            "Empty cells", ["missing", "wrong"], index=int(choices.blank_is_wrong), key=f"blank-{key}",
            help="Missing answers say nothing about ability; wrong ones do.",
        )  # fmt: skip

    roles = _special_columns(choices, reading.columns, key)

    def changed() -> Choices:
        return _changed(
            choices,
            delimiter=SEPARATORS[separator],
            decimal=DECIMALS[decimal],
            encoding=ENCODINGS[encoding],
            layout={v: k for k, v in LAYOUTS.items()}.get(layout),
            id=None if identity in (AUTOMATIC, NUMBERED) else identity,
            number_rows=identity == NUMBERED,
            sheet=sheet.strip() or None,
            item=None if item == AUTOMATIC else item,
            response=None if response == AUTOMATIC else response,
            missing=tuple(code.strip() for code in missing.split(",") if code.strip()),
            blank_is_wrong=blanks == "wrong",
            **roles,
        )

    return changed


def _special_columns(choices: Choices, columns: Sequence[Hashable], key: str) -> dict[str, Hashable | None]:
    """Widgets for columns of occasions and weights; what they hold, by the fields of the choices."""
    one, two, three = st.columns(3)
    waves = {AUTOMATIC: None, NO_COLUMN: False} | {str(column): column for column in columns}
    weights = {NO_COLUMN: None} | {str(column): column for column in columns}

    def column(label: str, options: dict[str, Any], field: str, help: str) -> Hashable | None:
        names = list(options)
        place = next((k for k, name in enumerate(names) if options[name] == getattr(choices, field)), 0)
        return options[st.selectbox(label, names, index=place, key=f"{field}-{key}", help=help) or names[0]]

    with one:
        wave = column("Column of occasions", waves, "wave", "The same people several times: each time is a row.")
    with two:
        frequencies = column("Column of frequencies", weights, "weights", "How many people a row stands for.")
    with three:
        survey = column(
            "Column of survey weights", weights, "survey_weights", "How much of all people somebody stands for."
        )
    return {"wave": wave, "weights": frequencies, "survey_weights": survey}


def _choice(label: str, options: dict, present: object, key: str) -> str:
    names = list(options)
    index = next((k for k, name in enumerate(names) if options[name] == present), 0)
    return st.selectbox(label, names, index=index, key=f"{label}-{key}") or names[0]


def _place(options: list, value: object) -> int:
    return options.index(value) if value is not None and value in options else 0


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.astype(object).map(lambda value: "" if pd.isna(value) else str(value))
    return shown.set_axis([str(column) for column in frame.columns], axis=1)


def _checks(workspace: Workspace, words: Words) -> None:
    assert workspace.reading is not None
    st.subheader("What is worth knowing")
    findings = workspace.reading.findings
    if not findings:
        st.success(f"Nothing stands out: no empty {words['person']}, no {words['item']} that all answered alike.")
    for finding in findings:
        text = words.sentence(finding.text).replace("$", "\\$")
        (st.info if finding.warning is None else st.warning)(text)
        ids = finding.items if len(finding.items) else finding.persons
        if len(ids) > _FEW_IDS:
            kind = words["items"] if len(finding.items) else words["persons"]
            with st.expander(f"All {count(len(ids), kind, kind)}"):
                st.dataframe(pd.DataFrame({kind: ids.astype(str)}), hide_index=True)


def _pictures(workspace: Workspace, words: Words) -> None:
    assert workspace.reading is not None
    responses = workspace.reading.responses
    left, right = st.columns(2)
    with left:
        drawn = kept(workspace, ("missingness", workspace.data_key), missingness)
        show(drawn, responses, words=words, key="missingness")
    with right:
        drawn = kept(workspace, ("sum-scores", workspace.data_key), sum_scores)
        show(drawn, responses, words=words, key="sum-scores")


page()
