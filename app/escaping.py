"""Ids and names from a user's file inside Markdown."""

_SPECIAL = frozenset("\\`*_{}[]()#+-.!<>|$:~")


def plain(text: object, longest: int = 60) -> str:
    """The text letter by letter: no Markdown in it is obeyed, so that no name can load a picture or a link."""
    cut = str(text)
    cut = cut if len(cut) <= longest else cut[: longest - 1] + "…"
    return "".join("\\" + letter if letter in _SPECIAL else letter for letter in cut)
