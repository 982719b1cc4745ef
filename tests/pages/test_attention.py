import pytest

from tests.pages.conftest import ODD_TEXTS, Visit, figures_of

PAGES = ("attention", "side_by_side")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("text", "readable"), ODD_TEXTS.items())
def test_no_text_ends_in_an_exception_and_none_is_lost(visit: Visit, page: str, text: str, readable: bool) -> None:
    at = visit(page, text=text)
    assert not at.exception
    assert bool(figures_of(at)) == readable
    assert bool(at.info) != readable, "an unreadable text is explained"
    if text.strip():
        assert at.text_input(key="text").value == text


@pytest.mark.parametrize("page", PAGES)
def test_another_sentence_changes_every_figure(visit: Visit, page: str) -> None:
    one, other = (figures_of(visit(page, text=text)) for text in ("I am happy.", "The old dog sleeps."))
    assert one
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


@pytest.mark.parametrize("page", PAGES)
def test_other_weights_change_every_figure(visit: Visit, page: str, random_weights) -> None:
    drawn = []
    for seed in (1, 2):
        random_weights(seed)
        drawn.append(figures_of(visit(page, text="I am happy.")))
    assert drawn[0]
    assert [name for name in drawn[0] if drawn[0][name] == drawn[1].get(name)] == []


def test_the_step_is_in_the_link_and_an_impossible_one_is_forgotten(visit: Visit) -> None:
    whole, first = visit("attention", text="I am happy."), visit("attention", text="I am happy.", step=0)
    assert first.slider(key="step").value == 0
    assert figures_of(whole) != figures_of(first)
    for wrong in ("99", "-1", "abc"):
        at = visit("attention", text="I am happy.", step=wrong)
        assert not at.exception
        assert at.slider(key="step").value == at.slider(key="step").max


def test_layer_and_head_change_the_transformers_pictures(visit: Visit) -> None:
    drawn = {
        figures_of(visit("side_by_side", layer=layer, head=head))["bidi_component 0"]
        for layer in (0, 2)
        for head in (0, 3)
    }
    assert len(drawn) == 4


def test_every_translation_is_shown(visit: Visit) -> None:
    at = visit("side_by_side", text="I am happy.")
    from dashboard import runs

    shown = [text.value for text in at.text]
    for name in ("gru-seq2seq", "gru-bahdanau", "transformer"):
        assert runs.run(name, "I am happy.").output in shown
