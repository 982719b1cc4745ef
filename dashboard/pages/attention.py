"""Attention: the alignment of one sentence, each row made, painted and searched with; what it brought, measured."""

from dataclasses import replace

import streamlit as st

from dashboard import cards, charts, controls, figures, measure, painting, runs, story
from dashboard.components.matrix import matrix
from dashboard.components.tree import tree
from pretrained import registry
from pretrained.analysis import lengths, rows
from pretrained.beam import path_to
from pretrained.intervention import Intervention
from viz.numbers import number

story.opening("attention", "Attention")

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "An encoder-decoder squeezes every sentence, short or long, into one vector and writes from that alone. Bahdanau, "
    "Cho and Bengio (2015) let the decoder **look back** instead: before each French token it compares its own state "
    "with what was read at every English token, and reads a mixture of them. That is **attention**."
)

st.subheader(story.SEE, anchor=False)
cells = {
    str(known.cell): known for known in registry.finished(task="translation en-fr", architecture="bahdanau:Bahdanau")
}
cell = st.segmented_control(
    "Both networks made of cells of this kind",
    list(cells),
    default="gru",
    key="network",
    bind="query-params",
    required=True,
    format_func=str.upper,
)
ours = cells[cell]
traces = controls.run_or_explain(ours.name)
if traces is None:
    st.stop()
(trace,) = traces
(alignment,) = trace.attention_of("alignment")
shown = figures.attention(alignment, 0, model=trace.model)
controls.translation(trace)
words, picture = st.columns([2, 3], gap="large")
with words:
    asked = rows.question(alignment.weights[0])
    st.caption(f"Token number {asked.row} of the French translation, counted from 0:")
    st.text(trace.target_tokens[asked.row])
    st.caption("English tokens to choose from, with their numbers:")
    st.text("   ".join(f"{key}  {trace.source_tokens[key]}" for key in asked.keys))
    controls.prediction(
        f"Which of them is looked at most while French token {asked.row} is written?",
        [f"English token {key}" for key in asked.keys],
        asked.answer,
        key=f"looks-{trace.model}-{trace.text}",
        why=f"It gets {alignment.weights[0, asked.row].max():.0%} of row {asked.row}. Of all rows, this one looks "
        "furthest away from the same place in the other sentence.",
    )
    st.markdown(
        "A row belongs to the token that is *written* there. A bright line from corner to corner means that both "
        "languages say things in the same order; where it bends, French puts words elsewhere. A weight says where the "
        "decoder looked, **not why** it chose a word: attention is not an explanation."
    )
with picture:
    matrix([shown], key="alignment")

st.subheader(story.STEP, anchor=False)


def step_by_step(step: int) -> None:
    """Draw one row being made, what is written by then, and what could have come next."""
    made = rows.worked(alignment, step)
    grown, choice = st.columns([3, 2], gap="large")
    with grown:
        matrix([shown], key="grown", rows=step + 1, current_row=step)
    with choice:
        controls.written_so_far(trace, step)
        controls.candidates(trace, step)
    row, formula = st.columns([3, 2], gap="large")
    with row:
        matrix(figures.one_row(alignment, step, model=trace.model), key="row", columns=1)
    with formula:
        st.caption(f"Row {step}, worked out for English token {made.key}, which it looks at most:")
        st.text(trace.source_tokens[made.key])
        digits = ".0f" if made.total >= 1000 else ".3f"
        mixture = [rf"{weight:.2f}\,h_{{{key}}}" for key, weight in made.mixture]
        mixture += [r"\dots"] * (len(trace.source_tokens) > len(mixture))
        st.latex(
            rf"""\begin{{aligned}}
            e_{{{step},{made.key}}} &= v^\top \tanh(W_a s_{{{step - 1}}} + U_a h_{{{made.key}}}) \\
            &= {made.score:.3f} \\[4pt]
            a_{{{step},{made.key}}} &= \frac{{\exp(e_{{{step},{made.key}}})}}{{\sum_j \exp(e_{{{step},j}})}} \\[4pt]
            &= {made.exponential:{digits}} \,/\, {made.total:{digits}} = {made.weight:.3f} \\[4pt]
            \textstyle\sum_j a_{{{step},j}} &= {made.row_sum:.4f} \\[4pt]
            c_{{{step}}} &= {" + ".join(mixture)}
            \end{{aligned}}\;"""
        )


