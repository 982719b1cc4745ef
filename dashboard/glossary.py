"""Every term that the pages use, in plain words, and the papers that they cite."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pretrained.registry import ENTRIES


@dataclass(frozen=True)
class Term:
    """A term.

    Attributes:
        name: as the pages write it.
        meaning: one or two sentences.
        page: address of the page that shows it.
    """

    name: str
    meaning: str
    page: str


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes:
        authors: family names, as the pages cite them.
        year: of publication.
        title: of the paper.
        address: where it can be read.
        matters: the part that matters here, with its section where it has one.
        pages: addresses of the pages that show it.
    """

    authors: str
    year: int
    title: str
    address: str
    matters: str
    pages: tuple[str, ...]

    @property
    def first_author(self) -> str:
        """The family name that stands first."""
        return re.split(r",? ", self.authors)[0]

    @property
    def models(self) -> tuple[str, ...]:
        """Name the models of the registry that cite it, by author and year; of two papers alike the first is meant."""
        first = next(one for one in PAPERS if (one.first_author, one.year) == (self.first_author, self.year))
        if first is not self:
            return ()
        cited = re.compile(rf"\b{self.first_author}\b[^;\d]*{self.year}")
        return tuple(entry.name for entry in ENTRIES if cited.search(entry.paper))


def find_terms(text: str) -> tuple[Term, ...]:
    """List the terms whose name or meaning holds a text, in whatever case; all of them for an empty one."""
    asked = text.strip().casefold()
    return tuple(term for term in TERMS if asked in f"{term.name} {term.meaning}".casefold())


def find_papers(text: str) -> tuple[Paper, ...]:
    """List the papers whose authors, year, title, models or subject hold a text; all of them for an empty one."""
    asked = text.strip().casefold()
    return tuple(
        paper
        for paper in PAPERS
        if asked in f"{paper.authors} {paper.year} {paper.title} {paper.matters} {' '.join(paper.models)}".casefold()
    )


def arxiv(number: str) -> str:
    """Give the address of a paper on arXiv."""
    return f"https://arxiv.org/abs/{number}"


def doi(number: str) -> str:
    """Give the address of a paper by its DOI."""
    return f"https://doi.org/{number}"


def acl(number: str) -> str:
    """Give the address of a paper in the ACL Anthology."""
    return f"https://aclanthology.org/{number}/"


