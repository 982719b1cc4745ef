"""Inputs that pages share; each owns its widget keys and its URL parameters, and returns a value."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import runs
from viz.numbers import percent, rough

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pretrained.trace import Candidate, Trace
    from viz.palette import ThemeName

TEXT = "text"
PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
DEFAULT_TEXT = "The cat drank the milk because it was hungry."
TICK_SECONDS = 0.9  # a step of playing: long enough to read what has changed
LONGEST_TEXT = 1000  # characters that the bar takes; what is too long for a model is told, not cut
EXAMPLES = (
    DEFAULT_TEXT,
    "I am happy.",
    "How much does this black dress cost?",
    "A man in a blue shirt is riding a bicycle down the street.",
    "The dog that the cat saw is sleeping.",
    "The agreement on the European Economic Area was signed in August 1992.",
    "It should be noted that the marine environment is the least known of environments.",
    "Destruction of the equipment means that Syria can no longer produce new chemical weapons.",
    '"This will change my future with my family," the man said.',
)
MOST_BEHIND = 3


def sentence_bar() -> str:
    """Draw the bar that all pages share and return what stands in it; ``?text=`` brings it back."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "An English sentence for all models",
            DEFAULT_TEXT,
            key=TEXT,
            bind="query-params",
            max_chars=LONGEST_TEXT,
            placeholder="Type an English sentence and press Enter",
        )
        # Filled when it is opened: what is not seen would be sent with every sentence all the same.
        popover = st.popover("Examples", icon=":material/format_quote:", key="examples", on_change="rerun")
        if popover.open:
            with popover:
                examples("bar")
    return str(text)


def behind(text: str) -> tuple[str, ...]:
    """Choose the examples that models read behind a text where what they read is to grow."""
    return tuple(example for example in EXAMPLES if example != text)[:MOST_BEHIND]


def examples(place: str) -> None:
    """Draw the example sentences; a click puts one into the bar. ``place`` tells several lists of a page apart."""
    for number, example in enumerate(EXAMPLES):
        st.button(example, key=f"example-{place}-{number}", on_click=_take, args=(example,))
    st.caption("The last four are those of figure 3 in Bahdanau, Cho and Bengio 2015.")


def _take(example: str) -> None:
    st.session_state[TEXT] = example


def typed() -> str:
    """Give the sentence in the bar."""
    return str(st.session_state.get(TEXT, DEFAULT_TEXT))


def explain(error: Exception, place: str) -> None:
    """Say why a text cannot be read; it stays in its ``place``."""
    st.info(f"The models cannot read this yet. Your text stays {place}.", icon=":material/edit:")
    # As plain text: what a reader typed may look like markup.
    st.text(f"{error}.")


def run_or_explain(*names: str, text: str | None = None) -> tuple[Trace, ...] | None:
    """Run models on a text, or the sentence in the bar; where they cannot read it, say why and return ``None``."""
    from pretrained.model import TextError

    place, text = ("in the bar", typed()) if text is None else ("where it is", text)
    try:
        traces = tuple(runs.run(name, text) for name in names)
    except TextError as error:
        explain(error, place)
        return None
    if traces[0].unknown:
        st.caption("What the models have never seen is read as one and the same unknown piece:")
        st.text(" ".join(traces[0].unknown))
    return traces


def head_picker(n_heads: int, *, key: str = "head", label: str = "Head") -> int:
    """Choose a head, counted from 0."""
    chosen = st.segmented_control(
        label, range(n_heads), default=0, key=key, bind="query-params", required=True, format_func=str
    )
    return int(chosen or 0)


def layer_picker(n_layers: int, *, key: str = "layer", label: str = "Layer") -> int:
    """Choose a layer, counted from 0."""
    return head_picker(n_layers, key=key, label=label)


def head_of_layer(n_layers: int, n_heads: int) -> tuple[int, int]:
    """Choose a layer and a head, side by side; both counted from 0."""
    with st.container(horizontal=True):
        return layer_picker(n_layers), head_picker(n_heads)


