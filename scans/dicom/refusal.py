"""The one way in which this package says no."""

from __future__ import annotations


class Refused(Exception):
    """Something cannot be taken or read.

    Attributes
    ----------
    code : short constant for programs, such as ``TRUNCATED``.
    sentence : what is wrong and what to do next, for the person who sent it; holds no patient data.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


def is_damage(error: BaseException) -> bool:
    """Whether an error of a parser or decoder tells of the bytes, and not of storage or an interrupt.

    pydicom raises a bare OSError where it finds no further tag in the bytes; decoders written in Rust panic
    with an exception that is no `Exception`.
    """
    if isinstance(error, OSError):
        return str(error).startswith("No tag to read")
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
