"""The same machine at other tasks: translation, compression, questions, continuation and dates, one at a time."""

import math
from typing import TYPE_CHECKING, cast

import streamlit as st

from dashboard import charts, controls, figures, measure, runs, story
from dashboard.components.matrix import matrix
from pretrained import registry
from pretrained.analysis import facts, keeping, left_out, rows, surprise, writing
from pretrained.model import TextError
from viz.bars import percent
from viz.matrix import number

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.elements.lib.column_types import ColumnConfig

    from pretrained.analysis.left_out import LeftOut
    from pretrained.compression import Compressor
    from pretrained.registry import Entry
    from pretrained.trace import Trace
    from viz.matrix import Matrix

STORIES = {
    "One fact": "Mary went to the kitchen. John moved to the garden. Sandra travelled to the office. Where is Mary?",
    "Two facts": "John got the milk there. Mary moved to the office. John went to the garden. Where is the milk?",
    "Yes or no": "John moved to the bedroom. Mary went to the hallway. John went back to the kitchen. "
    "Is John in the bedroom?",
    "Deduction": "Wolves are afraid of mice. Sheep are afraid of wolves. Cats are afraid of sheep. "
    "Mice are afraid of cats. Jessica is a sheep. Emily is a cat. What is Jessica afraid of?",
}
SUPPORTING = {"One fact": {0}, "Two facts": {0, 2}, "Yes or no": {2}, "Deduction": {1, 4}}
"""Lines that the answer follows from, counted from 0."""
STORY, DATE = "story", "date"
MOST_WORDS = 24  # that are left out in turn: each costs the model a reading of the sentence
NO_EXPLANATION = (
    "A share says where a head looked, not why the model wrote what it wrote: other heads and layers decide too. "
    "**Attention is not an explanation**; whether it points at what matters is measured below."
)


def scores(*shown: tuple[str, str]) -> None:
    """Draw what was measured after training, the model's own first."""
    with st.container(horizontal=True):
        for label, value in shown:
            st.metric(label, value, width="content")


def share_column(name: str) -> "ColumnConfig":
    """Describe a table's column of shares: a bar from 0 to 100%, and the number."""
    return st.column_config.ProgressColumn(name, format="percent", min_value=0.0, max_value=1.0)


def token_by_token(trace: "Trace", drawn: "Matrix") -> None:
    """Step through an output: where each token looked, what it could have been, and the product so far."""
    so_far = writing.probability_so_far(trace)
    st.markdown(
        "A score for every token that it knows goes through a **softmax**, which makes them probabilities p; the "
        "likeliest is written, then the next is asked for. The probability P of all that is written is their product."
    )

    def at_step(step: int) -> None:
        picture, words = st.columns([3, 2], gap="large")
        with picture:
            matrix([drawn], key="grown", rows=step + 1, current_row=step)
        with words:
            controls.written_so_far(trace, step)
            before, now = so_far[step - 1] if step else 1.0, trace.candidates[step][0].probability
            st.latex(
                rf"P_{{{step}}} = {charts.power(before)} \cdot {charts.power(now)} = {charts.power(so_far[step])}\;"
            )
            controls.candidates(trace, step)

    controls.stepper(at_step, trace.target_tokens, label="Output step: drag or play to see it grow")


def which_is_looked_at(trace: "Trace", drawn: "Matrix", *, written: str, read: str) -> None:
    """Ask for the token that the most distant row looks at."""
    asked = rows.question(drawn.weights)
    st.caption(f"Number {asked.row} of what it writes, counted from 0, and what it may look at, with numbers:")
    st.text(
        f"{drawn.query_tokens[asked.row]}  ←  " + "   ".join(f"{key} {drawn.key_tokens[key]}" for key in asked.keys)
    )
    controls.prediction(
        f"Which of them is looked at most while {written} {asked.row} is written?",
        [f"{read} {key}" for key in asked.keys],
        asked.answer,
        key=f"looks-{trace.model}-{trace.text}",
        why=f"It gets {percent(float(drawn.weights[asked.row].max()))} of the row. Of all rows, this one looks "
        "furthest away from the same place.",
    )