TERMS = (
    Term(
        "ablation",
        "A model with one part taken out, trained again: what is lost is what the part was worth.",
        "transformer",
    ),
    Term(
        "alignment",
        "Which source token belongs to which output token; of a recurrent decoder, its matrix of weights.",
        "attention",
    ),
    Term(
        "alignment error rate",
        "How far linked words are from links that people made: 0 is best, 1 worst (AER).",
        "attention",
    ),
    Term(
        "attention",
        "A weighted mixture of what was read, made anew for every token, with weights that depend on what is asked.",
        "attention",
    ),
    Term(
        "attention weight",
        "A share of one row of attention; all shares of a row are positive, 1 together.",
        "attention",
    ),
    Term(
        "baseline",
        "A simple rule's score on the same test: what a model has to beat before its own score means anything.",
        "applications",
    ),
    Term("batch", "Several sentences computed together in one block of numbers, filled up to one length.", "masks"),
    Term(
        "beam search",
        "Writing several hypotheses side by side and keeping the likeliest few at every step.",
        "attention",
    ),
    Term("BLEU", "A score of translations, 0 to 100, by runs of up to four words shared with a person's.", "zoo"),
    Term(
        "bottleneck",
        "The one vector of fixed length through which an encoder-decoder without attention passes all that it read.",
        "encoder-decoder",
    ),
    Term(
        "candidate",
        "A token that could have been written at a step; in a gated cell, the new value that a gate may let in.",
        "encoder-decoder",
    ),
    Term(
        "causal mask", "Strikes out the scores of all later positions, so that no token sees its own answer.", "masks"
    ),
    Term("cell state", "An LSTM's second state, behind its gates; nothing squeezes it on its way.", "lstm-gru"),
    Term("chance", "The score that guessing by lot would have.", "applications"),
    Term("checkpoint", "A model's weights as they were at one moment of its training.", "zoo"),
    Term("chrF", "A score of translations, 0 to 100, by runs of letters shared with a person's.", "encoder-decoder"),
    Term(
        "comprehensiveness",
        "How much less likely an output gets when what a model is said to have relied on is left out.",
        "applications",
    ),
    Term(
        "compression", "Here: a sentence made shorter by leaving words out, and changing nothing else.", "applications"
    ),
    Term(
        "context vector",
        "What the decoder knows of the source at a step: one vector for all steps, or with attention a new mixture at "
        "every step.",
        "encoder-decoder",
    ),
    Term("convolution", "The same small sum of neighbours, taken at every position at once.", "convolution"),
    Term("cross-attention", "Attention from a decoder's tokens to an encoder's.", "transformer"),
    Term("decoder", "The half of a model that writes, one token after the other.", "encoder-decoder"),
    Term("dilation", "Gaps between the tokens of a window, so that few layers reach far.", "convolution"),
    Term(
        "dot product",
        "Two vectors multiplied unit by unit and added up: large where they point the same way.",
        "self-attention",
    ),
    Term("embedding", "The vector that a model has learnt for a token, the same wherever the token stands.", "rnn"),
    Term("encoder", "The half of a model that reads.", "encoder-decoder"),
    Term(
        "encoder-decoder",
        "One network that reads a sequence, and another that writes one from what was read.",
        "encoder-decoder",
    ),
    Term("end sign", "The token `</s>`: a source ends with it, and a decoder that writes it stops.", "encoder-decoder"),
    Term(
        "energy", "A recurrent decoder's score of how well a source token fits what is to be written next.", "attention"
    ),
    Term(
        "entropy",
        "How spread out shares are; its exponential is n where n tokens share a row evenly.",
        "attention",
    ),
    Term("exploding gradient", "A gradient that grows at every step back, until learning breaks.", "rnn"),
    Term(
        "F1",
        "The harmonic mean of two shares: how much of what was found is right, and how much of the right was found.",
        "applications",
    ),
    Term("feed-forward block", "A small network of two layers that every token goes through by itself.", "transformer"),
    Term("forget gate", "Says how much of an LSTM's cell state stays.", "lstm-gru"),
    Term(
        "gate", "A number between 0 and 1 by which another number is multiplied: shut, open or in between.", "lstm-gru"
    ),
    Term(
        "gated linear unit",
        "A sum over a window, multiplied by a gate that is made from the same window.",
        "convolution",
    ),
    Term("gradient", "How much a result changes with each number it was made from; what training follows.", "rnn"),
    Term("greedy decoding", "Taking the likeliest token at every step and never going back.", "attention"),
    Term("GRU", "A recurrent cell with two gates, reset and update, and no second state.", "lstm-gru"),
    Term("head", "One look of attention, with queries, keys and values of its own.", "multi-head"),
    Term(
        "hidden state", "The numbers that a recurrent network carries along: all it knows of what it has read.", "rnn"
    ),
    Term("hybrid", "Here: a recurrent encoder with one layer of self-attention on top of it.", "efficient"),
    Term("hypothesis", "A beginning of an output that beam search still follows.", "attention"),
    Term(
        "induction",
        "What a head does that looks for an earlier coming of the same token and at what stood behind it.",
        "multi-head",
    ),
    Term("input feeding", "Telling a decoder at its next step what its attention saw at this one.", "attention"),
    Term("input gate", "Says how much of the candidate enters an LSTM's cell state.", "lstm-gru"),
    Term("key", "The vector by which a token is found; queries are compared with it.", "self-attention"),
    Term(
        "key-value cache",
        "Keys and values of all earlier tokens, kept so that writing the next one need not make them again.",
        "gpt-bert",
    ),
    Term(
        "language model", "A model that gives every next token a probability, all tokens before it known.", "gpt-bert"
    ),
    Term("layer", "One round of computation; the next works on what it made. Counted from 0 here.", "multi-head"),
    Term(
        "layer normalisation",
        "Gives a token's vector mean 0 and variance 1, then scales it as learnt; it keeps deep networks trainable.",
        "self-attention",
    ),
    Term("learning curve", "Loss on held-out text against how much a model has been trained on.", "zoo"),
    Term(
        "log-probability",
        "The logarithm of a probability: products become sums. 0 is certain, lower is less likely.",
        "attention",
    ),
    Term(
        "logit lens",
        "Reading an unfinished vector as if it were the last: what would be written if the rest were left out.",
        "transformer",
    ),
    Term("LSTM", "A recurrent cell with three gates and a second state, made to remember for long.", "lstm-gru"),
    Term(
        "masked language model",
        "A model that fills in hidden tokens while it sees all others, before and after them.",
        "gpt-bert",
    ),
    Term(
        "multi-head attention",
        "Several attentions side by side, joined and projected back to one vector.",
        "multi-head",
    ),
    Term(
        "nat",
        "The unit of log-probabilities and of loss with natural logarithms; 1 nat is a factor of e = 2.718.",
        "transformer",
    ),
    Term("output gate", "Says how much of an LSTM's cell state is shown to the rest of the network.", "lstm-gru"),
    Term("padding", "Filling that makes the sentences of a batch equally long; a mask hides it.", "masks"),
    Term("parameter", "A number that training sets; a model is its parameters and the rule that uses them.", "zoo"),
    Term("path length", "How many layers or steps lie between two tokens.", "convolution"),
    Term(
        "perplexity",
        "As unsure as a choice among so many equally likely tokens: the exponential of the mean loss. Lower is better.",
        "applications",
    ),
    Term(
        "positional encoding",
        "A vector for each position, added to the embeddings so that order is not lost.",
        "positions",
    ),
    Term(
        "quadratic cost",
        "A cost that grows four times where the text grows twice, as full attention's does.",
        "efficient",
    ),
    Term("query", "The vector by which a token asks; it is compared with the keys.", "self-attention"),
    Term(
        "random features",
        "Random numbers made from queries and keys whose products estimate the softmax on average.",
        "efficient",
    ),
    Term("recall", "Here: a made-up task that asks for a value read some distance ago.", "lstm-gru"),
    Term("recurrent neural network", "Makes a new state from each token and the state before it (RNN).", "rnn"),
    Term("reset gate", "Says with how much of the old state a GRU's candidate is made.", "lstm-gru"),
    Term(
        "residual stream",
        "A token's vector on its way through all layers: every block adds to it and none replaces it.",
        "transformer",
    ),
    Term(
        "role of a head",
        "What a head measurably looks at: the token before, the same token, the start and so on.",
        "multi-head",
    ),
    Term("score", "A number before the softmax; larger gets more of the row.", "self-attention"),
    Term(
        "self-attention",
        "Attention from every token of a sequence to the tokens of the same sequence.",
        "self-attention",
    ),
    Term("sigmoid", "Squeezes any number into 0 to 1: 1 / (1 + e⁻ˣ).", "applications"),
    Term("sinusoid", "A sine or cosine wave; positions are written in many of different lengths.", "positions"),
    Term("sliding window", "Attention to a few neighbours on either side alone.", "efficient"),
    Term(
        "slot",
        "A mixture of all tokens that is looked at in their place; there are few, whatever the length.",
        "efficient",
    ),
    Term(
        "softmax",
        "Turns scores into positive shares that sum to 1: the exponential of each, divided by their sum.",
        "self-attention",
    ),
    Term("sparse attention", "Attention in which every token sees some of the others only.", "efficient"),
    Term("spectral radius", "The size of a matrix's largest eigenvalue: how far it stretches in the long run.", "rnn"),
    Term("supporting fact", "A line of a story that the answer follows from.", "applications"),
    Term("tanh", "Squeezes any number into −1 to 1.", "rnn"),
    Term(
        "target token",
        "A token that a model had to predict in training; how much of it a model has seen is counted so.",
        "zoo",
    ),
    Term(
        "temperature",
        "Divides the scores before the softmax: below 1 likely tokens gain, above 1 unlikely ones do.",
        "gpt-bert",
    ),
    Term(
        "token", "What a model reads and writes: a word, a piece of one, a sign, or here and there a character.", "rnn"
    ),
    Term(
        "top-k and top-p",
        "Two ways to draw a token among likely ones alone: the k likeliest, or the fewest that have p together.",
        "gpt-bert",
    ),
    Term("Transformer", "A model of attention and feed-forward blocks, without recurrence.", "transformer"),
    Term("unit", "One of the numbers of a state or a vector.", "rnn"),
    Term("update gate", "Says how much of a GRU's old state stays.", "lstm-gru"),
    Term("validation loss", "How badly a model predicts text that it is not trained on; lower is better.", "zoo"),
    Term("value", "The vector that a token hands over to whoever looks at it.", "self-attention"),
    Term("vanishing gradient", "A gradient that shrinks at every step back, so that far words teach little.", "rnn"),
    Term("vocabulary", "All tokens that a model knows; here at most 8,000.", "applications"),
    Term("window", "A token and its neighbours, as many as a layer of a convolution sees.", "convolution"),
)
"""In the order of the alphabet."""

