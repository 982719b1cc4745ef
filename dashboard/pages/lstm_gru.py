"""Gated cells: every gate of an LSTM and a GRU on this sentence, the ledger of a unit, and what the gates bring."""

import streamlit as st

from dashboard import cards, charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import recurrent
from viz.numbers import number, rough

NAMES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
FATES = {"vanishes": "**vanishes**", "holds": "**holds**", "explodes": "**explodes**"}
LISTED = 12  # steps in the ledger: those up to the one that is shown

story.opening("lstm-gru", "LSTM and GRU")

translators = registry.finished(task="translation en-fr", family="recurrent", attention=())
trained = {NAMES[str(entry.cell)]: entry.name for entry in translators}
gated = [cell for cell in ("LSTM", "GRU") if cell in trained]

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "A plain RNN makes its whole state anew at every token, so what was read first fades. What is missing is a way "
    "for the network to choose, unit by unit, what to keep, what to let in and what to overwrite."
)

st.subheader(story.SEE, anchor=False)
st.markdown(
    "A **gate** is a number between 0 (shut) and 1 (open) by which another number is multiplied. The network computes "
    "every gate anew at each token, for each of its **units** (the numbers of its state). The **LSTM** (Hochreiter and "
    "Schmidhuber 1997; its forget gate is from Gers, Schmidhuber and Cummins 2000) has three and keeps a second state "
    "c behind them; the **GRU** (Cho et al. 2014) has two, and no second state."
)
with st.container(horizontal=True):
    cell = st.segmented_control("Cell", gated, default=gated[0], key="cell", bind="query-params", required=True)
    side = st.segmented_control(
        "Side", ("encoder", "decoder"), default="encoder", key="side", bind="query-params", required=True
    )
traces = controls.run_or_explain(trained[cell])
if traces is None:
    st.stop()
trace = traces[0]
tokens = trace.source_tokens
matrix(figures.gates(trace, side), key="gates", columns=2)
st.caption(
    "A row is a token: of the encoder the English one read, of the decoder the French one written from it. A column is "
    "a unit; a wide picture scrolls. Gates lie between 0 and 1, so they use one half of the scale only."
)

st.subheader(story.STEP, anchor=False)
model = runs.load(trace.model)
layer, inputs = recurrent.encoder(model), recurrent.embedded(model, trace.text)
units = layer.hidden_size
if cell == "LSTM":
    lstm = recurrent.lstm_ledger(layer, inputs)
    st.latex(r"c_t = f \odot c_{t-1} + i \odot g \qquad h_t = o \odot \tanh(c_t)\;")
    columns = {
        "f": lstm.f, "old c": lstm.before, "f · c": lstm.f * lstm.before,
        "i": lstm.i, "g": lstm.g, "i · g": lstm.i * lstm.g,
        "new c": lstm.cell, "o": lstm.o, "h": lstm.hidden,
    }  # fmt: skip
    hidden = lstm.model
else:
    gru = recurrent.gru_ledger(layer, inputs)
    st.latex(r"h_t = (1 - z) \odot n + z \odot h_{t-1}\;")
    columns = {
        "1 − z": 1 - gru.z, "n": gru.n, "(1 − z) · n": (1 - gru.z) * gru.n,
        "z": gru.z, "old h": gru.before, "z · h": gru.z * gru.before,
        "h": gru.hidden,
    }  # fmt: skip
    hidden = gru.model
st.markdown(
    "In the encoder, every unit keeps a ledger of its own (⊙ multiplies unit by unit): one summand is what stays of "
    "the old value, the other what comes in."
)


def formula(step: int, unit: int) -> str:
    """Fill the formula in with one unit's numbers."""
    x = {name: float(values[step, unit]) for name, values in columns.items()}
    if cell == "LSTM":
        return rf"""\begin{{aligned}}
            c_{{{step},\,{unit}}} &= {x["f"]:.4f} \cdot ({x["old c"]:.4f}) \\
            &\quad + {x["i"]:.4f} \cdot ({x["g"]:.4f}) \\[3pt]
            &= {x["f · c"]:.4f} {x["i · g"]:+.4f} = {x["new c"]:.4f} \\[6pt]
            h_{{{step},\,{unit}}} &= {x["o"]:.4f} \cdot \tanh({x["new c"]:.4f}) = {x["h"]:.4f}
            \end{{aligned}}\;"""
    return rf"""\begin{{aligned}}
        h_{{{step},\,{unit}}} &= {x["1 − z"]:.4f} \cdot ({x["n"]:.4f}) \\
        &\quad + {x["z"]:.4f} \cdot ({x["old h"]:.4f}) \\[3pt]
        &= {x["(1 − z) · n"]:.4f} {x["z · h"]:+.4f} = {x["h"]:.4f}
        \end{{aligned}}\;"""


def one_step(step: int) -> None:
    """Work out one unit at one token, and list its ledger up to there."""
    unit = st.slider("Unit", 0, units - 1, 0, key="unit", bind="query-params")
    ours, used = float(columns["h"][step, unit]), float(hidden[step, unit])
    left, right = st.columns([2, 3], gap="medium")
    with left:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"The token at position {step}; positions count from 0")
            st.text(tokens[step])
        st.latex(formula(step, unit))
        with st.container(horizontal=True):
            st.metric("By the formula", number(ours, 4), width="content")
            st.metric("In the model", number(used, 4), width="content")
            st.metric("Difference", rough(abs(ours - used)), width="content")
        st.caption("Ours is worked out in double precision, the model's in single: the difference is rounding.")
    listed = slice(max(0, step + 1 - LISTED), step + 1)
    right.dataframe(
        {
            "t": range(len(tokens))[listed],
            "token": tokens[listed],
            **{name: values[listed, unit] for name, values in columns.items()},
        },
        key="ledger",
        hide_index=True,
        height="content",
        column_config=dict.fromkeys(columns, st.column_config.NumberColumn(format="%.4f")),
    )


