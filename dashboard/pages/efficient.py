"""Efficient attention: six patterns on one sentence, what they leave out, what that changes, and what it costs."""

import math

import streamlit as st

from dashboard import cards, charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import efficient, rows
from pretrained.analysis.verdict import judged
from viz.numbers import number, percent

TASK = "translation en-fr"
SLOGAN = {
    "holds": "**The claim holds here.**",
    "in part": "**The claim holds here in part.**",
    "does not hold": "**The claim does not hold here.**",
}
BESIDE = {"about as good": "about as good as", "better": "better than", "worse": "worse than"}

story.opening("efficient", "Efficient attention")
(full,) = registry.finished(task=TASK, family="attention", positions="sinusoidal", parent=None)
relatives = registry.finished(task=TASK, parent=full.name)
models = (full, *relatives)
traces = controls.run_or_explain(*(model.name for model in models))
if traces is None:
    st.stop()
tokens = traces[0].source_tokens
config = runs.load(full.name).network.config
read, n = list(traces), len(tokens)

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    f"Full attention compares all pairs: {n} tokens, {n} × {n} = {n * n} scores in every head. A book of a hundred "
    "thousand tokens would need ten thousand million."
)

st.subheader(story.SEE, anchor=False)
st.markdown(
    f"One encoder head of {len(models)} models. The first looks at everything; the others were **adapted** from it: "
    "their encoders learnt to do with less, everything else is the same."
)


@st.fragment
def patterns() -> None:
    """Draw one head of every model, and what each does."""
    layer, head = controls.head_of_layer(config.n_layers, config.n_heads)
    matrix(figures.patterns(read, layer, head), key="patterns", columns=3)


patterns()
st.table(
    [{"Model": model.name, "What it does": model.summary, "Paper": model.paper} for model in models], hide_index=True
)

st.subheader(story.STEP, anchor=False)
choice = st.segmented_control(
    "Step through",
    [model.name for model in models],
    default=models[min(1, len(models) - 1)].name,
    key="mechanism",
    bind="query-params",
    required=True,
)
chosen = next(trace for trace in traces if trace.model == choice)


def row_by_row(step: int) -> None:
    """Draw the rows up to one token, and count what they look at."""
    drawn = figures.patterns([chosen], 0, 0)[0]
    picture, words = st.columns([3, 2], gap="large")
    with picture:
        matrix([drawn], key="rows", rows=step + 1, current_row=step)
    with words:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"Token {step} looks")
            st.text(tokens[step])
        seen = (drawn.weights > 0).sum(1)
        so_far = int(seen[: step + 1].sum())
        st.metric("At keys, in this row", int(seen[step]))
        st.metric("In all rows so far", f"{so_far} of {(step + 1) * n} pairs")
        st.latex(r"a_{ij} = \frac{\exp(q_i \cdot k_j / \sqrt{d_{head}})}{\sum_l \exp(q_i \cdot k_l / \sqrt{d_{head}})}")
        st.caption(
            f"Where the softmax is taken over the keys that a row may look at; layer 0, head 0, d_head = "
            f"{config.d_head}. A Performer does not compare pairs at all: its weights are what its features amount to. "
            "The others' zeros are zeros: nothing was computed there. A weight is where a model looked, not why it "
            "wrote what it wrote."
        )


controls.stepper(row_by_row, tokens, key="query", label="Token: drag or play to look on")

st.subheader(story.MEASURE, anchor=False)
st.markdown(
    "**“It comes close to full attention.”** Each mechanism on the full model's own queries, keys and values of your "
    "sentence: how far is what it mixes from what full attention mixes, as a share of its length? And what does it "
    "write, now that its encoder has adapted?"
)
if relatives:
    place = st.container()
    names = tuple(model.name for model in relatives)
    far = measure.measured(efficient.errors, (full.name, *names), traces[0].text, key="errors").value
    place.dataframe(
        [
            {
                "model": trace.model,
                "error": percent(error),
                "output": trace.output or "(nothing)",
                "log-probability": trace.log_probability,
                "chrF": runs.card(trace.model)["scores"]["test"]["metrics"]["chrf"],
            }
            for trace, error in zip(traces, (0.0, *far), strict=True)
        ],
        key="outputs",
        hide_index=True,
        column_config={
            "model": "Model",
            "error": "Error of the mixture",
            "output": "It writes",
            "log-probability": st.column_config.NumberColumn("Log-probability", format="%.2f"),
            "chrF": st.column_config.NumberColumn("chrF on the test split", format="%.1f"),
        },
    )
    writes_the_same = [trace.output == traces[0].output for trace in traces[1:]]
    controls.prediction(
        "How many of them write exactly what the full model writes?",
        [str(count) for count in range(len(relatives) + 1)],
        sum(writes_the_same),
        key="same",
        why="Errors of their mixtures: "
        + ", ".join(f"{name} {percent(error)}" for name, error in zip(names, far, strict=True))
        + ".",
    )
    st.caption(
        "The error of a mixture says little of the sentence written: later layers, and the training to adapt, can make "
        "up for it."
    )

