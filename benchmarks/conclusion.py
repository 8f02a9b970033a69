"""What a study answers, in words and as a table, with the evidence: data that terminal, JSON and report show alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """A figure that a conclusion rests on: a measure of one of the study's points."""

    variant: str
    """The point's name, as in the result set's tables."""
    measure: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The answer to one question. ``text`` is a sentence or several, made from what was measured; where it does not decide the
    question the text says so, and ``decided`` is False. ``rows`` are a table with a cell for each of ``headings``."""

    question: str
    text: str
    decided: bool
    evidence: tuple[Evidence, ...] = ()
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    missed: tuple[str, ...] = ()
    """What was expected and is not so, each in words, for `just analyze --check` to fail on."""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.headings) for row in self.rows):
            raise ValueError(f"the table of {self.question!r} has rows that are not as long as its headings")
