"""What runs on a GPU gives what the processor gives. Skipped where there is no GPU that PyTorch can use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sae_data import planted

from xetrieval import FitConfig
from xetrieval.errors import InputError
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.sae.kernels import Pattern, kernels_for
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.train import SaeConfig, train_sae
from xetrieval.sae.train.trainer import Trainer

torch = pytest.importorskip("torch")
GPU = torch.cuda.is_available()
on_gpu = pytest.mark.skipif(not GPU, reason="no CUDA device that PyTorch can use here")
VARIANTS = ("relu", "topk", "batchtopk", "gated", "jumprelu", "p-anneal", "gated-anneal", "matryoshka")


@on_gpu
def test_products_are_those_of_the_processor() -> None:
    rng, loops, gpu = np.random.default_rng(0), kernels_for("cpu"), kernels_for("cuda")
    scores, W, x = (
        torch.from_numpy(rng.standard_normal(s).astype(np.float32)) for s in ((37, 130), (130, 19), (37, 19))
    )
    counts, columns, values = loops.above(scores, torch.ones(130))
    pattern = Pattern(loops.starts(counts), columns)
    there = Pattern(*(one.cuda() for one in pattern))
    error, pulls = loops.decode_and_pull(pattern, values, W, x, -2.0)
    found = gpu.decode_and_pull(there, values.cuda(), W.cuda(), x.cuda(), -2.0)
    assert torch.allclose(found[0].cpu(), error, atol=1e-5)
    assert torch.allclose(found[1].cpu(), pulls, atol=1e-4)
    out = torch.full((130, 19), 9.0)
    out_there = out.cuda()
    loops.gather(loops.by_feature(pattern, 130), values, x, 0.5, out, 10, 120)
    gpu.gather(gpu.by_feature(there, 130), values.cuda(), x.cuda(), 0.5, out_there, 10, 120)
    assert torch.allclose(out_there.cpu(), out, atol=1e-5)


@on_gpu
@pytest.mark.parametrize("name", VARIANTS)
def test_the_first_steps_are_those_of_the_processor(name: str) -> None:
    x = planted(600)
    config = SaeConfig(features=128, l0=5, variant=name)
    here, there = Trainer(config, x, 100), Trainer(replace(config, device="cuda"), x, 100)
    there.w = {key: value.clone().cuda() for key, value in here.w.items()}
    there.optimiser = torch.optim.Adam(list(there.w.values()), lr=config.rate, fused=True)
    for _ in range(3):
        ours, theirs = here.step(torch.from_numpy(x)), there.step(torch.from_numpy(x).cuda())
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-4)
        assert theirs.l0 == pytest.approx(ours.l0, rel=1e-3)
    assert set(there.w) == set(here.w)


@on_gpu
@pytest.mark.parametrize("name", VARIANTS)
def test_trained_dictionaries_are_as_good_and_the_same_twice(name: str) -> None:
    x = planted(2000)
    config = SaeConfig(features=96, l0=5, variant=name, epochs=20, batch_size=256, device="cuda", resample_every=0.2)
    first, again = train_sae(x, config), train_sae(x, config)
    assert np.array_equal(first.encoder_weight, again.encoder_weight), "same seed, same bits"
    ours = train_sae(x, replace(config, device="cpu"))
    assert reconstruction(first, x).fvu == pytest.approx(reconstruction(ours, x).fvu, rel=0.1)


@on_gpu
def test_an_interrupted_training_resumes_exactly(tmp_path: Path) -> None:
    x, state = planted(1000), tmp_path / "state.pt"
    config = SaeConfig(features=64, l0=4, epochs=4, batch_size=100, device="cuda")
    whole = train_sae(x, config)

    def stop(step: object) -> None:
        if getattr(step, "step", 0) == 25:
            raise KeyboardInterrupt

    from xetrieval.sae.train import loop

    paused = loop.SAVE_EVERY
    try:
        loop.SAVE_EVERY = loop.SAVE_FACTOR = 0.0  # type: ignore[misc]
        with pytest.raises(KeyboardInterrupt):
            train_sae(x, config, stop, checkpoint=state)
    finally:
        loop.SAVE_EVERY = paused  # type: ignore[misc]
    assert state.is_file()
    assert np.array_equal(train_sae(x, config, checkpoint=state).encoder_weight, whole.encoder_weight)


@on_gpu
def test_bfloat16_candidates_give_the_codes_of_float32() -> None:
    x = torch.from_numpy(planted(600)).cuda()
    trainers = [
        Trainer(SaeConfig(features=128, l0=5, device="cuda", scoring=scoring), x.cpu().numpy(), 100)  # type: ignore
        for scoring in ("float32", "bfloat16")
    ]
    plain, half = (trainer._entries(x - trainer.w["bd"])[1] for trainer in trainers)
    assert torch.equal(plain.columns.view(600, 5).sort(1).values, half.columns.view(600, 5).sort(1).values)


@on_gpu
def test_an_index_learns_its_features_on_the_gpu(tmp_path: Path) -> None:
    from conftest import random_explainer

    explainer = random_explainer()
    vectors = planted(600, explainer.sae.dimension)
    np.save(tmp_path / "vectors.npy", vectors)
    corpus = Corpus((), vectors=tmp_path / "vectors.npy")
    for device in ("cpu", "cuda"):
        build_index(corpus, explainer, tmp_path / device, BuildConfig(dictionary="corpus", device=device, force=True))
    here, there = open_index(tmp_path / "cpu"), open_index(tmp_path / "cuda")
    assert there.explainer.provenance["config"]["device"] == "cuda"
    fvu = [index.explainer.metrics["original"]["fvu"] for index in (here, there)]
    assert fvu[1] == pytest.approx(fvu[0], rel=0.15)
    hit = there.search(vectors[3], k=1)[0]
    parts = hit.explanation
    assert hit.row == 3
    assert parts.bias + parts.remainder + sum(term.share for term in parts.terms) == pytest.approx(
        parts.score, abs=1e-6
    )


@pytest.mark.skipif(GPU, reason="there is a GPU here")
def test_without_a_gpu_the_device_is_refused_before_any_work(tmp_path: Path) -> None:
    from conftest import random_explainer

    np.save(tmp_path / "vectors.npy", planted(200, 64))
    corpus = Corpus((), vectors=tmp_path / "vectors.npy")
    with pytest.raises(InputError, match="cannot be used here"):
        build_index(corpus, random_explainer(), tmp_path / "x", BuildConfig(dictionary="corpus", device="cuda"))
    assert not (tmp_path / "x" / "config.json").exists()


def test_a_device_that_does_not_exist_is_refused() -> None:
    for config in (BuildConfig, FitConfig):
        with pytest.raises(InputError, match="device 'gpu' is unknown"):
            config(device="gpu")
    with pytest.raises(InputError, match="a new index"):
        BuildConfig(adding=True, device="cuda")
    with pytest.raises(InputError, match="give `sae`, or"):
        FitConfig(sae=SaeConfig(), device="cuda")
