"""From the cards of all models to a table and to charts: what was measured when they were trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dashboard import charts, runs
from pretrained import registry
from pretrained.analysis.alignment import WRITTEN, Place
from pretrained.analysis.lengths import Lead, by_length, lead
from viz.bars import candidate_bars
from viz.curves import Curve, curves
from viz.numbers import percent
from viz.scatter import Point, scatter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from pretrained.registry import Entry
    from pretrained.trace import Trace
    from viz.palette import ThemeName

TRANSLATION = "translation en-fr"
CONVERSATION = "tatoeba"
CAPTIONS = "multi30k_test2016"
SIZES = {
    "Parameters": ("parameters", 1e6, "parameters, millions"),
    "Training time": ("minutes", 1.0, "minutes of training"),
}
"""What a score can be drawn against: the card's name for it, its unit, the axis."""
Quality = Literal["about as good", "better", "worse"]
AS_GOOD = 1.0  # points of chrF: what is closer counts as equal


def with_cards() -> tuple[Entry, ...]:
    """List the models that have been trained at all, those not trained to the end among them."""
    return tuple(known for known in registry.ENTRIES if (known.folder / "card.json").is_file())


def table() -> list[dict[str, Any]]:
    """Describe every trained model in one row; what a task does not measure is ``None``."""
    return [_row(known, runs.card(known.name)) for known in with_cards()]


def _row(known: Entry, card: dict[str, Any]) -> dict[str, Any]:
    scores = card["scores"]
    test = scores["test"]
    measure, value = next(iter(test["metrics"].items()))
    translates = known.task == TRANSLATION
    if translates:
        measure, value = "chrf", test["metrics"]["chrf"]
    return {
        "model": known.name,
        "year": known.year,
        "score": value,
        "measure": {"chrf": "chrF", "f1": "F1"}.get(measure, measure.replace("_", " ")),
        "conversation": test["by_tag"][CONVERSATION]["chrf"] if translates else None,
        "novel": scores["test_novel"]["by_tag"][CONVERSATION]["chrf"] if translates else None,
        "captions": scores[CAPTIONS]["metrics"]["bleu"] if CAPTIONS in scores else None,
        "aer": card["alignment"]["test"]["metrics"]["aer"] if "alignment" in card else None,
        "parameters": card["parameters"] / 1e6,
        "megabytes": card["bytes"] / 1e6,
        "tokens": card["target_tokens"] / 1e6,
        "minutes": card["minutes"],
        "finished": card["finished"],
        "task": known.task,
        "family": known.family,
        "summary": known.summary,
        "paper": known.paper,
    }


def scores_against(size: str, *, theme: ThemeName) -> go.Figure:
    """Draw the chrF of every finished translation model against one of ``SIZES``."""
    fact, unit, axis = SIZES[size]
    points = [
        Point(known.name, known.family, card[fact] / unit, card["scores"]["test"]["metrics"]["chrf"])
        for known in registry.finished(task=TRANSLATION)
        for card in [runs.card(known.name)]
    ]
    return scatter(points, x_axis=axis, y_axis="chrF on the test split", theme=theme)


def translators() -> list[str]:
    """Name the finished translation models."""
    return [known.name for known in registry.finished(task=TRANSLATION)]


def best_translator() -> str:
    """Name the finished translation model with the best chrF on conversation."""
    return max(translators(), key=lambda name: runs.card(name)["scores"]["test"]["by_tag"][CONVERSATION]["chrf"])


def looks_from(name: str) -> Place:
    """Give the layer, head and rows whose look at the source aligns best; chosen after training."""
    chosen = runs.card(name).get("alignment", {}).get("chosen")
    return Place(**chosen) if chosen else Place(0, None, WRITTEN)


@dataclass(frozen=True)
class Led:
    """How far attention leads with one kind of cell.

    Attributes:
        cell: of both networks, as readers know it.
        without, with_it: chrF on all test sentences, from one vector and with attention.
        lead: by the length of the sentence.
    """

    cell: str
    without: float
    with_it: float
    lead: Lead


def leads_by_cell() -> list[Led]:
    """Compare translators with Bahdanau's attention and without any, for every cell that has finished ones of both."""
    found = []
    for ahead in registry.finished(task=TRANSLATION, architecture="bahdanau:Bahdanau"):
        for behind in registry.finished(task=TRANSLATION, cell=ahead.cell, attention=()):
            by_range = lead(by_length(runs.card(ahead.name)), by_length(runs.card(behind.name)))
            found.append(Led(str(ahead.cell).upper(), chrf(behind.name), chrf(ahead.name), by_range))
    return found


def side_by_side(traces: Sequence[Trace], judged: Sequence[float]) -> list[dict[str, object]]:
    """Describe what every model wrote, how likely it and a judge find it, its size and its time."""
    return [
        {
            "model": trace.model,
            "translation": trace.output or "(nothing)",
            "log p, judge's": round(judge, 2),
            "log p, its own": round(trace.log_probability, 2),
            "parameters, M": round(runs.card(trace.model)["parameters"] / 1e6, 2),
            "ms": round(trace.milliseconds["encode"] + trace.milliseconds["decode"]),
        }
        for trace, judge in zip(traces, judged, strict=True)
    ]


