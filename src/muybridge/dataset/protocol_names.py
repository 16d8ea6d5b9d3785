"""The names of the protocols, in a module of their own: the command line's help needs no more than these."""

from typing import Literal, get_args

Protocol = Literal["auto", "given", "grouped", "official-1", "official-2", "official-3", "random"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)
