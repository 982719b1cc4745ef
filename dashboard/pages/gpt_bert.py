"""GPT and BERT: one half of the Transformer each, that continues the sentence or fills its gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import cards, charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import contextual, sampling
from pretrained.model import TextError
from viz.numbers import number, percent, rough

if TYPE_CHECKING:
    from pretrained.language import DecoderOnly, EncoderOnly
    from pretrained.trace import Trace

BANKS = ("She sat on the bank of the river.", "He went to the bank for money.")

story.opening("gpt-bert", "GPT and BERT")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "The Transformer learns from pairs of sentences, and somebody must have translated each. Text **alone** is "
    "plentiful, and asks its own questions: what comes next? What stood in this gap? What if **one half** of the "
    "Transformer were enough to answer? **GPT** is its decoder half (Radford et al. 2018, 2019), without "
    "cross-attention, since there is nothing to translate; **BERT** its encoder half (Devlin et al. 2019)."
)

gpt, bert = (registry.finished(task=task)[0].name for task in ("language model en", "masked language model en"))
with st.spinner("Starting the models …"):
    traces = controls.run_or_explain(gpt, bert)
if traces is None:
    st.stop()
written, read = traces
causal, both_ways = written.attention_of("decoder-self"), read.attention_of("encoder-self")
writer, filler = cast("DecoderOnly", runs.load(gpt)), cast("EncoderOnly", runs.load(bert))
n, gaps = len(written.source_tokens), contextual.places(filler, read.text)


def both_models() -> tuple[int, int]:
    """Draw what both models do with the sentence, and one head of each; gives its layer and its number there."""
    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "Both read English and write English: **here your sentence is not translated**. GPT continues it by "
        f"{len(written.target_tokens)} tokens (words or pieces of them), each time the likeliest. BERT is given it "
        "with one token hidden, and fills the gap."
    )
    one, other = st.columns(2, gap="medium")
    with one:
        controls.translation(written)
    with other, st.container(border=True, gap="xsmall", height="stretch"):
        middle = gaps[len(gaps) // 2]
        gap = contextual.hidden(filler, read.text, middle)
        st.caption(f"{bert} · {runs.card(bert)['parameters'] / 1e6:.1f} M parameters · token {middle} hidden")
        st.text(gap.masked)
        st.text(f"[MASK] → {gap.candidates[0].token}")
        st.caption(f"probability {percent(gap.candidates[0].probability)}")
    layer, head = controls.head_of_layer(len(causal), causal[0].n_heads)
    left, right = st.columns(2, gap="medium")
    with left:
        matrix([figures.of_one_text(causal[layer], head, model=gpt, first=n)], key="causal")
    with right:
        matrix([figures.of_one_text(both_ways[layer], head, model=bert)], key="both-ways")
    st.caption(
        "To write the next token GPT must not have seen it: all cells right of the diagonal are exactly 0. BERT sees "
        "both sides, and so cannot write on; [CLS] and [SEP] mark where its text begins and ends. A weight says where "
        "a head looked, not why a token was chosen."
    )
    return layer, head


def by_lot() -> tuple[Trace, float]:
    """Let the reader choose how tokens are drawn; gives what GPT writes so, and the temperature."""
    st.subheader(story.STEP, anchor=False)
    st.markdown(
        "**GPT, token by token.** It gives every token a probability, and one is **drawn by lot**. Temperature $T$ "
        "sharpens the probabilities (below 1) or flattens them (above 1), and at 0 the likeliest is certain; "
        "**top-k** keeps the $k$ likeliest (Fan et al. 2018), **top-p** then the fewest that have $p$ together "
        "(Holtzman et al. 2020). The same seed draws the same."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        temperature = float(st.slider("Temperature", 0.0, 2.0, 0.8, 0.1, key="temperature", bind="query-params"))
        top_k = int(st.slider("Top-k (0 keeps all)", 0, 50, 20, key="top-k", bind="query-params"))
        top_p = float(st.slider("Top-p", 0.05, 1.0, 0.9, 0.05, key="top-p", bind="query-params"))
        seed = int(st.number_input("Seed", 0, 9999, 0, key="seed", bind="query-params", width=120))
    trace = runs.run(gpt, written.text, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    return trace, temperature


def one_choice(trace: Trace, step: int, temperature: float) -> None:
    """Draw how one token was chosen."""
    choices = trace.candidates[step]
    place = sampling.written(choices)
    text, formula = st.columns(2, gap="medium")
    with text, st.container(border=True, gap="xsmall"):
        st.caption(f"The text after step {step}")
        st.text(f"{trace.text}{trace.output[: trace.target_spans[step][1]]}")
    with formula:
        if temperature > 0:
            made = sampling.worked(choices[place], temperature)
            st.latex(charts.sampling_formula(made, temperature, step))
        else:
            st.markdown("At $T = 0$ nothing is drawn: the likeliest token has all of the probability.")
    before, after = st.columns(2, gap="medium")
    with before:
        st.caption("$p$: what GPT gives the likeliest tokens")
        controls.bars(choices, key="before", chosen=place, alt=f"Probabilities of the likeliest tokens at step {step}")
    with after:
        st.caption("$q$: what one is drawn with, by temperature, top-k and top-p; the strong bar was drawn")
        controls.bars(
            choices, key="after", chosen=place, drawn=True, alt=f"Probabilities that step {step} is drawn with"
        )


def one_cache(trace: Trace, step: int) -> None:
    """Tell what is kept of the tokens before a step, and what it saves."""
    kept = sampling.cache(writer, trace, step)
    st.markdown(
        "**The cache.** No token sees a later one, so the keys and values of what has been read never change: they are "
        "kept, $d_{model}$ numbers of 4 bytes each, and only the newest token goes through the model. Its row is the "
        "marked one: where GPT looks while it chooses the next."
    )
    st.latex(charts.cache_formula(kept))
    st.caption(
        f"Measured: {kept.measured:,} bytes, "
        + ("the same." if kept.measured == kept.expected else "which is not what the formula says.")
    )
    with st.container(horizontal=True):
        st.metric("Tokens run so far", f"{kept.read:,}", width="content")
        st.metric("Had nothing been kept", f"{kept.reread:,}", width="content")


@st.fragment
def one_head() -> None:
    """Draw one head of both models, then what the first of them writes, drawn by lot."""
    layer, head = both_models()
    trace, temperature = by_lot()
    whole = figures.of_one_text(trace.attention_of("decoder-self")[layer], head, model=gpt)

    def token_by_token(step: int) -> None:
        """Draw how one token was chosen, what was looked at meanwhile, and what is kept for the next."""
        one_choice(trace, step, temperature)
        picture, cost = st.columns([3, 2], gap="large")
        with picture:
            matrix([whole], key="grown", rows=n + step, current_row=n + step - 1)
        with cost:
            one_cache(trace, step)

    controls.stepper(token_by_token, trace.target_tokens, label="Output step: drag or play to see it written", first=0)


one_head()


@st.fragment
def fill() -> None:
    """Let the reader hide a token, and draw what is put there."""
    st.markdown(
        "**BERT, gap by gap.** Hide a token of your sentence: it is replaced by [MASK], and what stood there is told "
        "from both sides (Devlin et al. 2019, section 3.1)."
    )
    place = controls.token_picker(read.source_tokens, gaps, key="hidden", label="Click the token to hide")
    gap = contextual.hidden(filler, read.text, place)
    words, chart = st.columns([2, 3], gap="large")
    with words:
        with st.container(border=True, gap="xsmall"):
            st.caption("What BERT reads")
            st.text(gap.masked)
        if gap.probability is None:
            st.markdown("You wrote this [MASK] yourself: nothing is hidden behind it.")
        else:
            with st.container(border=True, gap="xsmall"):
                st.caption("Hidden")
                st.text(read.source_tokens[place])
            with st.container(horizontal=True):
                st.metric("Its probability", percent(gap.probability), width="content")
                st.metric("Its rank", f"{gap.rank:,} of {len(filler.tokenizer):,}", width="content")
    with chart:
        st.caption("The ten likeliest tokens in the gap")
        controls.bars(gap.candidates, key="filled", alt=f"Probabilities of the ten likeliest tokens at place {place}")


fill()

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "**“The same word gets different vectors in different contexts.”** The embedding gives a word one vector, whatever "
    "stands around it. Each layer of BERT mixes in the context. How alike are its vectors in two sentences? The cosine "
    "is 1 where two vectors point the same way, 0 at a right angle."
)


@st.fragment
def in_context() -> None:
    """Compare a word in two sentences of the reader's."""
    with st.container(horizontal=True):
        first, second = (
            str(st.text_input(label, text, key=key, bind="query-params", max_chars=controls.LONGEST_TEXT))
            for label, text, key in zip(("One sentence", "Another"), BANKS, ("context-1", "context-2"), strict=True)
        )
        word = str(st.text_input("The word in both", "bank", key="word", bind="query-params", max_chars=40)).strip()
    place = st.container()
    try:
        found = measure.measured(
            contextual.compared, (bert,), first, second, word, key="compared", what="these sentences"
        ).value
    except TextError as error:
        st.info("These two cannot be compared.", icon=":material/edit:")
        st.text(f"{error}.")
        return
    with place:
        chart, words = st.columns([3, 2], gap="large")
        with chart:
            st.plotly_chart(
                charts.in_context(found, theme=controls.theme()),
                key=f"in-context-{controls.theme()}",
                config={"displayModeBar": False},
                alt="Cosine of a word's vectors in two contexts, and of different words, behind every layer",
            )
        with words:
            with st.container(horizontal=True):
                st.metric("The word, last layer", number(float(found.same[-1]), 2), width="content")
                if found.different is not None:
                    st.metric("Different words", number(float(found.different[-1]), 2), width="content")
            st.markdown(
                {
                    "same": "The two vectors point the same way: **the claim is not supported here**.",
                    "between": "The two vectors differ: **the claim holds**. They are still more alike than two "
                    "different words of one sentence: the word itself keeps a part.",
                    "apart": "The two vectors differ as much as those of different words of one sentence, or more: "
                    "**the claim holds**, and of the word itself little is left.",
                }[found.verdict]
            )
            st.caption(
                "At the embedding, which knows neither place nor context, the cosine is "
                f"{number(float(found.same[0]), 2)}"
                + (
                    " by definition. "
                    if found.same[0] > contextual.SAME
                    else ": the word is cut into other pieces in one of the sentences. "
                )
                + f"“Different words” is the mean over {found.pairs} pairs of words of the same sentence: without such "
                "a baseline a cosine says nothing (Ethayarajh 2019). A word of several pieces is their mean. "
                + (
                    "The word stands at the same place in both, so that its position makes no difference."
                    if found.same_place
                    else "The word stands at different places, which changes its vector, too."
                )
            )