controls.stepper(step_by_step, trace.target_tokens, label="Output step: drag or play to see the translation grow")
st.markdown(
    "- **Query**: $s_{i-1}$, the decoder's state before it writes token $i$ ($s_{-1}$ is where it starts).\n"
    "- **Energy** $e_{ij}$: a small network of one layer says how well $s_{i-1}$ fits $h_j$, the encoder's state at "
    "English token $j$, read in both directions.\n"
    "- **Softmax**: every energy becomes a positive number by exp, divided by their sum: the weights $a_{ij}$.\n"
    "- **Context** $c_i$: the states $h_j$ mixed with these weights. The decoder reads it, and writes (Bahdanau et "
    "al. 2015, section 3.1)."
)

others = registry.finished(task=ours.task, cell=ours.cell, architecture="luong:Luong")
PAINT, BEAM, LUONG = "Paint a row", "Beam search", "Luong's attention"


def paint() -> None:
    """Let the reader change a row, and draw what the model writes then."""
    st.markdown(
        "Does the model follow its attention? Give one English token a share of a row; the others keep their "
        "proportions, and the row still sums to 1. The model then **writes again from that row on**. Click a cell in "
        "the left map, or use the sliders."
    )
    before = replace(shown, title="As the model does it")
    second = int(alignment.weights[0, min(1, len(trace.target_tokens) - 1)].argmax())
    chosen = painting.choose(before, row=(len(trace.target_tokens) - 1) // 2, token=second)
    weights = rows.repainted(alignment.weights[0, chosen.row], chosen.token, chosen.share)
    painted = runs.run(
        trace.model, trace.text, (Intervention("paint", "alignment", position=chosen.row, weights=weights),)
    )
    had = alignment.weights[0, chosen.row, chosen.token]
    st.text(
        f"While token {chosen.row}, “{trace.target_tokens[chosen.row]}”, is written, English token {chosen.token}, "
        f"“{trace.source_tokens[chosen.token]}”, gets {chosen.share:.0%} of the row. It had {had:.0%}."
    )
    for column, title, one in zip(st.columns(2), ("Before", "Painted"), (trace, painted), strict=True):
        with column:
            st.caption(f"{title}: log-probability {number(one.log_probability, 2)}")
            controls.translation(one)
    (after,) = painted.attention_of("alignment")
    matrix(
        [
            before,
            replace(
                figures.attention(after, 0, model=trace.model, title=f"With row {chosen.row} painted"),
                query_id="painted",
            ),
        ],
        key=painting.map_key(),
        columns=2,
        current_row=chosen.row,
    )
    if painted.target_tokens == trace.target_tokens:
        st.markdown(
            "**The translation stays the same**: this turns no decision. Try another token, or more of the row; what "
            "the decoder has written, and its own state, have a say too."
        )
    else:
        st.markdown(
            f"**The translation changes** at token {chosen.row} or after it; all before it was written already. The "
            "model's word depends on where it looks: here attention is a cause, not only a picture."
        )


def search() -> None:
    """Draw the tree of a beam search, and the hypothesis that the reader chooses."""
    st.markdown(
        "At every step the translation above takes the likeliest token: it is **greedy**, and cannot take a word "
        "back. **Beam search** writes several hypotheses side by side and keeps the likeliest few at every step; one "
        "that ends leaves its place empty (Sutskever, Vinyals and Le 2014, section 3.2)."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        width = int(st.slider("Hypotheses side by side", 1, 5, 3, key="width", bind="query-params"))
        by_length = st.toggle("Rank by log-probability per token", True, key="by-length", bind="query-params")
    found = runs.beam(trace.model, trace.text, width, by_length=by_length)
    ranks = range(1, len(found.hypotheses) + 1)
    if st.session_state.get("hypothesis") not in (None, *ranks):
        del st.session_state["hypothesis"]
    rank = st.segmented_control(
        "Show hypothesis", ranks, default=1, key="hypothesis", bind="query-params", required=True, format_func=str
    )
    chosen = found.hypotheses[int(rank or 1) - 1]
    tree(
        charts.beam_tree(found),
        key="tree",
        chosen=path_to(found.nodes, chosen.node),
        label=f"Tree of a beam search, {width} wide, hypothesis {rank} marked",
    )
    st.caption(
        "Columns are steps, the likeliest at the top. Under each token: its probability after what stands before it, "
        "which is also the thickness of its line. Dashed and grey: pruned. Framed: an end; marked: the hypothesis "
        "shown below. A wide tree scrolls sideways."
    )
    st.dataframe(charts.beam_table(found, trace), hide_index=True, width="stretch")
    best = found.hypotheses[0]
    if best.tokens == trace.target_tokens:
        verdict = "**The best of the beam is what greedy writes.**"
    elif best.log_probability > trace.log_probability:
        verdict = "**The beam finds an output that the model holds likelier than greedy's.**"
    else:
        verdict = "**As a whole, greedy's output is the likelier one**: no beam is sure to find the likeliest output."
    st.markdown(
        f"{verdict} Every further token makes a log-probability smaller, which favours short outputs: hence the "
        "ranking per token, `</s>` counted. Likelier for the model need not be better French."
    )
    with st.container(border=True, gap="xsmall"):
        st.caption(f"Hypothesis {rank}, log-probability {number(chosen.log_probability, 2)}")
        st.text(chosen.output or "(nothing)")
        if not chosen.finished:
            st.caption("It was cut off: no `</s>` within the longest output that the model may write.")
    (attended,) = (one for one in chosen.attention if one.kind == "alignment")
    searched = figures.attention(attended, 0, model=trace.model, title=f"Hypothesis {rank}")
    matrix([replace(shown, title="Greedy"), replace(searched, query_id="hypothesis")], key="hypothesis-map", columns=2)


def luong() -> None:
    """Draw another attention on the same sentence, on the same colours."""
    other = runs.run(others[0].name, trace.text)
    (attended,) = other.attention_of("alignment")
    st.markdown(
        "Luong, Pham and Manning (2015) ask **later** and **more simply**: the decoder first takes in its last token "
        "and asks with its *present* state $h_t$; the score is one product, $h_t^\\top W_a\\, h_s$, in place of a "
        "small network; and what it saw is fed to its next step (*input feeding*)."
    )
    for column, one in zip(st.columns(2), (trace, other), strict=True):
        with column:
            controls.translation(one)
    matrix(
        [
            replace(shown, title="Bahdanau: additive"),
            replace(figures.attention(attended, 0, model=other.model, title="Luong: multiplicative"), query_id="luong"),
        ],
        key="luong",
        columns=2,
    )
    left, right = cards.aligned(trace.model), cards.aligned(other.model)
    if left and right:
        st.markdown(
            f"Against links that people made, the error rate of the left is **{number(left.error, 2)}**, of the right "
            f"**{number(right.error, 2)}** (0 is best; how it is measured stands below). "
            + (
                "That fits what the queries know: the one on the right has read the last token, the other has not."
                if right.error < left.error
                else "Knowing the last token did not help the one on the right."
            )
        )


@st.fragment
def explore() -> None:
    """Draw what the reader wants to try with this alignment."""
    offered = {PAINT: paint, BEAM: search} | ({LUONG: luong} if others else {})
    asked = st.segmented_control(
        "Now try with this sentence", list(offered), default=PAINT, key="try", bind="query-params", required=True
    )
    offered[str(asked or PAINT)]()


explore()

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "**“Attention eases the bottleneck.”** If so, its lead must be larger on long sentences than on short ones."
)
(without,) = registry.finished(task=ours.task, cell=ours.cell, attention=())
with_card, without_card = runs.card(ours.name), runs.card(without.name)
with_it, without_it = lengths.by_length(with_card), lengths.by_length(without_card)
st.plotly_chart(
    charts.scores_by_length(
        {"with attention": with_it, "one vector": without_it},
        lengths.range_of(with_it, len(trace.text.split())),
        theme=controls.theme(),
    ),
    key=f"chrf-{controls.theme()}",
    config={"displayModeBar": False},
    alt="chrF against the length of the sentence, with attention and with one vector",
)
lead = lengths.lead(with_it, without_it)
short, long, largest = lead.points[0], lead.points[-1], lead.points[lead.largest]
st.markdown(
    f"Attention is ahead by {number(short, 1)} points at {lead.names[0]} words and by {number(long, 1)} at "
    f"{lead.names[-1]}; most, by {number(largest, 1)}, at {lead.names[lead.largest]}. "
    + ("**The measurement supports the claim**" if lead.grows else "**The measurement does not support the claim**")
    + f". Its own score goes from {number(with_it[0].chrf, 1)} to {number(with_it[-1].chrf, 1)}"
    + (": eased is not cured." if with_it[-1].chrf < with_it[0].chrf else ".")
)
st.caption(
    "chrF, 0 to 100, compares letters and runs of letters with a person's translation (Popović 2015). Measured on "
    f"{with_card['scores']['test']['count']:,} sentences not trained on, when the models were made: {cell.upper()}s "
    f"with {with_card['parameters'] / 1e6:.2f} M parameters (attention) and {without_card['parameters'] / 1e6:.2f} M, "
    f"trained on the same {with_card['data']['pairs']:,} pairs for {with_card['target_tokens'] / 1e6:.1f} M and "
    f"{without_card['target_tokens'] / 1e6:.1f} M French tokens. The dotted line is the length of your sentence."
)

led = cards.leads_by_cell()
if len(led) > 1:
    st.table(
        [
            {
                "Cell": one.cell,
                "One vector": number(one.without, 1),
                "With attention": number(one.with_it, 1),
                f"Lead at {one.lead.names[0]} words": number(one.lead.points[0], 1),
                f"At {one.lead.names[-1]}": number(one.lead.points[-1], 1),
            }
            for one in led
        ],
        hide_index=True,
    )
    helped = sum(one.with_it > one.without for one in led)
    st.markdown(
        f"Attention helps **{helped} of {len(led)}** cells, and {sum(one.lead.grows for one in led)} of them more on "
        "the longest sentences than on the shortest."
    )
    plain = next((one for one in led if one.cell == "RNN"), None)
    if plain is not None:
        st.markdown(
            "An RNN that looks back, without any gate, "
            + (
                "translates better than every gated network that does not: **looking back is worth more than "
                "remembering.**"
                if plain.with_it > max(one.without for one in led)
                else "stays behind a gated network that does not: **gates and attention mend different things.**"
            )
        )

st.markdown("**“It learns to align.”** Nobody told the model which words belong together.")
scored = cards.aligned(ours.name)
if scored is not None:
    st.markdown(
        f"People linked the words of {scored.pairs} pairs of sentences. Linking every French word to the "
        f"English word that it looks at most gives an alignment error rate (Och and Ney 2003; 0 is best, 1 worst) of "
        f"**{number(scored.error, 2)}**. Linking words by their place alone gives {number(scored.by_place, 2)}; "
        "counting which words occur together in the pairs that the model learnt from gives "
        f"{number(scored.by_counting, 2)} (IBM model 1, Brown et al. 1993; no network). "
        + ("It has learnt more than word order" if scored.beats_word_order else "Word order alone would do as well")
        + (
            ", and more than counting tells."
            if scored.beats_counting
            else "; counting aligns better, since it does nothing else: attention serves the next word, not the links."
        )
    )
place = st.container()
spread = measure.measured(rows.alignment_spread, (ours.name,), trace.text, key="spread").value
with place:
    one, other, third = st.columns(3)
    one.metric("Largest weight of a row, mean", f"{spread.largest:.0%}")
    other.metric("Tokens looked at, in effect", f"{number(float(spread.looked_at.mean()), 1)} of {spread.keys}")
    third.metric("Away from the diagonal, in tokens", number(spread.distance, 1))
    st.plotly_chart(
        charts.looked_at(spread, model=ours.name, theme=controls.theme()),
        key=f"spread-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Over how many tokens each row is spread",
    )
st.markdown(
    ("**It looks at few tokens at a time**" if spread.is_concentrated else "**It looks at most tokens at once**")
    + (" and mostly follows the order of words" if spread.follows_the_order else " and not in the order of words")
    + f": chance would be {number(spread.by_chance, 1)} tokens away from the diagonal."
)
st.caption(
    "In effect: the exponential of a row's entropy, which is n where n tokens share the row evenly. Few means less "
    "than half of the tokens; in order means less than half of the distance that chance gives."
)

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "The vector is gone, the **waiting** is not. State $h_j$ still needs $h_{j-1}$ first, and $s_i$ needs $s_{i-1}$: a "
    "sentence of a thousand tokens is a thousand steps in a row, in reading as in training, however many processors "
    "stand by. Convolutions read all windows at once; the Transformer keeps the attention and drops the recurrence."
)
story.closing("attention")
