"""The closed forms of the noise model against products of matrices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasrepro.diffusion.noise import (
    categorical,
    class_marginal,
    cosine_schedule,
    diffuse,
    posterior,
    reverse_times,
    transition,
)

T = 12
KEEP = cosine_schedule(T)


def _marginal(k: int, seed: int) -> torch.Tensor:
    m = torch.rand(k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.05
    return m / m.sum()


def _composed(s: int, t: int, marginal: torch.Tensor) -> torch.Tensor:
    """The kernel from s to t as the product of its single steps."""
    q = torch.eye(len(marginal), dtype=torch.float64)
    for u in range(s + 1, t + 1):
        q = q @ transition(float(KEEP[u] / KEEP[u - 1]), marginal)
    return q


def test_the_schedule_runs_from_no_noise_to_the_marginal():
    assert KEEP[0] == 1 and KEEP[-1] == 0
    assert (KEEP.diff() < 0).all()
    # away from both ends it is the printed formula
    t, s = 5, 0.008
    printed = torch.cos(torch.tensor(0.5 * torch.pi * (t / T + s) / (1 + s), dtype=torch.float64)) ** 2
    assert KEEP[t] == pytest.approx(float(printed), rel=3e-4)


def test_single_steps_compose_to_the_closed_form():
    m = _marginal(4, 0)
    for s, t in [(0, 1), (0, T), (3, 9), (7, 8)]:
        assert torch.allclose(_composed(s, t, m), transition(float(KEEP[t] / KEEP[s]), m), atol=1e-12)


def test_the_marginal_is_stationary_and_rows_are_distributions():
    m = _marginal(5, 1)
    q = transition(0.3, m)
    assert torch.allclose(m @ q, m) and torch.allclose(q.sum(1), torch.ones(5, dtype=torch.float64))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(0, T - 1), st.integers(1, T), st.integers(0, 10_000))
def test_the_posterior_equals_bayes_rule_on_matrix_products(k: int, s: int, t: int, seed: int):
    if s >= t:
        s, t = t - 1, s + 1
    m, prediction = _marginal(k, seed), _marginal(k, seed + 1)
    q_s, q_st, q_t = _composed(0, s, m), _composed(s, t, m), _composed(0, t, m)
    for i in range(k):
        brute = sum(prediction[x] * q_s[x] * q_st[:, i] / q_t[x, i] for x in range(k) if q_t[x, i] > 0)
        ours = posterior(torch.tensor(i), prediction, m, float(KEEP[s]), float(KEEP[t]))
        assert torch.allclose(ours, brute, atol=1e-9)
        assert ours.sum() == pytest.approx(1)


def test_a_jump_equals_single_steps_when_the_prediction_is_known():
    """With x_0 known, t -> s in one jump and in single steps are the same law (the strided sampler's premise)."""
    m, s, t, clean = _marginal(4, 3), 4, 9, 2
    known = torch.eye(4, dtype=torch.float64)[clean]

    def kernel(a: int, b: int) -> torch.Tensor:  # rows: class at time b, columns: class at time a
        return torch.stack([posterior(torch.tensor(i), known, m, float(KEEP[a]), float(KEEP[b])) for i in range(4)])

    single = torch.eye(4, dtype=torch.float64)
    for u in range(t, s, -1):
        single = single @ kernel(u - 1, u)
    assert torch.allclose(single, kernel(s, t), atol=1e-10)


def test_at_time_zero_the_posterior_of_a_clean_slot_is_its_prediction_at_full_noise():
    m, prediction = _marginal(3, 5), _marginal(3, 6)
    ours = posterior(torch.tensor([0, 1, 2]), prediction.expand(3, -1), m, 1.0, 0.0)
    assert torch.allclose(ours, prediction.expand(3, -1))


def test_a_class_that_never_occurs_gives_no_nan():
    m = torch.tensor([0.5, 0.5, 0.0])
    p = posterior(torch.tensor([2, 0]), torch.tensor([[0.2, 0.3, 0.5]]).expand(2, -1), m, 0.6, 0.2)
    assert torch.isfinite(p).all()


def test_diffuse_follows_the_kernel():
    """Chi-square of 40,000 noisy draws against the row of Q."""
    m, keep = _marginal(4, 7), 0.35
    n = 40_000
    noisy = diffuse(
        torch.full((n, 1), 2), torch.full((n,), keep), m.float(), torch.Generator().manual_seed(0)
    ).flatten()
    counts = torch.bincount(noisy, minlength=4).numpy()
    expected = (n * transition(keep, m)[2]).numpy()
    assert stats.chisquare(counts, expected).pvalue > 1e-3
    wrong = (n * transition(keep + 0.03, m)[2]).numpy()
    assert stats.chisquare(counts, wrong).pvalue < 1e-3  # the test can tell


def test_categorical_inverts_the_cdf():
    p = torch.tensor([[0.2, 0.0, 0.8], [2.0, 2.0, 0.0]])
    u = torch.tensor([[0.0, 0.19, 0.2, 0.999], [0.0, 0.49, 0.5, 0.999]])
    drawn = torch.stack([categorical(p, u[:, i]) for i in range(4)], 1)
    assert drawn.tolist() == [[0, 0, 2, 2], [0, 0, 1, 1]]


def test_reverse_times_end_at_zero_and_have_the_asked_length():
    assert reverse_times(500, 500) == list(range(500, -1, -1))
    for steps in (1, 3, 5, 499):
        times = reverse_times(500, steps)
        assert times[0] == 500 and times[-1] == 0 and len(set(times)) == steps + 1
    with pytest.raises(ValueError, match=r"1\.\.500"):
        reverse_times(500, 501)


def test_the_class_marginal_counts_what_the_mask_shows():
    classes = torch.tensor([[0, 1, 2], [1, 1, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert class_marginal(classes, 4, mask).tolist() == [0.25, 0.5, 0.25, 0]