in_context()

st.markdown(
    "**“GPT cannot see what comes later.”** Put another word in the place of your sentence's last one. If a model sees "
    "ahead, its vectors of earlier tokens move."
)


@st.fragment
def probe() -> None:
    """Change the last word, and draw which earlier vectors move."""
    guess = st.container()
    word = str(
        st.text_input("Your last word becomes", "empty", key="swap", bind="query-params", max_chars=40, width=320)
    ).strip()
    place = st.container()
    try:
        found = measure.measured(contextual.moved, (gpt, bert), read.text, word, key="moved").value
    except TextError as error:
        st.info("That cannot be read.", icon=":material/edit:")
        st.text(f"{error}.")
        return
    in_gpt, in_bert = found
    with guess:
        controls.prediction(
            "Another last word: the vectors of earlier tokens move …",
            ("in GPT alone", "in BERT alone", "in both", "in neither"),
            {(True, False): 0, (False, True): 1, (True, True): 2, (False, False): 3}[in_gpt.sees, in_bert.sees],
            key=f"moves-{read.text}-{word}",
            why=f"They move by up to {percent(in_gpt.most)} of their length in GPT, {percent(in_bert.most)} in BERT.",
        )
    if not (in_gpt.tokens and in_bert.tokens):
        st.markdown("Nothing stands before your last word: there is nothing that could move.")
        return
    with place:
        top = max(in_gpt.most, in_bert.most) or 1.0
        for column, name, one in zip(st.columns(2, gap="medium"), (gpt, bert), found, strict=True):
            with column:
                st.caption(f"{name}: moves by up to {percent(one.most)}")
                st.plotly_chart(
                    charts.moved(one, name, top, theme=controls.theme()),
                    key=f"moved-{name}-{controls.theme()}",
                    config={"displayModeBar": False},
                    alt=f"Share of each vector before the last word that moves with it, in {name}",
                )
        st.markdown(
            (
                "In GPT nothing moves: the largest change is **exactly 0**. "
                if in_gpt.most == 0
                else "**In GPT something moves**, although it is masked. "
                if in_gpt.sees
                else f"In GPT nothing moves but for rounding, {rough(in_gpt.most)}. "
            )
            + (
                f"In BERT the change reaches back, by up to **{percent(in_bert.most)}** of a vector's length."
                if in_bert.sees
                else "In BERT nothing moves either: **this change shows no difference**."
            )
        )


