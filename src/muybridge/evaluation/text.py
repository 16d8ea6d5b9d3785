"""Names made fit for showing: file names may hold bytes that are not text, and class names may be long."""


def printable(text: str) -> str:
    r"""``text`` with what no UTF-8 output can hold (a non-UTF-8 file name's bytes) written as ``\udcXX``."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def shortened(text: str, characters: int) -> str:
    """``text`` cut in the middle to at most ``characters``, so that both ends still tell names apart."""
    if len(text) <= characters:
        return text
    head = (characters - 1) // 2
    tail = characters - 1 - head
    return f"{text[:head]}…{text[-tail:]}"
