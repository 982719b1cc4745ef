"""The three words of a verdict."""

from pretrained.analysis.verdict import judged


def test_all_some_or_nothing_of_a_claim() -> None:
    assert judged(True) == judged(True, True) == "holds"
    assert judged(True, False) == judged(False, True) == "in part"
    assert judged(False) == judged(False, False) == "does not hold"
