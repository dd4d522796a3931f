"""The sentence about a review is replaced, escaped, and touches nothing else of the report."""

from hypothesis import given
from hypothesis import strategies as st

from audit.render.reviewed import BEGIN, END, with_reviewed

PAGE = f"<h1>before</h1>{BEGIN}{END}<p>after</p>"


@given(st.text(), st.text())
def test_the_last_words_stand_alone(first, last):
    told = with_reviewed(with_reviewed(PAGE, first), last)
    assert told == with_reviewed(PAGE, last)
    assert with_reviewed(told, "") == PAGE
    assert told.startswith("<h1>before</h1>")
    assert told.endswith("<p>after</p>")


def test_words_are_no_markup():
    told = with_reviewed(PAGE, f"<script>{END}")
    assert "&lt;script&gt;" in told
    assert told.count(END) == 1


def test_a_report_without_the_marks_is_left_alone():
    for page in ("", "<h1>older</h1>", BEGIN, END + BEGIN):
        assert with_reviewed(page, "words") == page