probe()

st.markdown(
    "**“Text alone teaches language.”** Measured when the models were trained, on text that neither has seen. "
    "**Perplexity** is how many tokens a model would waver between if all were alike to it: less is better."
)
st.table(cards.language_scores(gpt, bert), hide_index=True)
st.markdown(
    "GPT is less surprised by new text than models that count pairs and triples of tokens: **the claim holds**."
    if cards.beats_counting(gpt)
    else "GPT is no less surprised by new text than models that count: **the claim is not supported here**."
)
st.caption(
    "Counting: Kneser and Ney 1995, on the same text. Pairs of sentences: BLiMP (Warstadt et al. "
    "2020). Parts of speech are noun, verb, adjective and adverb."
)

st.subheader(story.HURTS, anchor=False)
steps, last = len(written.target_tokens), sampling.cache(writer, written, len(written.target_tokens) - 1)
st.markdown(
    f"- **It writes one token at a time**: {steps} tokens were {steps} runs, one after the other.\n"
    f"- **The cache grows with every token**, here by {last.expected // last.n_tokens:,} bytes each.\n"
    f"- **All pairs are compared**: {n} tokens are {n * n:,} scores a head, twice as many tokens four times that.\n"
    f"- **They know little**: {runs.card(gpt)['parameters'] / 1e6:.1f} million parameters hold few facts. More text "
    "and more parameters help, which makes the cost of attention matter all the more.\n\n"
    "Can attention cost less?"
)
story.closing("gpt-bert")