controls.stepper(one_step, tokens, label="Token: drag or play to read on")

st.subheader(story.MEASURE, anchor=False)
guess = st.container()
words, picture = st.columns([2, 3], gap="large")
with picture:
    place = st.container()
    measured = measure.measured(
        recurrent.relative_gradient_norms, tuple(trained.values()), trace.text, key="gradients"
    ).value
    norms = dict(zip(trained, measured, strict=True))
    place.plotly_chart(
        charts.over_tokens(norms, tokens, y_axis="norm, as a share of the last", log_y=True, theme=controls.theme()),
        key=f"gradients-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Norm of the gradient at every token, for each cell",
    )
with words:
    st.markdown(
        "**Gates keep gradients alive.** Where f in the LSTM or z in the GRU is near 1, the old value passes on almost "
        "whole, and so does its gradient on the way back. Drawn for the encoders of the finished translators: how much "
        "the last state changes with each token's embedding, as a share of the last token's."
    )
    with st.container(horizontal=True):
        for name, values in norms.items():
            st.metric(f"{name}, first token", rough(values[0], 2), width="content")
    st.markdown(
        "From the last token back to the first the gradient "
        + ", ".join(f"{FATES[recurrent.fate(values)]} in the {name}" for name, values in norms.items())
        + "."
    )
    st.caption("The rule: below a tenth of the last token's norm it vanishes, above ten times it explodes.")
if len(norms) > 1:
    with guess:
        shares = [float(values[0]) for values in norms.values()]
        controls.prediction(
            "Nudge the embedding of the first token and see how far the last state moves; then nudge that of the last. "
            "In which cell does the first token count most, as a share of the last?",
            tuple(norms),
            shares.index(max(shares)),
            key="guess",
            why="The first token's share is "
            + ", ".join(f"{rough(share, 2)} in the {name}" for name, share in zip(norms, shares, strict=True))
            + ".",
        )

if len(gated) == 2:
    pair = tuple(trained[cell] for cell in gated)
    pair_cards = [runs.card(name) for name in pair]
    layers = [recurrent.encoder(runs.load(name)) for name in pair]
    words, picture = st.columns([2, 3], gap="large")
    with picture:
        place = st.container()
        speeds = measure.measured(recurrent.reading_speeds, pair, trace.text, key="speeds").value
    chrf = [cards.chrf(name) for name in pair]
    rows = {
        "Units of the encoder": [f"{one.hidden_size}" for one in layers],
        "Its parameters": [f"{recurrent.n_parameters(one):,}" for one in layers],
        "Tokens it reads a second": [f"{speed:,.0f}" for speed in speeds],
        "Parameters in all": [f"{card['parameters']:,}" for card in pair_cards],
        "Tokens trained on": [f"{card['target_tokens'] / 1e6:.1f} M" for card in pair_cards],
        "Score (chrF)": [f"{score:.1f}" for score in chrf],
    }
    numbers = dict(zip(gated, zip(*rows.values(), strict=True), strict=True))
    place.dataframe({"measured": list(rows)} | numbers, key="table", hide_index=True)
    with words:
        st.markdown(
            "**GRU against LSTM.** A GRU is said to need fewer parameters (learnt numbers), to be faster, and to be "
            "about as good. With as many units it has exactly three quarters of an LSTM layer's parameters; these two "
            "translators were made about equally large instead, so that the GRU has more units."
        )
        pace, quality = recurrent.pace(speeds), cards.quality(*chrf)
        st.markdown(
            f"This GRU reads {speeds[1] / speeds[0]:.2f} times as many tokens a second: **{pace}**. Its translations "
            f"score {chrf[1]:.1f} against {chrf[0]:.1f}: **{quality}**."
        )
        st.caption(
            f"The rules: up to {recurrent.AS_FAST:.0%} counts as equally fast, up to {cards.AS_GOOD:g} point as about "
            "as good. Each was trained once, so a small difference may be luck. chrF (Popović 2015), 0 to 100, "
            "compares the test sentences' translations with a person's, letter by letter."
        )

plot = cards.recall_by_distance(theme=controls.theme())
if plot is not None:
    words, picture = st.columns([2, 3], gap="large")
    picture.plotly_chart(
        plot,
        key=f"recall-{controls.theme()}",
        config={"displayModeBar": False},
        alt="Share of right answers against distance, for each cell",
    )
    words.markdown(
        "**Remembering.** Not your sentence, but a test made for memory: small networks of about one size read facts, "
        "a letter and a digit each, as in `a3 c7 a5 b1 ? a`, and must name the last digit of a letter. The farther "
        "back it stands, the longer it must be kept while other facts change. Measured after their training, on texts "
        "that they had never seen."
    )

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "Gates choose what to keep, but the state has no more room for a long sentence than for a short one: when it ends, "
    "all that a translator is given is still one vector. And every state waits for the one before it, so reading "
    "cannot be done in parallel."
)
story.closing("lstm-gru")