def what_matters(trace: "Trace", parts: tuple[tuple[int, int], ...], layer: int, head: int | None, part: str) -> None:
    """Leave out each part of what was read, and say whether attention points at the one that matters."""
    st.markdown(
        f"**“Attention points at what matters.”** If so, the {part} looked at most should be missed most. Each {part} "
        "is left out in turn, and the model is asked how likely its own first output still is, and what it writes now "
        "(*comprehensiveness*, DeYoung et al. 2020)."
    )
    place = st.container()
    found: LeftOut | None = measure.measured(
        left_out.left_out, (trace.model,), trace.text, parts, layer, head, key="left-out", what="this text"
    ).value
    with place:
        if found is None:
            st.info(f"There is but one {part} to leave out, and no other to compare it with. Type a longer text.")
            return
        table, outputs = st.columns([3, 2], gap="large")
        with table:
            st.dataframe(
                charts.left_out_table(found, [trace.text[start:end] for start, end in parts]),
                key="left-out-table",
                hide_index=True,
                column_config={
                    "part": st.column_config.TextColumn(f"{part.capitalize()} left out", pinned=True),
                    "share": st.column_config.ProgressColumn(
                        "Looked at", format="percent", min_value=0.0, max_value=1.0
                    ),
                    "without": st.column_config.ProgressColumn(
                        "Probability then", format="percent", min_value=0.0, max_value=1.0
                    ),
                },
            )
        with outputs:
            for title, output in (
                (f"Whole: {percent(found.probability)} a token", found.output),
                (f"Without what is looked at most: {percent(found.without[found.most])}", found.without_most),
                (f"Without what is looked at least: {percent(found.without[found.least])}", found.without_least),
            ):
                with st.container(border=True, gap="xsmall"):
                    st.caption(title)
                    st.text(output or "(nothing)")
        st.markdown(
            (
                f"**The claim holds here**: no {part} is missed more than the one looked at most. "
                if found.points and found.matters == found.most
                else f"**The claim holds here in part**: what is looked at most is missed more than what is looked at "
                f"least, but another {part} is missed even more. "
                if found.points
                else "**The claim does not hold here**: what is looked at most is missed no more than what is looked "
                "at least. "
            )
            + "One text is no proof. The probability is the geometric mean over the tokens of the first output."
        )


def translation(model: "Entry") -> None:
    """The sentence in the bar, in French."""
    traces = controls.run_or_explain(model.name)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    layer, head = card["alignment"]["chosen"]["layer"], card["alignment"]["chosen"]["head"]
    drawn = figures.source_attention(trace, layer, head)
    st.subheader(story.SEE, anchor=False)
    controls.translation(trace)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "**In**: an English sentence. **Out**: a French one, as long as the model finds right. Drawn is the layer "
            "of the decoder that agrees best with links that people made between words."
        )
        which_is_looked_at(trace, drawn, written="French token", read="English token")
        st.markdown(NO_EXPLANATION)
    with picture:
        matrix([drawn], key="translation")
    st.subheader(story.STEP, anchor=False)
    token_by_token(trace, drawn)
    st.subheader(story.MEASURE, anchor=False)
    (baseline,) = registry.finished(task=story.TRANSLATION, cell="gru", attention=())
    ours, other = (runs.card(one.name)["scores"]["test"]["metrics"]["chrf"] for one in (model, baseline))
    scores(("This model, chrF", number(ours, 1)), ("Baseline: one vector, no attention", number(other, 1)))
    st.caption(
        f"On {card['scores']['test']['count']:,} test sentences, after training. chrF, 0 to 100, compares letters and "
        "runs of letters with a person's translation (Popović 2015). Chance is near 0: words by lot share few runs."
    )
    what_matters(trace, left_out.words(trace.text)[:MOST_WORDS], layer, head, "word")
    st.caption(
        f"Of a long sentence, its first {MOST_WORDS} words are left out in turn; *looked at* is the drawn layer's."
    )