PAPERS = (
    Paper(
        "Elman", 1990, "Finding structure in time", doi("10.1207/s15516709cog1402_1"),
        "a network that reads its own last state again", ("rnn",),
    ),
    Paper(
        "Bengio, Simard and Frasconi", 1994, "Learning long-term dependencies with gradient descent is difficult",
        doi("10.1109/72.279181"), "why gradients vanish", ("rnn",),
    ),
    Paper(
        "Kneser and Ney", 1995, "Improved backing-off for m-gram language modeling", doi("10.1109/ICASSP.1995.479394"),
        "the counting that language models are compared with", ("applications",),
    ),
    Paper(
        "Hochreiter and Schmidhuber", 1997, "Long short-term memory", doi("10.1162/neco.1997.9.8.1735"),
        "section 4: a cell whose error neither vanishes nor explodes", ("lstm-gru",),
    ),
    Paper(
        "Gers, Schmidhuber and Cummins", 2000, "Learning to forget: continual prediction with LSTM",
        doi("10.1162/089976600300015015"), "the forget gate", ("lstm-gru",),
    ),
    Paper(
        "Papineni et al.", 2002, "BLEU: a method for automatic evaluation of machine translation", acl("P02-1040"),
        "section 2: runs of words shared with a person's translation", ("zoo",),
    ),
    Paper(
        "Och and Ney", 2003, "A systematic comparison of various statistical alignment models", acl("J03-1002"),
        "the alignment error rate", ("attention", "zoo"),
    ),
    Paper(
        "Filippova and Altun", 2013, "Overcoming the lack of parallel data in sentence compression", acl("D13-1155"),
        "the sentences and compressions that ours learnt from", ("applications",),
    ),
    Paper(
        "Pascanu, Mikolov and Bengio", 2013, "On the difficulty of training recurrent neural networks",
        arxiv("1211.5063"), "section 2: vanishing, exploding and the spectral radius", ("rnn",),
    ),
    Paper(
        "Cho et al.", 2014,
        "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
        arxiv("1406.1078"), "section 2.3: the cell that is called GRU today", ("lstm-gru", "encoder-decoder"),
    ),
    Paper(
        "Cho, van Merriënboer, Bahdanau and Bengio", 2014,
        "On the properties of neural machine translation: encoder-decoder approaches",
        arxiv("1409.1259"), "long sentences suffer from the one vector", ("encoder-decoder",),
    ),
    Paper(
        "Sutskever, Vinyals and Le", 2014, "Sequence to sequence learning with neural networks", arxiv("1409.3215"),
        "section 2: reading, one vector, writing; section 3.2: beam search", ("encoder-decoder", "attention"),
    ),
    Paper(
        "Bahdanau, Cho and Bengio", 2015, "Neural machine translation by jointly learning to align and translate",
        arxiv("1409.0473"), "section 3.1: the decoder looks back", ("attention", "applications"),
    ),
    Paper(
        "Filippova et al.", 2015, "Sentence compression by deletion with LSTMs", acl("D15-1042"),
        "section 3: a label for every word, keep or drop", ("applications",),
    ),
    Paper(
        "Luong, Pham and Manning", 2015, "Effective approaches to attention-based neural machine translation",
        arxiv("1508.04025"), "sections 3.1 and 3.3: one product for a score, and input feeding", ("attention",),
    ),
    Paper(
        "Popović", 2015, "chrF: character n-gram F-score for automatic MT evaluation", acl("W15-3049"),
        "the score of all translations here", ("encoder-decoder", "zoo"),
    ),
    Paper(
        "Weston et al.", 2015, "Towards AI-complete question answering: a set of prerequisite toy tasks",
        arxiv("1502.05698"), "the twenty tasks, their stories and their supporting facts", ("applications",),
    ),
    Paper(
        "Ba, Kiros and Hinton", 2016, "Layer normalization", arxiv("1607.06450"), "section 3: mean 0 and variance 1",
        ("self-attention", "transformer"),
    ),
    Paper(
        "He et al.", 2016, "Deep residual learning for image recognition", arxiv("1512.03385"),
        "section 3.1: blocks that add instead of replacing", ("transformer",),
    ),
    Paper(
        "Sennrich, Haddow and Birch", 2016, "Neural machine translation of rare words with subword units",
        arxiv("1508.07909"), "section 3.2: how words are cut into tokens", ("rnn",),
    ),
    Paper(
        "Yang et al.", 2016, "Hierarchical attention networks for document classification", acl("N16-1174"),
        "section 2.2: words first, then groups of them", ("efficient",),
    ),
    Paper(
        "Yu and Koltun", 2016, "Multi-scale context aggregation by dilated convolutions", arxiv("1511.07122"),
        "section 2: windows with gaps", ("convolution",),
    ),
    Paper(
        "Gehring et al.", 2017, "Convolutional sequence to sequence learning", arxiv("1705.03122"),
        "section 3: gated windows, and attention in every decoder layer", ("convolution",),
    ),
    Paper(
        "Vaswani et al.", 2017, "Attention is all you need", arxiv("1706.03762"),
        "section 3: attention, heads, masks and positions",
        ("self-attention", "multi-head", "positions", "masks", "transformer"),
    ),
    Paper(
        "Chen et al.", 2018, "The best of both worlds: combining recent advances in neural machine translation",
        arxiv("1804.09849"), "recurrence and self-attention in one model", ("efficient",),
    ),
    Paper(
        "Clark et al.", 2019, "What does BERT look at? An analysis of BERT's attention", arxiv("1906.04341"),
        "section 4.2: heads that find the word another depends on", ("multi-head", "efficient"),
    ),
    Paper(
        "Devlin et al.", 2019, "BERT: pre-training of deep bidirectional Transformers for language understanding",
        arxiv("1810.04805"), "section 3.1: filling in what is masked", ("gpt-bert",),
    ),
    Paper(
        "Jain and Wallace", 2019, "Attention is not explanation", arxiv("1902.10186"),
        "why every page here warns of it", ("attention",),
    ),
    Paper(
        "Michel, Levy and Neubig", 2019, "Are sixteen heads really better than one?", arxiv("1905.10650"),
        "section 3: heads switched off, one and many", ("multi-head",),
    ),
    Paper(
        "Radford et al.", 2019, "Language models are unsupervised multitask learners",
        "https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf",
        "a decoder alone that continues any text (GPT-2)", ("gpt-bert", "applications"),
    ),
    Paper(
        "Voita et al.", 2019,
        "Analyzing multi-head self-attention: specialized heads do the heavy lifting, the rest can be pruned",
        arxiv("1905.09418"), "roles of heads, and how many can go", ("multi-head",),
    ),
    Paper(
        "Wiegreffe and Pinter", 2019, "Attention is not not explanation", arxiv("1908.04626"),
        "the answer to Jain and Wallace", ("attention",),
    ),
    Paper(
        "Zhang and Sennrich", 2019, "Root mean square layer normalization", arxiv("1910.07467"),
        "a simpler normalisation", ("zoo",),
    ),
    Paper(
        "Beltagy, Peters and Cohan", 2020, "Longformer: the long-document Transformer", arxiv("2004.05150"),
        "section 3.1: a sliding window", ("efficient",),
    ),
    Paper(
        "Brown et al.", 2020, "Language models are few-shot learners", arxiv("2005.14165"),
        "many tasks with one set of weights", ("applications",),
    ),
    Paper(
        "Chen et al.", 2020, "Accurate word alignment induction from neural machine translation",
        arxiv("2004.14837"), "section 3: a word is looked up as it is read", ("applications", "zoo"),
    ),
    Paper(
        "Choromanski et al.", 2020, "Rethinking attention with Performers", arxiv("2009.14794"),
        "section 2: the softmax by random features", ("efficient",),
    ),
    Paper(
        "DeYoung et al.", 2020, "ERASER: a benchmark to evaluate rationalized NLP models", arxiv("1911.03429"),
        "comprehensiveness: what leaving out costs", ("applications",),
    ),
    Paper(
        "Holtzman et al.", 2020, "The curious case of neural text degeneration", arxiv("1904.09751"),
        "why the likeliest continuation repeats itself, and how to draw one instead",
        ("gpt-bert", "applications"),
    ),
    Paper(
        "Wang et al.", 2020, "Linformer: self-attention with linear complexity", arxiv("2006.04768"),
        "section 4: keys and values projected to a few slots", ("efficient",),
    ),
    Paper(
        "Xiong et al.", 2020, "On layer normalization in the Transformer architecture", arxiv("2002.04745"),
        "why the norm stands before each block here", ("transformer",),
    ),
    Paper(
        "Zaheer et al.", 2020, "Big Bird: Transformers for longer sequences", arxiv("2007.14062"),
        "section 2: neighbours, both ends and some by lot", ("efficient",),
    ),
    Paper(
        "Ren et al.", 2021, "Combiner: full attention Transformer with sparse computation cost", arxiv("2107.05768"),
        "blocks that stand for their tokens", ("efficient",),
    ),
    Paper(
        "Su et al.", 2021, "RoFormer: enhanced Transformer with rotary position embedding", arxiv("2104.09864"),
        "section 3: queries and keys turned by their positions", ("zoo",),
    ),
    Paper(
        "Haviv et al.", 2022,
        "Transformer language models without positional encodings still learn positional information",
        arxiv("2203.16634"), "order leaks in through the causal mask", ("positions",),
    ),
    Paper(
        "Olsson et al.", 2022, "In-context learning and induction heads", arxiv("2209.11895"),
        "heads that look for what came before", ("multi-head",),
    ),
    Paper(
        "Ainslie et al.", 2023,
        "GQA: training generalized multi-query Transformer models from multi-head checkpoints",
        arxiv("2305.13245"), "section 2.2: heads that share keys and values", ("zoo",),
    ),
)  # fmt: skip
"""In the order of their years, then of their authors."""
