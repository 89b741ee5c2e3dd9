"""Questions from an index and its queries, with the answers that the encoder gives.

sentence    The reader sees the explanation of a query and one of its three best documents, and two sentences of the
            document, but neither the query nor the rest. Which sentence, taken out, lowers the score more? The answer:
            the rest of the document is encoded again without either sentence, and the two scores are compared.
ranking     The reader sees the explanations of one query and two of its ten best documents, and the text of a second
            query, but neither the first query nor the documents. Which document ranks higher for the second query? The
            answer: the two cosines with the second query, as the index ranks. The second query is on a feature that one
            of the two explanations shows and the other does not: it is the second query's strongest feature. The
            feature decides which questions are asked, never which answer is right. Its name is not given, since
            matching two names takes no understanding of either.

Questions whose two scores are nearly equal are left out. Which option is A is decided at random.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
from numpy.random import Generator

from ...configs import SimulatabilityConfig
from ...data.judgments import Queries
from ...errors import InputError
from ...index import Index
from ...progress import Progress, silent
from .arms import Phrases, in_arm, strangers
from .cases import Case, Source
from .question import Part, Question

PER_QUERY: Final = 4  # questions of one part
BACKGROUND: Final = 1000  # documents, for key phrases


def draw_questions(
    index: Index, queries: Queries, config: SimulatabilityConfig | None = None, progress: Progress = silent
) -> list[Question]:
    """Draw questions of both parts, in random order; fewer if the queries do not give as many.

    Raises:
        InputError: no question of either part.
    """
    config = config or SimulatabilityConfig()
    rng = np.random.default_rng(config.seed)
    source = Source(index, queries, rng)
    many = config.questions * (1 if config.repeat else len(config.arms))
    cases: list[Case] = []
    for part, of_query in (("sentence", source.sentences), ("ranking", source.rankings)):
        order = rng.permutation(len(queries.ids)).tolist()
        for place, case in enumerate(islice(_in_turn([of_query(at) for at in order]), many), 1):
            cases.append(case)
            progress("draw", place, many, f"questions ({part})")
    if not cases:
        raise InputError(
            f"{index.folder}: these queries give no question: they need documents with several sentences, or a feature "
            "in common with another query"
        )
    questions = _in_arms(index, cases, config, rng)
    order = rng.permutation(len(questions)).tolist()
    return [replace(questions[at], item=f"{index.folder.name}-{place}") for place, at in enumerate(order, 1)]


def _in_turn(sources: list[Iterator[Case]]) -> Iterator[Case]:
    """Take one case from each source in turn, at most `PER_QUERY` times."""
    for _ in range(PER_QUERY):
        for source in sources:
            yield from islice(source, 1)


def _in_arms(index: Index, cases: list[Case], config: SimulatabilityConfig, rng: Generator) -> list[Question]:
    """Put each case in one of the arms, taking turns, or in all of them."""
    kept = np.setdiff1d(np.arange(len(index)), index.deleted)
    sample = np.sort(rng.permutation(kept)[:BACKGROUND]).tolist()
    phrases = Phrases(index.document(row).text for row in sample)
    pool = [line for case in cases for lines in case.explanations for line in lines]
    questions: list[Question] = []
    turns: Counter[Part] = Counter()
    for case in cases:
        others = strangers(case.explanations, pool, rng)
        texts = [hit.document.text for hit in case.hits]
        turn = config.arms[turns[case.part] % len(config.arms)]
        turns[case.part] += 1
        for arm in config.arms if config.repeat else (turn,):
            shown = [
                in_arm(arm, lines, others, partial(phrases.of, text, len(lines)))
                for text, lines in zip(texts, case.explanations, strict=True)
            ]
            first, second = ((line,) for line in case.texts) if case.part == "sentence" else shown
            questions.append(
                Question(
                    item="",
                    part=case.part,
                    arm=arm,
                    given=shown[0] if case.part == "sentence" else case.texts,
                    a=first,
                    b=second,
                    right=case.right,
                    gap=round(case.gap, 4),
                    query=case.query,
                    documents=tuple(hit.doc_id for hit in case.hits),
                    second=case.second,
                    feature=case.feature,
                    states=case.states,
                )
            )
    return questions