def dates(model: "Entry") -> None:
    """A date as people write it, as year, month and day."""
    typed = st.text_input(
        "A date, as you would write it", "Thursday, the 5th of July 2001", key=DATE, bind="query-params", max_chars=60
    )
    traces = controls.run_or_explain(model.name, text=typed)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    drawn = figures.date_alignment(trace)
    st.subheader(story.SEE, anchor=False)
    controls.translation(trace)
    words, picture = st.columns([2, 3], gap="large")
    with words:
        st.markdown(
            "**In**: a date, read character by character. **Out**: year, month and day in ten characters. The "
            "encoder-decoder with attention of 2015 (Bahdanau et al.), made small."
        )
        which_is_looked_at(trace, drawn, written="character", read="Character")
        st.markdown(NO_EXPLANATION)
    with picture:
        matrix([drawn], key="dates")
    st.subheader(story.STEP, anchor=False)
    token_by_token(trace, drawn)
    st.subheader(story.MEASURE, anchor=False)
    test = card["scores"]["test"]
    scores(
        ("Right to the last character", percent(test["metrics"]["exact_match"])),
        ("Baseline: a few rules", percent(test["metrics"]["baseline"])),
        ("Chance: naming any day", percent(test["metrics"]["chance"])),
    )
    st.caption(
        f"On {test['count']:,} made-up dates of days that the training never saw, after training. The rules read the "
        "digits, and the first three letters of a month."
    )
    what_matters(trace, left_out.words(trace.text), 0, 0, "word or number")


def compression(model: "Entry") -> None:
    """The sentence in the bar, with words left out."""
    traces = controls.run_or_explain(model.name)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    compressor = cast("Compressor", runs.load(model.name))
    decided = keeping.decisions(compressor, trace.text)
    words, keep = tuple(trace.text[one.start : one.end] for one in decided), [one.keep for one in decided]
    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "**In**: a sentence. **Out**: the same sentence, shorter. No word is written: an encoder reads all words at "
        "once, and **keeps or drops each** (Filippova et al. 2015). It was trained on the first sentences of news."
    )
    ranked = sorted(range(len(words)), key=keep.__getitem__)
    asked = sorted({ranked[0], *ranked[-2:]})
    said, picture = st.columns([3, 2], gap="large")
    with said:
        st.caption("Words of your sentence, with their numbers, counted from 0; signs count as words:")
        st.text("   ".join(f"{place} {words[place]}" for place in asked))
        if len(asked) > 1:
            controls.prediction(
                "Which of them is it least likely to keep?",
                [f"Word {place}" for place in asked],
                asked.index(ranked[0]),
                key=f"drops-{trace.text}",
                why=f"It keeps it with {percent(keep[ranked[0]])}, the least of all {len(words)}; the one it is surest "
                f"to keep has {percent(keep[ranked[-1]])}.",
            )
        for title, text in (("Your sentence", trace.text), ("What is left of it", trace.output)):
            with st.container(border=True, gap="xsmall"):
                st.caption(title)
                st.text(text or "(nothing)")
        with st.container(horizontal=True):
            st.metric("Words", f"{len(words)} → {len(trace.target_tokens)}", width="content")
            st.metric("Characters", f"{len(trace.text)} → {len(trace.output)}", width="content")
    with picture:
        matrix([figures.keep_or_drop(keep, words, model=trace.model)], key="kept")

    st.subheader(story.STEP, anchor=False)
    st.markdown(
        "Each word gets one score x. Keeping has score x and dropping has score 0: the softmax of these two is the "
        "**sigmoid**, 1 / (1 + e⁻ˣ). Above one half the word stays."
    )

    def word_by_word(step: int) -> None:
        one = decided[step]
        numbers, result = st.columns(2, gap="large")
        with numbers:
            with st.container(border=True, gap="xsmall"):
                st.caption(f"Word {step}")
                st.text(words[step])
            st.latex(
                rf"""\begin{{aligned}}
                p_{{{step}}} &= \frac{{e^x}}{{e^x + e^0}} = \frac{{1}}{{1 + e^{{-x}}}},\quad x = {one.score:.2f} \\[4pt]
                &= \frac{{1}}{{1 + {math.exp(-one.score):.3g}}} = {charts.power(one.keep)}
                \end{{aligned}}\;"""
            )
        with result:
            scores(("Keep", percent(one.keep)), ("Drop", percent(1 - one.keep)))
            with st.container(border=True, gap="xsmall"):
                st.caption(f"It {'stays' if one.kept else 'is dropped'}. Left after word {step}:")
                st.text(keeping.left(trace.text, decided[: step + 1]) or "(nothing)")

    controls.stepper(word_by_word, words, key="word", label="Word: drag or play to decide on the next")

    st.subheader(story.MEASURE, anchor=False)
    test = card["scores"]["test"]
    scores(
        ("This model, F1", percent(test["metrics"]["f1"])),
        (f"Baseline: the first {test['lead']['best']['words']} words", percent(test["metrics"]["baseline"])),
        ("Chance: words by lot", percent(test["metrics"]["chance"])),
    )
    st.caption(
        f"On {test['count']:,} test sentences, after training. F1 is the harmonic mean of two shares: how many of the "
        "kept words the reference keeps too, and how many of the reference's were kept. The reference was made by "
        "rule, with the article's headline (Filippova and Altun 2013). By lot means as many words as should stay. The "
        f"model keeps {percent(test['metrics']['kept'])} of all words; {percent(test['metrics']['exact_match'])} of "
        "its compressions are right to the last word."
    )
    st.markdown(
        "**“Words are judged together.”** Each word is decided by itself, but after looking at all others. So does a "
        "decision change if **another** word is left out of your sentence? Each is left out in turn."
    )
    place = st.container()
    changed = measure.measured(keeping.flips, (model.name,), trace.text, key="flips").value
    with place:
        if changed.any():
            st.plotly_chart(
                charts.over_tokens(
                    {"other decisions that change": changed},
                    words,
                    x_axis="word left out",
                    y_axis="other decisions that change",
                    theme=controls.theme(),
                ),
                key=f"flips-{controls.theme()}",
                config={"displayModeBar": False},
                alt="How many decisions about other words change when each word is left out",
            )
        st.markdown(
            f"Leaving out one word changes a decision about another for {int((changed > 0).sum())} of {len(words)} "
            "words: "
            + ("**the claim holds here.**" if changed.any() else "**the claim does not show on this sentence.**")
        )


