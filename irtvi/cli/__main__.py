"""``python -m irtvi.cli``, where the command is not on the path."""

from irtvi.cli import main

main()