def token_picker(tokens: tuple[str, ...], places: Sequence[int], *, key: str, label: str) -> int:
    """Choose one of these places of a text, each shown with its number and its token; the middle one at first."""
    from viz.matrix import shown

    def name(place: int) -> str:
        # Options are markdown, where every sign of a reader's has to be escaped.
        return f"{place} " + PUNCTUATION.sub(r"\\\g<0>", shown(tokens[place]))

    middle = places[len(places) // 2]
    chosen = st.pills(label, places, default=middle, key=key, bind="query-params", required=True, format_func=name)
    return middle if chosen is None else int(chosen)


def step_slider(
    tokens: tuple[str, ...],
    *,
    key: str = "step",
    label: str = "Output step",
    first: int | None = None,
    on_change: Callable[[], None] | None = None,
) -> int:
    """Choose how far the output has been written, counted from 0; all of it, or ``first``, until a reader does."""
    last = len(tokens) - 1
    if last == 0:
        return 0
    # A step of a longer sentence may have been left behind.
    if int(st.session_state.get(key, 0)) > last:
        del st.session_state[key]
    begin = last if first is None else min(first, last)
    return int(st.slider(label, 0, last, begin, key=key, bind="query-params", on_change=on_change))


def stepper(
    draw: Callable[[int], None],
    tokens: tuple[str, ...],
    *,
    key: str = "step",
    label: str = "Output step",
    first: int | None = None,
) -> None:
    """Draw a step slider with a play button, and below it what ``draw`` makes of the step, in a fragment of its own.

    Playing begins at the first step if the last one is shown, goes on by one step a tick, and stops at the last.
    """
    playing, fresh, last = f"{key}-playing", f"{key}-fresh", len(tokens) - 1

    def toggle() -> None:
        st.session_state[playing] = not st.session_state.get(playing, False)
        if st.session_state[playing] and int(st.session_state.get(key, last)) >= last:
            st.session_state[key] = 0

    def pause() -> None:
        st.session_state[playing] = False

    ticking = bool(st.session_state.get(playing, False)) and last > 0
    # The first drawing after a press of the button shows where playing begins; every later one is a tick.
    st.session_state[fresh] = True

    @st.fragment(run_every=TICK_SECONDS if ticking else None)
    def frame() -> None:
        is_tick = not st.session_state.pop(fresh, False)
        if ticking and is_tick and st.session_state.get(playing):
            st.session_state[key] = min(int(st.session_state.get(key, 0)) + 1, last)
            st.session_state[playing] = st.session_state[key] < last
        if ticking != bool(st.session_state.get(playing, False)) and last > 0:
            # Only a run of the whole page starts or stops the clock.
            st.rerun()
        if last > 0:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                st.button(
                    "Pause" if ticking else "Play",
                    key=f"{key}-play",
                    on_click=toggle,
                    icon=":material/pause:" if ticking else ":material/play_arrow:",
                )
                step = step_slider(tokens, key=key, label=label, first=first, on_change=pause)
        else:
            step = 0
        draw(step)

    frame()


def prediction(question: str, options: Sequence[str], answer: int, *, key: str, why: str) -> None:
    """Ask before showing: the reader chooses, then sees what the model did and why.

    Args:
        question: words of our own.
        options: likewise.
        answer: index of what the model did, on this sentence.
        key: the widget key; a new sentence is a new question.
        why: what explains the answer, in words of our own.
    """
    with st.container(border=True, gap="xsmall"):
        chosen = st.radio(f"**Predict first.** {question}", options, index=None, key=key, horizontal=True)
        if chosen is None:
            st.caption("Choose, and the model's answer on this sentence appears.")
            return
        right = options.index(chosen) == answer
        st.markdown(f"{'Right' if right else 'Not here'}: **{options[answer]}**. {why}")


def translation(trace: Trace) -> None:
    """Show what a model wrote, how likely it found it, and how long it took."""
    card = runs.card(trace.model)
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.caption(f"{trace.model} · {card['parameters'] / 1e6:.1f} M parameters")
        st.text(trace.output or "(nothing)")
        took = trace.milliseconds["encode"] + trace.milliseconds["decode"]
        st.caption(f"probability {_probability(trace.log_probability)} · {took:.0f} ms")


def _probability(log_probability: float) -> str:
    """Show a small probability without a run of zeros."""
    probability = math.exp(log_probability)
    return percent(probability) if probability >= 0.001 else rough(probability)


def written_so_far(trace: Trace, step: int) -> None:
    """Show the output up to a step, as text."""
    start, end = trace.target_spans[step]
    with st.container(border=True, gap="xsmall"):
        st.caption(f"Written after step {step}")
        st.text(trace.output[:end] or "(nothing)")
        if start == end:
            st.caption("This step wrote </s>, the end of the sentence.")


def candidates(trace: Trace, step: int) -> None:
    """Draw what could have been written at a step: the ten likeliest tokens, the first of which was."""
    st.caption(f"The ten likeliest tokens at step {step}; the likeliest is written.")
    bars(trace.candidates[step], key="candidates", alt=f"Probabilities of the ten likeliest tokens at step {step}")


def bars(best: Sequence[Candidate], *, key: str, alt: str, chosen: int = 0, drawn: bool = False) -> None:
    """Draw the probabilities of candidates, or those that one was drawn with; the chosen one stands out."""
    from viz.bars import candidate_bars

    shares = [(one.sampled or 0.0) if drawn else one.probability for one in best]
    st.vega_lite_chart(
        spec=candidate_bars([one.token for one in best], shares, chosen=chosen, theme=theme()),
        key=key,
        alt=alt,
        width="stretch",
    )


def theme() -> ThemeName:
    """Give the theme that the reader sees, for figures that cannot follow it by themselves."""
    return "dark" if st.context.theme.type == "dark" else "light"