def questions(model: "Entry") -> None:
    """A story and a question of the reader's own, and the answer."""
    with st.container(horizontal=True, gap="small"):
        for name, example in STORIES.items():
            st.button(name, key=f"tell-{name}", on_click=st.session_state.__setitem__, args=(STORY, example))
    typed = st.text_area(
        "A story, then a question", STORIES["One fact"], key=STORY, bind="query-params", max_chars=2000, height=90
    )
    try:
        told = facts.told(typed)
    except TextError as error:
        controls.explain(error, "where it is")
        return
    traces = controls.run_or_explain(model.name, text=told.text)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    layer, head = card["supporting_facts"]["layer"], card["supporting_facts"]["head"]
    shares = left_out.shares(trace, told.spans)
    even, chosen = 1 / len(told.lines), shares[layer, head]
    known = next((SUPPORTING[name] for name, example in STORIES.items() if example == typed), None)

    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "**In**: a story and a question about it (bAbI; Weston et al. 2015). **Out**: the answer. The model knows some "
        "170 words, those of such stories. Nobody tells it which lines matter."
    )
    asked = sorted(sorted(range(len(told.lines)), key=lambda line: -chosen[line])[:3])
    table, picture = st.columns([3, 2], gap="large")
    with table:
        if len(asked) > 1:
            controls.prediction(
                f"Which line does head {layer}.{head} look at most while it answers?",
                [f"Line {line}" for line in asked],
                asked.index(int(chosen.argmax())),
                key=f"line-{typed}",
                why=f"It gets {percent(float(chosen.max()))} of the attention; an even look would give every line "
                f"{percent(even)}.",
            )
        with st.container(border=True, gap="xsmall"):
            st.caption(f"{trace.model} · {card['parameters'] / 1e6:.2f} M parameters")
            st.text(told.question)
            st.text(trace.output or "(nothing)")
        marks = {} if known is None else {"fact": [line in known for line in range(len(told.lines))]}
        st.dataframe(
            {
                "line": range(len(told.lines)),
                "told": told.lines,
                "share": chosen.tolist(),
                "lit": [float(one) > even for one in chosen],
                **marks,
            },
            key="lines",
            hide_index=True,
            column_config={
                "line": st.column_config.NumberColumn("Line", width=40),
                "told": "The story",
                "share": share_column("Looked at"),
                "lit": st.column_config.CheckboxColumn("Lit", width=40),
                "fact": st.column_config.CheckboxColumn("Fact", width=40),
            },
        )
        st.caption(
            f"Layer {layer}, head {head}, the one that looked most at the supporting facts of other stories. Lit: more "
            f"than an even look, {percent(even)}. What is missing to 100% is on the question and the end sign."
            + ("" if known is None else " Fact: the answer follows from these lines; the model was not told.")
        )
        st.markdown(NO_EXPLANATION)
    with picture:
        matrix(
            [figures.line_shares(shares, model=trace.model)], key="heads", current_row=layer * shares.shape[1] + head
        )

    st.subheader(story.STEP, anchor=False)
    st.markdown(
        "The story is told line by line, and after each line the same question is asked again. The model cannot say "
        "*I do not know*: before it has read the fact, it has to guess."
    )

    def line_by_line(line: int) -> None:
        so_far = told.until(line)
        now = runs.run(model.name, so_far.text)
        found = left_out.shares(now, so_far.spans)[layer, head]
        most = int(found.argmax())
        parts = left_out.weights(now, so_far.spans[most], layer, head)
        words, choice = st.columns(2, gap="large")
        with words:
            with st.container(border=True, gap="xsmall"):
                st.caption(f"Told up to line {line}, then the question")
                st.text("\n".join((*so_far.lines, so_far.question)))
                st.text(f"→ {now.output or '(nothing)'}")
            st.caption(f"Head {layer}.{head} looks most at line {most}: the weights of its tokens, added up.")
            st.latex(
                rf"""\begin{{aligned}}
                s_{{{most}}} &= {charts.long_sum(parts)} \\
                &= {found[most]:.2f}
                \end{{aligned}}\;"""
            )
        with choice:
            st.caption("The ten likeliest answers, or first words of answers")
            controls.bars(now.candidates[0], key="answers", alt=f"The ten likeliest answers after line {line}")

    controls.stepper(line_by_line, told.lines, key="told", label="Lines told: drag or play to tell the story")

    st.subheader(story.MEASURE, anchor=False)
    mean = facts.means(card)
    scores(
        ("Right answers", percent(mean.accuracy)),
        ("Baseline: the commonest answer", percent(mean.baseline)),
        ("Chance: any answer of the task", percent(mean.chance)),
    )
    st.caption(
        f"On the {card['scores']['test']['count']:,} questions of the official test, after training; the mean over its "
        "tasks, each weighted by its questions."
    )
    what_matters(trace, told.spans, layer, head, "line")
    if st.toggle("Show the score of every task", key="tasks", bind="query-params"):
        shown = ("accuracy", "baseline", "chance", "facts", "even")
        names = ("Right", "Commonest answer", "Chance", "Looks at facts", "Their share of the story")
        st.dataframe(
            charts.story_table(card),
            key="by-task",
            hide_index=True,
            height="content",
            column_config={"task": "Task"}
            | {
                column: st.column_config.NumberColumn(name, format="percent")
                for column, name in zip(shown, names, strict=True)
            },
        )
        st.caption(
            f"Looks at facts: the share of head {layer}.{head} on the lines that the answer follows from, while the "
            "right answer is written; beside it, what an even look at all tokens of the story would give."
        )