def scores_by_length(names: Sequence[str], *, theme: ThemeName) -> go.Figure:
    """Draw the chrF of models against the length of the test sentences."""
    return charts.scores_by_length({name: by_length(runs.card(name)) for name in names}, None, theme=theme)


def learners() -> list[str]:
    """Name the translation models whose learning curves are comparable: trained from nothing, ablations among them."""
    return [*from_nothing(), *ablations()]


def learning_curves(names: Sequence[str], *, theme: ThemeName) -> go.Figure:
    """Draw validation loss against target tokens; where a loss was no number any more, the curve ends."""
    drawn = []
    for place, name in enumerate(names):
        points = [(point["target_tokens"], point["valid_loss"]) for point in runs.card(name)["learning_curve"]]
        tokens, losses = zip(*(point for point in points if point[1] is not None), strict=True)
        drawn.append(Curve(name, np.array(tokens) / 1e6, np.array(losses), colour=place))
    return curves(
        drawn,
        x_axis="target tokens seen, millions",
        y_axis="validation loss, nats a token",
        height=400 + 15 * len(drawn),  # on a phone the legend takes a line a curve
        theme=theme,
    )


def until_as_good_as_the_last(names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Give the loss at which the worst of several models ended, and the target tokens until each was as good."""
    curves_of = {name: runs.card(name)["learning_curve"] for name in names}
    goal = max(min(_losses(curve)) for curve in curves_of.values())
    return goal, {name: _until(curve, goal) for name, curve in curves_of.items()}


def _until(curve: Sequence[dict[str, Any]], goal: float) -> float:
    """Tell after how many tokens a learning curve came down to a loss, between two measurements by a straight line."""
    known = [(point["target_tokens"], point["valid_loss"]) for point in curve if point["valid_loss"] is not None]
    place = next(place for place, (_, loss) in enumerate(known) if loss <= goal)
    if place == 0:
        return float(known[0][0])
    (before, above), (after, below) = known[place - 1 : place + 1]
    return float(before + (above - goal) / (above - below) * (after - before))


def fastest(until: Mapping[str, float]) -> str:
    """Name the model that needed the fewest tokens, the first of equals."""
    return min(until, key=until.__getitem__)


def from_nothing() -> list[str]:
    """Name the finished translation models that were not adapted from another."""
    return [known.name for known in registry.finished(task=TRANSLATION, parent=None)]


def seen(name: str) -> int:
    """Give the target tokens of a model's whole training."""
    return int(runs.card(name)["target_tokens"])


def best_loss(name: str, tokens: int) -> float:
    """Give a model's least validation loss, in nats a token, after no more than so many target tokens."""
    return min(_losses([point for point in runs.card(name)["learning_curve"] if point["target_tokens"] <= tokens]))


def _losses(curve: Sequence[dict[str, Any]]) -> list[float]:
    return [point["valid_loss"] for point in curve if point["valid_loss"] is not None]


def ablations() -> list[str]:
    """Name the models that were trained a part of the way, each a part less of the Transformer."""
    return [known.name for known in registry.ABLATIONS if known.finished]


def without_parts(whole: str) -> dict[str, float]:
    """Give the best loss of a model and of every ablation, all after as many target tokens as the first ablation."""
    parts = ablations()
    return {name: best_loss(name, seen(parts[0])) for name in (whole, *parts)}


def needs_all(whole: str, reached: Mapping[str, float]) -> bool:
    """Tell whether every ablation ended with a larger loss than the whole model."""
    return all(loss > reached[whole] for name, loss in reached.items() if name != whole)


def chrf(name: str) -> float:
    """Give a translation model's score on the test split, 0 to 100."""
    return float(runs.card(name)["scores"]["test"]["metrics"]["chrf"])


def quality(one: float, other: float) -> Quality:
    """Tell how good the second of two scores is beside the first; see ``AS_GOOD``."""
    return "about as good" if abs(other - one) <= AS_GOOD else "better" if other > one else "worse"


@dataclass(frozen=True)
class Aligned:
    """How well attention finds the words that people linked, as a card has it.

    Attributes:
        error: alignment error rate, 0 is best.
        by_place: that of linking words by their place alone.
        by_counting: that of IBM model 1, which counts words that occur together in the same pairs.
        pairs: of sentences.
    """

    error: float
    by_place: float
    by_counting: float
    pairs: int

    @property
    def beats_word_order(self) -> bool:
        """Whether more was learnt than the order of words."""
        return self.error < self.by_place

    @property
    def beats_counting(self) -> bool:
        """Whether more was learnt than which words occur together."""
        return self.error < self.by_counting


def aligned(name: str) -> Aligned | None:
    """Read how well a model aligns; nothing if its card does not tell."""
    told = runs.card(name).get("alignment")
    if told is None:
        return None
    test = told["test"]
    error, by_place, by_counting = (test[name]["aer"] for name in ("metrics", "diagonal", "ibm_model_1"))
    return Aligned(error, by_place, by_counting, test["count"])


@dataclass(frozen=True)
class Syntax:
    """How well heads find the words that words depend on, as a card has it.

    Attributes:
        relations: by name, the best head's accuracy and that of the best fixed offset, with their places.
        sentences: parsed by people.
    """

    relations: Mapping[str, Mapping[str, Any]]
    sentences: int

    @property
    def better(self) -> int:
        """In how many relations the best head beats the best offset."""
        return sum(one["accuracy"] > one["offset_accuracy"] for one in self.relations.values())

    @property
    def is_known(self) -> bool:
        """Whether it does in more than half of them."""
        return 2 * self.better > len(self.relations)


def syntax(name: str) -> Syntax | None:
    """Read how much syntax a model's heads know; nothing if its card does not tell."""
    told = runs.card(name).get("relations")
    return None if told is None else Syntax(told["by_relation"], told["count"])


def alignment_errors(*, theme: ThemeName) -> dict[str, Any] | None:
    """Draw alignment error rates of all models, of the diagonal and of counting, the least first; if any card tells."""
    found = {known.name: runs.card(known.name).get("alignment") for known in registry.finished(task=TRANSLATION)}
    errors = {name: told["test"]["metrics"]["aer"] for name, told in found.items() if told}
    if not errors:
        return None
    beside = next(told["test"] for told in found.values() if told)
    errors |= {"the diagonal": beside["diagonal"]["aer"], "IBM model 1": beside["ibm_model_1"]["aer"]}
    ordered = sorted(errors, key=errors.__getitem__)
    return candidate_bars(
        ordered, [errors[name] for name in ordered], quantity="alignment error rate", chosen=None, theme=theme
    )


def recall_by_distance(*, theme: ThemeName) -> go.Figure | None:
    """Draw how often each finished model recalls a value against its distance; nothing if none is finished."""
    drawn = []
    for known in registry.finished(task="recall"):
        by_distance = runs.card(known.name)["scores"]["test"]["by_distance"]
        accuracy = [found["accuracy"] for found in by_distance.values()]
        drawn.append(Curve(known.name, np.array([_middle(part) for part in by_distance]), np.array(accuracy)))
    if not drawn:
        return None
    return curves(
        drawn, x_axis="distance, in tokens", y_axis="share of right answers", y_range=(0, 1.05), height=460, theme=theme
    )


def _middle(part: str) -> float:
    """Give the middle of a range as cards name it, ``5-12`` or ``4``."""
    low, _, high = part.partition("-")
    return (int(low) + int(high or low)) / 2


def learning_of_dates(told: Sequence[dict[str, Any]], checkpoint: int, *, theme: ThemeName) -> go.Figure:
    """Draw how often a model was right, and how sharply it looked, at each of its checkpoints."""
    order = np.arange(len(told), dtype=np.float64)
    return curves(
        [
            Curve(name, order, np.array([one[fact] for one in told]))
            for name, fact in (("right on the test", "exact_match"), ("largest weight, mean", "row_maximum"))
        ],
        x_axis="checkpoint",
        y_axis="share",
        y_range=(0, 1.05),
        marked=checkpoint,
        height=260,
        theme=theme,
    )


def language_scores(causal: str, masked: str) -> list[dict[str, str]]:
    """Describe in rows what was measured of two language models, and what does as well without a network."""
    written, filled = runs.card(causal)["scores"], runs.card(masked)["scores"]
    perplexity, words = written["test"]["metrics"], filled["content_words"]
    pairs, triples = perplexity["kneser_ney_2"], perplexity["kneser_ney_3"]
    return [
        {
            "Measured": "Perplexity of the next token",
            "Without a network": f"{pairs:.1f} counting pairs, {triples:.1f} triples",
            "Model": causal,
            "With it": f"{perplexity['perplexity']:.1f}",
        },
        {
            "Measured": "Of two sentences the grammatical one is the likelier",
            "Without a network": f"{percent(0.5)} by chance",
            "Model": causal,
            "With it": percent(written["blimp"]["accuracy"]),
        },
        {
            "Measured": "Perplexity of a hidden token",
            "Without a network": "–",
            "Model": masked,
            "With it": f"{filled['test']['metrics']['pseudo_perplexity']:.1f}",
        },
        {
            "Measured": "A hidden word's part of speech is filled in",
            "Without a network": f"{percent(words['commonest_tag'])} always naming the commonest",
            "Model": masked,
            "With it": percent(words["accuracy"]),
        },
        {
            "Measured": "The same among candidates that are, as what is hidden, nouns, verbs, adjectives or adverbs",
            "Without a network": f"{percent(words['commonest_tag'])} always naming the commonest",
            "Model": masked,
            "With it": percent(words["content_accuracy"]),
        },
        {
            "Measured": "The hidden word itself is filled in",
            "Without a network": "–",
            "Model": masked,
            "With it": percent(words["same_word"]),
        },
    ]


def beats_counting(causal: str) -> bool:
    """Tell whether a language model is less surprised by new text than any model that counts."""
    found = runs.card(causal)["scores"]["test"]["metrics"]
    return bool(found["perplexity"] < min(found["kneser_ney_2"], found["kneser_ney_3"]))
