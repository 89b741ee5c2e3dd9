"""Requests to a language model keep their cache keys, so that no answer is paid for a second time.

The keys below were written by an earlier version. A key changes with any word of a prompt, of a fault that a second
attempt names, or of what surrounds a document; if a test here fails, undo that change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from label_data import subject_examples

from xetrieval.configs import LlmLabelConfig
from xetrieval.data import Document
from xetrieval.labels.judges import LlmJudge, Marked
from xetrieval.labels.labellers import LlmLabeller
from xetrieval.llm import Answer, CachedChat, ReplayChat, Request, Usage
from xetrieval.teachers import TeachConfig, read_prompt, teach

TEXT = (
    "Sourdough bread rises because wild yeast and bacteria feed on the flour and give off gas. The bakers of many "
    "countries keep a jar of it alive for years, feeding it with flour and water every day or every week."
)
TEXTS = ["green tea", "black tea", "football"]
TAUGHT = [
    "ca42ae22bdce338a16b19a04f4bcc92142fc1b28316c9b70a80e8ea2e0325476",
    "f1476e6f40d087e3b05df71788dc42efd5e64d8cfe5692de0e0521eaf427f087",
    "ad49e7375c172e948a2a6f9526250d6151a25c7e13bfc5a4b37d7eb5312e042d",
    "732dfbce1744ba9bc41635bca4f6db5ba05c3f2b8d2da77efc748c878a51c0ba",
    "be8b04a2cb52fb67c997b3696ae525fab9641abde368478e1bc6fe1412767b73",
    "2ee803abf2fe11febd4264bec1ec440917ada3e1e1ba6172196abf06a65d5a13",
    "f553c043ff01ce7a05ee428179e7430ab83149bcff5a48a2de5c37e20974d4d9",
    "33fd9be42fd0fed2e84633c7df42128abad9fd02e1cbbb8aaeb9d6c3248e9602",
    "f8914696542ddaecb8adb9b0bd4d8f1505e4f54faee8d875b98df90c0c09ad7c",
    "244ba94799208d5587cc46f1db7f7992a974898dcf9d7bbfb3faf3cc19bc68b9",
    "6dfce932beb9e2eb72c2d92cb6f3bcd89690538946a0240782c47c3cdef8c210",
    "b52fa7634e5e9f470f777736f66d803946be4113c61a2209bb67d31c90b58fec",
]
LABELLED = [
    "448bb6d357e969def9b4958691fc6ea10277675b8ccd729cee46e36dbfa298ff",
    "2d59f2cc27da9e4ac944f91e19963ab3e58ab03b6a716b09936d8a1da6290978",
]
DETECTION = [
    "7428432778c151b98365c4c0cf9e9dab5219542815ce7e79f5f4094f9c2fce0f",
    "908eb792d51dcc2e73d51f663eb2c97e0004e763023c540b6e70e107bd2ad15a",
]
FUZZ = [
    "e240f5f2b4f585318333212b026e6134b3ba5a1b8b929684cb1decfe7a982487",
    "a9f07e588e234f67b99c203a645c00fd47e62c5084536b32bf6562c3e2cf63a3",
]
INTRUDER = [
    "4039d10c00c535aaee8bcd14010ad8760307233cb3c6ee57a945fa289f63daa2",
    "7b2ea4d7153501f231de2e349d42002f29a5ebc2e6571f8196a8e0f998f7482f",
]


def keys(use: Callable[[CachedChat], object], folder: Path, script: Callable[[Request], str]) -> list[str]:
    """The keys of all requests that `use` sends."""
    chat = ReplayChat(script)
    model = CachedChat(chat, folder / "llm.sqlite")
    use(model)
    return [model.key(request) for request in chat.requests]


def test_teacher_texts_keep_their_keys(tmp_path: Path) -> None:
    prompts = [read_prompt(aspect) for aspect in ("summary", "purpose", "qa")]
    documents = [Document("d1", TEXT, TEXT, "d1", {}), Document("long", "word " * 100, "", "long", {})]
    config = TeachConfig(200, retries=1, concurrency=1)  # both documents are cut, and every answer is unusable

    def unusable(request: Request) -> str:
        asked = request.messages[-1].content
        return "no" if "pairs" in asked else "I'm sorry" if "What is this document for" in asked else ""

    def run(model: CachedChat) -> object:
        return teach(documents, prompts, model, tmp_path / "t.jsonl", config)

    assert keys(run, tmp_path, unusable) == TAUGHT


def test_labels_keep_their_keys(tmp_path: Path) -> None:
    feature = subject_examples()[0]

    def run(model: CachedChat) -> object:
        return list(LlmLabeller(model, config=LlmLabelConfig(1, retries=1, concurrency=1)).label([feature]))

    assert keys(run, tmp_path, lambda _: "LABEL: one two three four five six seven eight nine") == LABELLED


def test_judgements_keep_their_keys(tmp_path: Path) -> None:
    marked = [Marked("", "green tea", "a goal"), Marked("a goal", "black tea", "")]
    no = lambda _: "no"  # noqa: E731
    assert keys(lambda model: LlmJudge(model).fits("tea", TEXTS), tmp_path, no) == DETECTION
    assert keys(lambda model: LlmJudge(model).fits("tea", marked), tmp_path, no) == FUZZ
    assert keys(lambda model: LlmJudge(model).intruder(TEXTS), tmp_path, no) == INTRUDER


def test_an_answer_in_a_cache_of_an_earlier_version_is_found(tmp_path: Path) -> None:
    """A cache with one row under a literal key answers without the model."""

    def refuse(request: Request) -> str:
        raise AssertionError("asked again")

    model = CachedChat(ReplayChat(refuse), tmp_path / "llm.sqlite")
    request = Request((), 1)
    model._keep(DETECTION[0], request, Answer('{"fits": [1, 2]}', Usage(10, 5)))
    fits = LlmJudge(model).fits("tea", TEXTS)
    assert fits is not None
    assert fits.tolist() == [1, 1, 0]
    assert model.ledger.cached == 1