def generation(model: "Entry") -> None:
    """The sentence in the bar, continued."""
    traces = controls.run_or_explain(model.name)
    if traces is None:
        return
    (trace,), card = traces, runs.card(model.name)
    st.subheader(story.SEE, anchor=False)
    st.markdown(
        "**In**: any English text. **Out**: what might follow it. There is no encoder: text and continuation are one "
        "sequence, of which every token sees those before it (Radford et al. 2019). Here the likeliest token is always "
        "taken, which soon repeats itself; it can be drawn by lot instead."
    )
    with st.container(border=True, gap="xsmall"):
        st.caption(f"{trace.model} · {card['parameters'] / 1e6:.1f} M parameters · your text, then its own")
        st.text(trace.text)
        st.text(trace.output or "(nothing)")
    likely = [best[0].probability for best in trace.candidates]
    sure = int(sum(one > 1 / 2 for one in likely))
    controls.prediction(
        f"It wrote {len(likely)} tokens. How many of them did it hold likelier than all others together?",
        ("Fewer than half", "Half or more"),
        int(2 * sure >= len(likely)),
        key=f"sure-{trace.text}",
        why=f"{sure} of {len(likely)} had a probability above one half.",
    )

    st.subheader(story.STEP, anchor=False)
    so_far = writing.probability_so_far(trace)
    st.markdown(
        "A score for every token that it knows goes through a **softmax**, which makes them probabilities p. One is "
        "written, read again with all before it, and the next is asked for. P is the product of all so far."
    )

    def at_step(step: int) -> None:
        curve, choice = st.columns([3, 2], gap="large")
        with curve:
            controls.written_so_far(trace, step)
            before, now = so_far[step - 1] if step else 1.0, likely[step]
            st.latex(
                rf"P_{{{step}}} = {charts.power(before)} \cdot {charts.power(now)} = {charts.power(so_far[step])}\;"
            )
            st.plotly_chart(
                charts.probabilities(likely, trace.target_tokens, step, theme=controls.theme()),
                key=f"probabilities-{controls.theme()}",
                config={"displayModeBar": False},
                alt=f"Probability of each of {len(likely)} tokens written; at step {step} it is {percent(now)}",
            )
        with choice:
            controls.candidates(trace, step)

    controls.stepper(at_step, trace.target_tokens, label="Output step: drag or play to see the text grow")

    st.subheader(story.MEASURE, anchor=False)
    metrics, vocabulary = card["scores"]["test"]["metrics"], int(model.sizes["d_vocab"])
    scores(
        ("This model, perplexity", number(metrics["perplexity"], 1)),
        ("Baseline: counted pairs of tokens", number(metrics["kneser_ney_2"], 1)),
        ("Counted triples", number(metrics["kneser_ney_3"], 1)),
        ("Chance: all tokens alike", f"{vocabulary:,}"),
    )
    st.caption(
        f"On {metrics['pieces']:,} tokens of text that it was not trained on, after training; less is better. "
        "**Perplexity**: as unsure as if it had to choose among so many tokens that are all equally likely. The "
        "baselines count which token followed which (Kneser and Ney 1995)."
    )
    st.markdown(
        "**“It has learnt order, not only words.”** Then your sentence should surprise it less than the same words "
        "shuffled. Measured as perplexity, over every token but the first."
    )
    place = st.container()
    found = measure.measured(surprise.surprise, (model.name,), trace.text, key="surprise").value
    with place:
        if found is None:
            st.info("One word has no order. Type a longer text.")
            return
        scores(
            ("Your sentence", number(found.as_written, 1)),
            ("Shuffled", number(found.shuffled, 1)),
            ("Chance", f"{vocabulary:,}"),
        )
        st.markdown(
            f"Shuffled, it is {found.shuffled / found.as_written:.1f} times as surprising: "
            + (
                "**the claim holds here.**"
                if found.shuffled > found.as_written
                else "**the claim does not hold on this sentence.**"
            )
        )
        st.caption(f"The geometric mean over up to {surprise.ORDERS} other orders.")


