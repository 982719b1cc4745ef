"""Multi-head attention: all heads of a Transformer, what each does and is worth, and the translation without some."""

from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from dashboard import cards, charts, controls, figures, heads, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import heads as analysis
from pretrained.analysis import roles
from viz.numbers import number, percent, rough

if TYPE_CHECKING:
    from pretrained.architectures.transformer import Transformer
    from pretrained.translation import Translator

story.opening("multi-head", "Multi-head")

st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "One look of self-attention shares a weight of 1 among all tokens and mixes what they hold into **one** vector. "
    "But a word may need several things at once: its neighbours, its verb, what *it* stands for."
)

(ours,) = registry.finished(task="translation en-fr", family="attention", positions="sinusoidal", parent=None)
traces = controls.run_or_explain(ours.name)
if traces is None:
    st.stop()
(trace,) = traces
model = cast("Translator", runs.load(ours.name))
config = cast("Transformer", model.network).config

st.subheader(story.SEE, anchor=False)
st.markdown(
    f"The Transformer (Vaswani et al. 2017, section 3.2.2) looks several times side by side. Each look is a **head** "
    f"with queries, keys and values of its own. Here every layer has {config.n_heads} heads, each {config.d_head} "
    f"numbers wide: together as wide as a token's vector, {config.n_heads} · {config.d_head} = {config.d_model}. So "
    "several heads cost about as much as a single wide one."
)
kinds = {kind: trace.attention_of(kind) for kind in ours.attention}
kind = str(
    st.segmented_control(
        "Attention", list(kinds), default=ours.attention[0], key="kind", bind="query-params", required=True,
        format_func=figures.TITLES.__getitem__,
    )
    or ours.attention[0]
)  # fmt: skip
maps = kinds[kind]
grid = f"heads-{kind}"
drawn = {grid: figures.all_heads(maps, model=trace.model)}
names = tuple(one.short for one in drawn[grid])
vectors = cast("Transformer", model.network).embedding.weight.detach().numpy()[list(model.cut(trace.text).ids)]
scored = np.concatenate([roles.scores(one, vectors if kind == "encoder-self" else None) for one in maps])
layer, head = heads.choose(drawn, config.n_layers, config.n_heads)
chosen = layer * config.n_heads + head
large, small = st.columns([3, 2], gap="medium")
with large:
    matrix([figures.attention(maps[layer], head, model=trace.model)], key=f"head-{kind}")
with small:
    st.caption(
        "Every head of this attention, a line for each layer: click one to see it large. Both count from 0; "
        f"{names[chosen]} is layer {layer}, head {head}."
    )
    heads.grid(grid, drawn[grid], chosen, columns=config.n_heads)
    held = roles.held(scored[chosen])
    st.markdown(
        f"On this sentence head {names[chosen]} "
        + (f"has the role **{'**, **'.join(held)}**." if held else "has **none** of the roles named below.")
    )
    st.caption(
        "A weight says how much was mixed in, not what it holds nor what it is used for: attention is not an "
        "explanation."
    )

st.subheader(story.STEP, anchor=False)
st.latex(
    r"\begin{aligned} \mathrm{MultiHead}(x) &= [\,o_0 ; o_1 ; \dots\,]\, W_O + b \\ "
    r"&= \textstyle\sum_h o_h W_O^{(h)} + b \end{aligned}\;"
)
st.markdown(
    "Each head $h$ mixes its values to $o_h$. The slices are put side by side and projected by $W_O$. That is the "
    "same as a **sum**: every head's slice, times its own rows of $W_O$, is its part of what is added to the token's "
    "vector. So heads can be weighed one by one."
)
rows = maps[layer].query_tokens
# A place of a longer sentence may have been left behind.
if int(st.session_state.get("row", 0)) >= len(rows):
    del st.session_state["row"]
row = (
    int(st.slider("Row of the map, counted from 0", 0, len(rows) - 1, 0, key="row", bind="query-params"))
    if len(rows) > 1
    else 0
)
update = analysis.update(model, trace.text, kind, layer, row)


