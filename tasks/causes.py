"""The cause of an error in words that are never empty: many exceptions have no text of their own."""


def cause(error: BaseException) -> str:
    """What an exception says, or else its type and what it came of."""
    if (text := str(error)).strip():
        return text
    deeper = error.__cause__ or error.__context__
    return type(error).__name__ if deeper is None else f"{type(error).__name__}, of {cause(deeper)}"


def named_cause(error: BaseException) -> str:
    """The type of an exception, and what it says."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text.strip() else cause(error)
