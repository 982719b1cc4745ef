"""Ranges of lengths out of a card, and one model's lead over another in each."""

import pytest

from pretrained import registry
from pretrained.analysis import lengths
from pretrained.analysis.lengths import Scored


def card(**chrf: float) -> dict[str, object]:
    ranges = {name.replace("to", "-").replace("up", "+").strip("_"): score for name, score in chrf.items()}
    return {"scores": {"test": {"by_length": {name: {"count": 9, "chrf": score} for name, score in ranges.items()}}}}


def test_ranges_stand_in_order_and_one_over_others_is_left_out() -> None:
    found = lengths.by_length(card(_11to20=30.0, _1to5=50.0, _21to30=20.0, _21up=15.0, _31up=10.0, _6to10=40.0))
    assert found == (
        Scored(1, 5, 9, 50.0),
        Scored(6, 10, 9, 40.0),
        Scored(11, 20, 9, 30.0),
        Scored(21, 30, 9, 20.0),
        Scored(31, None, 9, 10.0),
    )
    assert [one.name for one in found[2:]] == ["11–20", "21–30", "31+"]
    assert [lengths.range_of(found[2:], words) for words in (10, 11, 20, 21, 31, 500)] == [None, 0, 0, 1, 2, 2]


def test_a_lead_is_counted_where_both_were_scored() -> None:
    ahead = lengths.by_length(card(_1to5=50.0, _6to10=48.0, _11up=45.0))
    behind = lengths.by_length(card(_1to5=45.0, _11up=30.0))
    found = lengths.lead(ahead, behind)
    assert found == lengths.Lead(("1–5", "11+"), (5.0, 15.0))
    assert found.grows
    assert found.largest == 1
    assert not lengths.lead(behind, ahead).grows
    with pytest.raises(ValueError, match="ranges in common"):
        lengths.lead(ahead[:1], behind[1:])


@pytest.mark.parametrize("known", registry.finished(task="translation en-fr"), ids=lambda one: one.name)
def test_every_card_parts_the_test_sentences(known: registry.Entry) -> None:
    card = known.card()
    ranges = lengths.by_length(card)
    assert sum(one.count for one in ranges) == card["scores"]["test"]["count"]
    assert None not in [lengths.range_of(ranges, words) for words in range(1, 70)]