def part_by_part(step: int) -> None:
    """Draw what the heads up to one give this token, that head's numbers, and at last the sum."""
    picture, words = st.columns([3, 2], gap="large")
    last = step == config.n_heads
    with picture:
        joined, parts = figures.one_update(update, step + 1, model=f"{trace.model}, {kind} {layer}")
        matrix([joined], key="joined")
        shown = len(parts.query_tokens) - 1 if last else step
        matrix([parts], key="parts", rows=shown + 1, current_row=shown)
    with words:
        with st.container(border=True, gap="xsmall"):
            st.caption(f"{figures.TITLES[kind]}, layer {layer}, row {row}")
            st.text(rows[row])
        if last:
            st.latex(
                rf"u = \textstyle\sum_h o_h W_O^{{(h)}} + b,\quad \lVert u \rVert = {np.linalg.norm(update.own):.2f}"
            )
            st.metric("Sum of the parts against the model's own update", rough(update.difference))
            st.caption("The largest difference over all units: rounding in single precision.")
        else:
            keys = np.argsort(-update.weights[step], kind="stable")[:3]
            mixture = [rf"{update.weights[step, key]:.2f}\,v_{{{key}}}" for key in keys]
            mixture += [r"\dots"] * (update.weights.shape[1] > len(mixture))
            st.latex(
                rf"""\begin{{aligned}}
                o_{step} &= {" + ".join(mixture)} \\
                \lVert o_{step} W_O^{{({step})}} \rVert &= {update.lengths[step]:.2f}
                \end{{aligned}}\;"""
            )
            st.caption("The tokens that it looks at most, by their numbers:")
            st.text("   ".join(f"{key}  {maps[layer].key_tokens[key]}" for key in keys))
        named = [*(f"head {one}" for one in range(config.n_heads)), "bias"]
        st.dataframe(
            {
                "part": named[: step + 1],
                "length": [number(one, 2) for one in (*update.lengths, np.linalg.norm(update.bias))][: step + 1],
                "of the update": [percent(one) for one in update.shares][: step + 1],
            },
            hide_index=True,
        )


controls.stepper(
    part_by_part,
    (*(f"head {one}" for one in range(config.n_heads)), "sum"),
    key="part",
    label="Head, then the sum: drag or play",
)
st.caption(
    "Of the update: how far a part goes the way that the whole goes, as a share of it. Below 0 it works against the "
    "others; with the bias all shares are 100% together."
)

st.subheader(story.MEASURE, anchor=False)
st.markdown("**“Heads differ.”** Said to see local, distant, syntactic and semantic relations, each its own.")
left, right = st.columns([1, 1], gap="medium")
with left:
    matrix([figures.head_roles(scored, names, model=f"{trace.model}, {kind}")], key=f"roles-{kind}")
with right:
    alike = analysis.similarity(maps).astype(np.float32)
    matrix([figures.similar_heads(alike, names, model=f"{trace.model}, {kind}")], key=f"alike-{kind}")
agreed = analysis.agreement(maps)
given = [roles.held(one) for one in scored]
kinds_of_role = sorted({name for one in given for name in one})
st.markdown(
    f"Two heads look most at the same token in **{percent(agreed)}** of the rows, on average over all pairs. "
    + (
        "**They differ: the claim holds here**"
        if analysis.differ(agreed)
        else "**They mostly agree: the claim does not hold here**"
    )
    + f" (the rule: less than half). {sum(map(bool, given))} of {len(given)} heads have a role, and "
    + (f"these are found: {', '.join(kinds_of_role)}." if kinds_of_role else "no role is found.")
)
if st.toggle("Show what the roles mean, and their thresholds", key="roles", bind="query-params"):
    st.table(
        {
            "role": [role.name for role in roles.ROLES],
            "the head looks at": [role.looks_at for role in roles.ROLES],
            "from": [f"{role.threshold:g}" for role in roles.ROLES],
            "heads": [sum(role.name in one for one in given) for role in roles.ROLES],
        },
        hide_index=True,
    )
    st.caption(
        "A score is the mean weight on these tokens beyond an even look, (w − e) / (1 − e), cut at −1; only the "
        "score of broad is an entropy. A head has a role from the threshold on. Names after Clark et al. 2019, Voita "
        "et al. 2019 and Olsson et al. 2022 (induction); rules and thresholds are ours. How alike: 1 minus the "
        "Jensen-Shannon distance of two heads' rows, in the mean."
    )
