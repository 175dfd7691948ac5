"""Named errors and warnings: each says what was wrong, where, the value seen, and what to do."""

from collections.abc import Hashable


class IrtviError(Exception):
    """Whatever irtvi cannot do for a reason that the user can change."""


class SpecificationError(IrtviError, ValueError):
    """A model, prior or setting that makes no sense."""


class ResponsesNeededError(IrtviError):
    """A result that was saved without its responses was asked for something that needs them."""


class DifferentDataError(IrtviError, ValueError):
    """Fits of different data were to be compared, or answers were held out that were not."""


class OutputExistsError(IrtviError, FileExistsError):
    """A file that a command would write is there already."""


class MissingExtraError(IrtviError, ImportError):
    """Something needs a package that irtvi does not install by itself.

    Parameters
    ----------
    what : what was asked for
    package : what is missing
    extra : the extra of irtvi that brings it
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed: pip install 'irtvi[{extra}]'.")


class StorageError(IrtviError, ValueError):
    """A saved file cannot be written or read."""


class UnstorableError(StorageError):
    """Something has no place in a file: it is not made of numbers, texts, arrays and tables."""


class ForeignFileError(StorageError):
    """A file was not saved by irtvi."""


class DamagedFileError(StorageError):
    """A saved file is truncated or was changed."""


class NewerFormatError(StorageError):
    """A saved file comes from a newer irtvi."""


class DataError(IrtviError, ValueError):
    """Something is wrong with the data.

    Parameters
    ----------
    message : what was wrong, where, the value seen, and what to do
    item, label : the item and the value, where one value is to blame
    """

    def __init__(self, message: str, *, item: Hashable = None, label: int | float | str | None = None) -> None:
        super().__init__(message)
        self.item, self.label = item, label


class FileFormatError(DataError):
    """A file is not what it should be: damaged, empty, of another format, or too large when unpacked."""


class FileMissingError(DataError, FileNotFoundError):
    """There is no such file."""


class DiskSpaceError(DataError):
    """The disk has no room for the coded answers of a folder."""


class NotSortedError(DataError):
    """In a folder of answers, the rows of a person do not stand together."""


class LayoutError(DataError):
    """A table is neither one row per person nor one row per answer, or a named column is not in it."""


class NoItemsError(DataError):
    """No column and no row holds an answer to an item."""


class OneItemError(DataError):
    """There is one item, and one item says nothing about ability beyond itself."""


class NoPersonsError(DataError):
    """There is no row."""


class MissingIdsError(DataError):
    """A person or an item has no id."""


class DuplicateIdsError(DataError):
    """Two rows have the same person id, or two columns the same name."""


class DuplicateResponsesError(DataError):
    """A person answered the same item in several rows."""


class WavesError(DataError):
    """A person appears in several waves, and nothing says what to do with them.

    Parameters
    ----------
    message : as for `DataError`
    column : of the waves
    """

    def __init__(self, message: str, *, column: Hashable) -> None:
        super().__init__(message)
        self.column = column


class UnparsableValueError(DataError):
    """A value is no answer: among numbers a text, among answers a date or a list."""


class InfiniteValueError(DataError):
    """An answer is infinite."""


class OutOfBoundsError(DataError):
    """A measured answer lies outside of what its model allows, such as 1 for a beta model."""


class TooManyCategoriesError(DataError):
    """An item has so many distinct values that it is hardly an item with categories."""


class DichotomousModelError(DataError):
    """A model for right and wrong met an item with more than two categories."""


class EmptyCategoryError(DataError):
    """Nobody chose a category whose parameters have no prior, so that they cannot be estimated."""


class UnknownItemError(DataError):
    """An option or new data name an item that is not there."""


class UnseenCategoryError(DataError):
    """A value is not among the categories of its item."""


class KeyCategoryError(DataError):
    """An answer key is not among the categories of its item."""


class ConflictingOptionsError(DataError):
    """Two options contradict each other, or an option has a value that it cannot have."""


class WeightsError(DataError):
    """Weights are negative, missing, of the wrong number, or given twice."""


class UnknownDatasetError(DataError, KeyError):
    """No bundled data set has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


class IrtviWarning(UserWarning):
    """Whatever irtvi can go on with but the user should know."""


class ConstantItemWarning(IrtviWarning):
    """Everybody gave the same answer to an item."""


class EmptyPersonWarning(IrtviWarning):
    """Somebody answered nothing."""


class FewAnswersWarning(IrtviWarning):
    """An item was answered by so few that its parameters will be guesses."""


class DisconnectedWarning(IrtviWarning):
    """Groups of items share no person, so that their scales cannot be compared."""


class TextOrderWarning(IrtviWarning):
    """Answers in words were put in alphabetical order because nothing said otherwise."""


class ManyCategoriesWarning(IrtviWarning):
    """An item has far more categories than the others: a column that is no item, or a code for missing."""