TASKS: "dict[str, tuple[dict[str, object], Callable[[Entry], None]]]" = {
    "Translation": (
        {"task": story.TRANSLATION, "family": "attention", "positions": "sinusoidal", "parent": None},
        translation,
    ),
    "Compression": ({"task": "compression"}, compression),
    "Questions": ({"task": "question answering en"}, questions),
    "Continuation": ({"task": "language model en"}, generation),
    "Dates": ({"task": "dates"}, dates),
}

story.opening("applications", "Applications")
st.subheader(story.PROBLEM, anchor=False)
st.markdown(
    "Every page so far translated. But many tasks have the same shape: **a sequence goes in, another comes out**, of "
    "another length and in another order. Is it the same machine that does them? Only data and vocabulary change here."
)
models = {name: found[0] for name, (known, _) in TASKS.items() if (found := registry.finished(**known))}
chosen = st.segmented_control(
    "Task", list(models), default=next(iter(models)), key="task", bind="query-params", required=True
)
name = str(chosen or next(iter(models)))
TASKS[name][1](models[name])

st.subheader(story.HURTS, anchor=False)
st.markdown(
    "These models are small, each has a **closed vocabulary** and can do **one task**: the one that answers questions "
    "cannot translate, and has never seen a word outside of its stories. Large language models do many tasks with one "
    "set of weights, some from a few examples in the text (Brown et al. 2020); speech needs sound. Both are outside of "
    "this app. What is left is to compare: one sentence, several models, **side by side**."
)
story.closing("applications")
