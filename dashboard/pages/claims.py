"""The claims of the story: each slogan with its figure, measured here, and the verdict that follows from it."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import claims, controls, measure, story, textbooks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.claims import Claim
    from dashboard.outcomes import Outcome

VERDICTS = {
    "holds": ("Hold", ":material/check_circle: **It holds here.**"),
    "in part": ("Hold in part", ":material/contrast: **It holds in part.**"),
    "does not hold": ("Do not hold", ":material/cancel: **It does not hold here.**"),
    None: ("No verdict yet", ":material/help: **This sentence cannot tell.**"),
}

story.opening("claims", "Claims")
traces = controls.run_or_explain(*claims.finished(claims.TRANSFORMER)())
if traces is None:
    st.stop()
text = traces[0].text
found = claims.so_far(text)

st.markdown(
    "What summaries say of these models, one slogan at a time, beside what was measured here: on your sentence where "
    "the claim is about a sentence, otherwise on this machine or when the models were trained. A verdict follows from "
    "the number by the rule that stands below it. It is about these small models: **a slogan that fails here may hold "
    "for large ones**, and the other way round."
)
guess, overview = st.container(), st.empty()


def draw_overview(found: "Mapping[str, Outcome | None]") -> None:
    """Sum up how all claims stand."""
    verdicts = {title: outcome and outcome.verdict for title, outcome in found.items()}
    told = sum(verdict is not None for verdict in verdicts.values())
    waiting = len(claims.CLAIMS) - len(found)
    with overview.container():
        st.markdown(
            f"**Of {len(claims.CLAIMS)} claims {told} have a verdict so far.**"
            + (f" {waiting} wait for models that are still being trained." if waiting > 1 else "")
            + (" One waits for a model that is still being trained." if waiting == 1 else "")
        )
        for column, (verdict, (name, _)) in zip(st.columns(len(VERDICTS)), VERDICTS.items(), strict=True):
            titles = [title for title, one in verdicts.items() if one == verdict]
            with column, st.container(border=True, height="stretch", gap="xsmall"):
                st.metric(name, len(titles))
                st.caption(" · ".join(titles) or "none")


draw_overview(found)
measure.all_on_request(claims.requests(text), key="everything", label="Measure everything (about half a minute)")
part = st.segmented_control(
    "Part of the story", claims.PARTS, default=claims.PARTS[0], key="claims", bind="query-params", required=True
)


def link(url: str) -> None:
    """Lead to a chapter, if it can be shown."""
    for chapter in story.CHAPTERS:
        if chapter.url == url:
            st.page_link(chapter.file, label=f"See it: {chapter.title}", icon=":material/arrow_forward:")


def draw(claim: "Claim") -> None:
    """Draw one claim, its figure and its verdict; what is measured at a glance is measured now."""
    names = claim.models()
    st.markdown(f"**{claim.title}.** “{claim.slogan}”")
    place = st.container(gap="small")
    if claim.function is None:
        outcome: Outcome | None = claim.judge(None, names)
    else:
        given = {"key": claim.key, "what": claim.what} | ({"label": claim.label} if claim.label else {})
        take = measure.measured_on_request if claim.label else measure.measured
        result = take(claim.function, names, *claim.arguments(text), **given)
        outcome = None if result is None else claim.judge(result.value, names)
    with place:
        if outcome is not None:
            st.markdown(f"{VERDICTS[outcome.verdict][1]} {outcome.figure}")
        st.caption(f"The rule: {claim.rule}")
        if claim.command:
            st.caption(f"Scores are from training: `python -m pretrained {claim.command}`.")
    link(claim.url)
    with st.expander("Interview"):
        st.markdown(f"*{claim.question}*")
        st.markdown(claim.answer)
        if outcome is not None:
            st.markdown(f"Measured here: {outcome.figure}")


def draw_tables(found: "Mapping[str, Outcome | None]") -> None:
    """Draw the textbooks' tables with the verdicts, and what is loose in such summaries."""
    heads = ("aspect", "before", "Transformer"), ("problem", "said to be fixed by")
    for title, head, rows in zip(
        ("Then and now", "Problems, and what is said to fix them"),
        heads,
        (textbooks.ASPECTS, textbooks.PROBLEMS),
        strict=True,
    ):
        st.subheader(title, anchor=False)
        st.table(
            [
                dict(zip(head, row.cells, strict=True)) | {"as measured": claims.standing(row.claims, found)}
                for row in rows
            ],
            hide_index=True,
        )
    st.subheader("Wrong or loose", anchor=False)
    st.markdown("Sentences that summaries have, and what is right:")
    for first in range(0, len(textbooks.LOOSE), 2):
        for column, loose in zip(st.columns(2), textbooks.LOOSE[first : first + 2], strict=False):
            with column, st.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f"**“{loose.said}”**")
                st.markdown(loose.right)
                if loose.claims:
                    st.caption(claims.standing(loose.claims, found))
                link(loose.url)
    st.subheader("All claims", anchor=False)
    st.dataframe(
        [
            {
                "claim": claim.title,
                "it says": claim.slogan,
                "verdict": claims.standing((claim.title,), found).removeprefix(f"{claim.title}: "),
                "part": claim.part,
            }
            for claim in claims.CLAIMS
        ],
        key="all",
        hide_index=True,
        height="content",
        column_config={"claim": "Claim", "it says": "It says", "verdict": "Verdict", "part": "Part"},
    )


if part == claims.TABLES:
    draw_tables(claims.so_far(text))
shown = [claim for claim in claims.CLAIMS if claim.part == part and claim.models()]
for first in range(0, len(shown), 2):
    for column, claim in zip(st.columns(2), shown[first : first + 2], strict=False):
        with column, st.container(border=True, height="stretch", gap="small"):
            draw(claim)

now = claims.so_far(text)
if now != found:
    draw_overview(now)
verdicts = [outcome.verdict for outcome in now.values() if outcome is not None and outcome.verdict is not None]
hold = verdicts.count("holds")
with guess:
    controls.prediction(
        f"Of the {len(verdicts)} claims that have a verdict so far, how many hold in full here?",
        ("All of them", "More than half", "Half or fewer"),
        0 if hold == len(verdicts) else 1 if 2 * hold > len(verdicts) else 2,
        key="guess",
        why=f"{hold} hold, {verdicts.count('in part')} in part, {verdicts.count('does not hold')} do not.",
    )
story.closing("claims")
