"""Whether the books of a shop agree with what became of its orders, over all phases. Pure arithmetic."""

from collections.abc import Mapping, Sequence

from benchmarks.record.run_data import Measures
from benchmarks.record.shop.orders import total
from benchmarks.record.shop.phase import OrderPhase

BOOKS: Mapping[str, str] = {
    "charges": "payments in the mock API's log",
    "reservations": "reservations in the shop's book",
    "confirmations": "e-mails in the mock API's log",
    "analyses": "entries in the shop's analytics",
    "stock": "pieces in stock",
}
"""What is in each book."""
BOOK_COLUMNS: Mapping[str, str] = {
    "discrepancies": "entries that the books lack or have too much, of both phases and all books, and stages out of order",
    "unexplained_discrepancies": "discrepancies that no task executed twice, cut off or raising unasked explains",
    "out_of_order": "stages that started though the one before had not ended well",
    **{
        f"{book}_{side}": f"{words} {side_words}, both phases"
        for book, words in BOOKS.items()
        for side, side_words in {"missing": "fewer than tasks say were made", "extra": "more than tasks say were made"}.items()
    },
}


def book_measures(phases: Sequence[OrderPhase]) -> Measures:
    """The measures of :data:`BOOK_COLUMNS`, the discrepancies of all phases; none at all where the books of one were not read."""
    found = [one.discrepancies() for one in phases]
    if not found or not all(found):
        return {}
    out_of_order = sum(one.orders.out_of_order() for one in phases)
    books = {book: sum((one[book] for one in found[1:]), found[0][book]) for book in BOOKS}
    overall = total(books)
    return {
        "discrepancies": overall.missing + overall.extra + out_of_order,
        "unexplained_discrepancies": overall.unexplained + out_of_order,
        "out_of_order": out_of_order,
        **{f"{book}_missing": d.missing for book, d in books.items()},
        **{f"{book}_extra": d.extra for book, d in books.items()},
    }
