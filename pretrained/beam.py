"""Beam search: several outputs are written side by side, and the best of them is chosen at the end.

Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks", section 3.2: at every step each
hypothesis of the beam is extended by every piece, and the likeliest extensions are kept; one that ends in ``</s>``
leaves the beam, and its place stays empty. Finished hypotheses are of different lengths, and every further piece makes
a product of probabilities smaller; so they may be ranked by log-probability per piece (Cho et al. 2014, "On the
properties of neural machine translation"). No search but one through everything is sure to find the likeliest output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pretrained.tokenization import END, START
from pretrained.translation import attention_map, forbid_specials, longest_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pretrained.trace import AttentionMap
    from pretrained.translation import Translator


@dataclass(frozen=True)
class Node:
    """An extension that was considered.

    Attributes:
        step: at which it was, counted from 0.
        rank: among those of its step, 0 is the likeliest.
        parent: index of the node that it extends, or none at step 0.
        token: label of its piece.
        probability: of the piece, given all before it.
        log_probability: of all pieces up to it, in nats.
        kept: whether it entered the beam; the others were pruned.
        finished: whether its piece is ``</s>``.
    """

    step: int
    rank: int
    parent: int | None
    token: str
    probability: float
    log_probability: float
    kept: bool
    finished: bool


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """An output that stayed in the beam to its end.

    Attributes:
        node: index of its last node.
        tokens: labels of its pieces, ``</s>`` among them if it is finished.
        output: the text that they spell.
        log_probability: of all of it, in nats.
        finished: False where the length limit cut it off.
        attention: as in a trace.
    """

    node: int
    tokens: tuple[str, ...]
    output: str
    log_probability: float
    finished: bool
    attention: tuple[AttentionMap, ...]

    @property
    def per_token(self) -> float:
        """Log-probability over the number of pieces."""
        return self.log_probability / len(self.tokens)


@dataclass(frozen=True, eq=False)
class Beam:
    """All that one search considered and found.

    Attributes:
        nodes: in the order of their steps and ranks, so that a parent stands before its children: the extensions that
            were kept, and as many of the next best as the beam is wide.
        hypotheses: best first; those that are finished stand before those that were cut off.
    """

    nodes: tuple[Node, ...]
    hypotheses: tuple[Hypothesis, ...]


@torch.inference_mode()
def search(model: Translator, text: str, *, width: int = 3, by_length: bool = True, limit: int | None = None) -> Beam:
    """Translate a text by beam search.

    Args:
        model: any encoder-decoder.
        text: what is translated.
        width: hypotheses written side by side; 1 is greedy.
        by_length: rank finished hypotheses by log-probability per piece, ``</s>`` counted; else by the whole.
        limit: most pieces to write, at which greedy decoding stops too unless given.

    Raises:
        TextError: a text that the model cannot read.
        ValueError: a width below 1.
    """
    if width < 1:
        raise ValueError(f"expected a beam at least 1 wide, got {width}")
    pieces, network = model.read(text), model.network
    encoding = network.encode(torch.tensor([pieces.ids]))
    start = network.start(encoding)
    nodes: list[Node] = []
    ids: list[int] = []  # of every node its piece
    rows: list[int] = []  # of every node the row of its parent in the batch of its step
    states: list[Any] = []  # of every step, after it
    beam: list[int | None] = [None]  # the nodes to extend; none stands for the start
    ended: list[int] = []
    state, token, so_far = start, torch.tensor([START]), torch.zeros(1)
    for step in range(longest_output(len(pieces.ids)) if limit is None else limit):
        output = network.step(token, state, network.select(encoding, torch.zeros(len(beam), dtype=torch.long)))
        states.append(output.state)
        log_p = torch.log_softmax(forbid_specials(output.logits), -1)
        total = so_far[:, None] + log_p
        places = width - len(ended)
        best = total.flatten().topk(min(places + width, int(total.isfinite().sum())))
        kept: list[int] = []
        for rank, index in enumerate(best.indices.tolist()):
            row, piece = divmod(index, log_p.shape[1])
            if rank < places:
                (ended if piece == END else kept).append(len(nodes))
            nodes.append(
                Node(
                    step=step,
                    rank=rank,
                    parent=beam[row],
                    token=model.tokenizer.decode([piece]).labels[0],
                    probability=float(log_p[row, piece].exp()),
                    log_probability=float(best.values[rank]),
                    kept=rank < places,
                    finished=piece == END,
                )
            )
            ids.append(piece)
            rows.append(row)
        beam = list(kept)
        if not kept:
            break
        state = network.select(output.state, torch.tensor([rows[node] for node in kept]))
        token = torch.tensor([ids[node] for node in kept])
        so_far = torch.tensor([nodes[node].log_probability for node in kept])

    def hypothesis(node: int) -> Hypothesis:
        """Decode the path to a node once more, all at once, for what it looked at."""
        path = path_to(nodes, node)
        written = [ids[one] for one in path]
        passed = [network.select(states[step], torch.tensor([rows[one]])) for step, one in enumerate(path)]
        consumed = [START, *written[:-1]]
        record = network.record(encoding, torch.tensor([consumed]), [start, *passed])
        target = model.tokenizer.decode(written).labels
        read = ("<s>", *target[:-1])
        return Hypothesis(
            node=node,
            tokens=target,
            output=model.tokenizer.text(written),
            log_probability=nodes[node].log_probability,
            finished=nodes[node].finished,
            attention=tuple(attention_map(attended, pieces.labels, target, read) for attended in record.attention),
        )

    found = [hypothesis(node) for node in (*ended, *(node for node in beam if node is not None))]
    found.sort(key=lambda one: (one.finished, one.per_token if by_length else one.log_probability), reverse=True)
    return Beam(tuple(nodes), tuple(found))


def path_to(nodes: Sequence[Node], node: int) -> tuple[int, ...]:
    """List the nodes from the first step to this one."""
    path = [node]
    while (parent := nodes[path[-1]].parent) is not None:
        path.append(parent)
    return tuple(reversed(path))
