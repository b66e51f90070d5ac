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