syntax = cards.syntax(ours.name)
if syntax is not None:
    st.markdown(
        "**Syntactic?** Does a head look from a word to the word that it depends on, as from an adjective to its noun? "
        f"Tried on {syntax.sentences} sentences parsed by people, after Clark et al. 2019, section 4.2, against a rule "
        "that knows no words: always the word so many places away. The best head beats the best such offset in "
        f"**{syntax.better} of {len(syntax.relations)}** relations. "
        + ("Some heads know syntax." if syntax.is_known else "That is little sign of syntax.")
    )
    st.table(charts.relation_table(syntax.relations), hide_index=True)
    st.caption(
        "Measured after training, on UD English EWT. Head and offset were chosen on one half of the sentences, and "
        "scored on the other."
    )

st.markdown(
    "**“Heads are redundant.”** Michel, Levy and Neubig (2019) and Voita et al. (2019) switched heads off in trained "
    "models and lost little. A head that is **off** still looks, but its slice is replaced by zeros: it hands over "
    "nothing."
)
clearest = analysis.Head("encoder-self", *roles.looks_back(kinds["encoder-self"]))
without = runs.run(trace.model, trace.text, (clearest.off,))
controls.prediction(
    f"Of the encoder's heads, {clearest.layer}.{clearest.number} looks most at the token before. It is switched off. "
    "Will the translation change?",
    ("It stays the same", "It changes"),
    int(without.target_tokens != trace.target_tokens),
    key=f"off-{trace.text}",
    why=f"Its log-probability was {number(trace.log_probability, 2)}; what is written without that head has "
    f"{number(without.log_probability, 2)}.",
)


@st.fragment
def switch_off() -> None:
    """Let the reader switch heads off, and draw what the model writes without them."""
    offered = {str(one): one for one in analysis.heads(model)}
    last = [name for name, one in offered.items() if one.kind == "cross" and one.layer == config.n_layers - 1]
    off = st.multiselect(
        "Heads that are off: any, and as many as you like",
        list(offered),
        default=last,
        key="off",
        bind="query-params",
    )
    changed = runs.run(trace.model, trace.text, tuple(offered[name].off for name in off))
    for column, title, one in zip(st.columns(2), ("All heads", "Without these"), (trace, changed), strict=True):
        with column:
            st.caption(f"{title}: what is written has log-probability {number(one.log_probability, 2)}")
            controls.translation(one)
    same = changed.target_tokens == trace.target_tokens
    st.markdown("**The translation stays the same.**" if same else "**The translation changes.**")


switch_off()
st.markdown("And all of them: each alone, then more and more together, those first that matter least alone.")
result = measure.measured_on_request(
    analysis.pruned, (trace.model,), trace.text, key="pruned", label="Switch every head off in turn"
)
if result is not None:
    found: analysis.Pruned = result.value
    alone, total, verdict = found.importance, found.importance.n_heads, found.are_redundant
    left, right = st.columns([2, 3], gap="medium")
    with left:
        matrix([figures.head_importance(alone, model=trace.model)], key="importance")
    with right:
        st.plotly_chart(
            charts.fewer_heads(found, theme=controls.theme()),
            key=f"fewer-{controls.theme()}",
            config={"displayModeBar": False},
            alt=f"Log-probability of the translation with 0 to {total} heads off",
        )
        st.caption(f"The dotted line: {found.spared} heads off, the last point with the same translation.")
        st.markdown(
            f"Alone, {alone.n_needed} of {total} heads change the translation. Together, **{found.spared} of {total}** "
            "can be off before it changes: "
            + (
                "at least a third. **The claim holds here.**"
                if verdict == "holds"
                else "some, but less than a third. **The claim holds here in part.**"
                if verdict == "in part"
                else "none. **The claim does not hold here.**"
            )
        )
        if found.spared < total:
            st.caption("With one head more off it writes:")
            st.text(found.after or "(nothing)")
        st.caption(
            "The order is fixed by what each head does alone; another order may spare more. One sentence is no proof: "
            "another may need what is spared here. Try a long one."
        )

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "Some heads find the token before, yet the rule of attention knows **no order**: were the words shuffled, every "
    "head would give each the same mixture as before. Where a token stands must be put into its vector beforehand: its "
    "**position**."
)
story.closing("multi-head")