st.markdown(
    "**“Attention costs the square of the length, and these do not.”** One layer of each, on random vectors of growing "
    "length, timed now on this machine; and the recurrent layer, whose cost is said to grow with the length alone."
)
recurrent = registry.finished(task=TASK, cell="gru", attention=())[0]
timed = (*(model.name for model in models), recurrent.name)
scaling = measure.measured_on_request(
    efficient.scaling, timed, key="scaling", label="Time one layer up to 2,048 tokens", what="random vectors"
)
if scaling is not None:
    found = scaling.value
    for column, memory, title in zip(
        st.columns(2, gap="medium"), (False, True), ("Time of one pass", "Made on the way, and growing"), strict=True
    ):
        with column:
            st.caption(title)
            st.plotly_chart(
                charts.growth(found, timed, memory=memory, theme=controls.theme()),
                key=f"growth-{memory}-{controls.theme()}",
                config={"displayModeBar": False},
                alt=f"{title}, of one layer of each model, against the length of the text",
            )
    powers = [
        (found.exponent(time), found.exponent(size))
        for time, size in zip(found.milliseconds, found.megabytes, strict=True)
    ]
    st.dataframe(
        [
            {
                "model": name,
                "time": power,
                "memory": size,
                "milliseconds": times[-1],
                "against full": times[-1] / found.milliseconds[0][-1],
            }
            for name, (power, size), times in zip(timed, powers, found.milliseconds, strict=True)
        ],
        key="exponents",
        hide_index=True,
        column_config={
            "model": "Model",
            "time": st.column_config.NumberColumn("Time grows like n to the", format="%.2f"),
            "memory": st.column_config.NumberColumn("Memory like n to the", format="%.2f"),
            "milliseconds": st.column_config.NumberColumn(f"ms at {found.lengths[-1]:,} tokens", format="%.1f"),
            "against full": st.column_config.NumberColumn("Of full attention's", format="%.2f"),
        },
    )
    of_time, of_memory = powers[0]
    cheaper = found.cheaper(len(relatives))
    st.markdown(
        f"Full attention's weights grow like n to the {of_memory:.1f}, its time like n to the {of_time:.1f}"
        + (
            ": quadratic, **as claimed**. "
            if found.is_quadratic(found.milliseconds[0])
            else ": **not yet quadratic at these lengths**, since projections take their part, and grow with n alone. "
        )
        + f"The recurrent layer's time grows like n to the {powers[-1][0]:.1f}"
        + (": linear, as claimed. " if found.is_linear(found.milliseconds[-1]) else ": more than linear here. ")
        + (
            "None of the efficient ones is faster at any of these lengths: **sparse attention pays only beyond them**."
            if not cheaper
            else f"An efficient one is faster from {cheaper[0]:,} tokens on: below that it does not pay."
        )
    )
    st.caption(
        "Exponents are fitted to the three longest texts, on logarithms: 1 is linear, 2 quadratic. At "
        f"n = {n}, your sentence, n² d = {n * n * config.d_head:,} multiplications a head for the scores; at 2,048 "
        f"tokens {2048**2 * config.d_head / 1e6:,.0f} million, {2 ** round(2 * math.log2(2048 / n))} times as many."
    )

hybrids = registry.finished(task=TASK, architecture="gru_selfattention:GRUSelfAttention")
lower = registry.finished(task=TASK, cell="gru", architecture="bahdanau:Bahdanau")
if hybrids and lower:
    mixed, compared = hybrids[0], (hybrids[0].name, lower[0].name, full.name)
    st.markdown(
        "**“The best of both worlds.”** Another saving is a **hybrid** (Chen et al. 2018): a recurrent encoder, which "
        "tells order by itself, and on top of it a single layer of self-attention, by which any two tokens still meet. "
        f"`{mixed.name}` was trained for as many tokens as the two whose worlds it joins; by the claim it beats both."
    )
    hybrid = runs.run(mixed.name, traces[0].text)
    attended = hybrid.attention_of("encoder-self")
    controls.translation(hybrid)
    picture, words = st.columns([3, 2], gap="large")
    with picture:
        matrix(figures.all_heads(attended, model=mixed.name), key="hybrid", columns=2)
    with words:
        at_end = rows.weight_at_the_end(attended[0].weights)
        st.markdown(
            f"Its heads give **{percent(at_end)}** of their weight to `</s>`, the end of the sentence"
            + (
                ": a *sink*, as in BERT (Clark et al. 2019, section 3.2). They hardly look at words; the recurrent "
                "states below have to do."
                if at_end > rows.SINK
                else "."
            )
        )
        scores = [cards.chrf(name) for name in compared]
        st.table(
            [
                {"Model": name, "chrF on the test split": number(score, 1)}
                for name, score in zip(compared, scores, strict=True)
            ],
            hide_index=True,
        )
        qualities = [cards.quality(score, scores[0]) for score in scores[1:]]
        below, above = (BESIDE[one] for one in qualities)
        st.markdown(
            f"The hybrid is **{below}** its recurrent parts alone, and **{above}** the Transformer, which has "
            f"{config.n_layers} such layers in its encoder and no recurrence. "
            + SLOGAN[judged(*(one == "better" for one in qualities))]
        )

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "Each mechanism bets on what can be left out: distant words, rare pairs, fine differences. Which bet is right "
    "depends on the task. **What is all this good for?**"
)
story.closing("efficient")
