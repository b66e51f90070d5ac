"""Why an evaluation cannot be made, in words for whoever asked for it."""


class EvaluationError(RuntimeError):
    """Data or weights that cannot be evaluated; the text says what to do."""


class NoLabelsError(EvaluationError):
    """Data without the labels that the task is measured against."""


class NotShippedError(EvaluationError):
    """A network that is neither shipped nor given."""
