"""Performer: attention weights as products of random features, so that no token need be compared with any other.

Choromanski et al. 2020, "Rethinking attention with Performers", sections 2.2 to 2.4: FAVOR+, the softmax kernel by
positive orthogonal random features. Differences from the paper: the features are drawn once, from a fixed seed a
layer, and shipped with the weights; they are not drawn anew in training. Only the encoder's self-attention differs from
``transformer.py``.

    phi(x) = exp(omega x - |x|^2 / 2) / sqrt(m),   x = q or k over d_head^(1/4)         lemma 1, section 2.3
    E[phi(q) phi(k)] = exp(q k / sqrt(d_head))
    a_ij = phi(q_i) phi(k_j) / sum_l phi(q_i) phi(k_l)                                  what is shown
    out_i = phi(q_i) (sum_j phi(k_j) v_j^T) / phi(q_i) (sum_j phi(k_j))                 what is computed: the same

The rows of omega are orthogonal in blocks of d_head, each as long as a Gaussian vector (section 2.4). As in the
authors' code the exponents are lowered by the largest, which cancels, and every feature is raised by 1e-6, so that no
sum is 0. The variance of phi(q) phi(k) falls as 1 / m, but grows as exp(|q + k|^2) (lemma 2).

Cost for n tokens and m features: 4 n m d_head products a head and 2 n m features to keep, where full attention has
2 n^2 d_head and n^2 weights: fewer only beyond n = 2 m. The picture alone takes n^2 m products and n^2 weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pretrained.architectures import transformer
from pretrained.architectures.record import Attended
from pretrained.shapes import Bool, Float

LEAST = 1e-6  # added to every feature


@dataclass(frozen=True)
class Config(transformer.Config):
    """Sizes of the model; ``n_features`` random features stand for the softmax."""

    n_features: int = 96


class TransformerPerformer(transformer.Transformer):
    """A Transformer whose source tokens look through random features."""

    config: Config

    def self_attention(self, layer: int) -> PerformerAttention:
        """Make the self-attention of one encoder layer."""
        return PerformerAttention(self.config, layer)


class PerformerAttention(transformer.SelfAttention):
    """Self-attention through random features."""

    omega: Float[Tensor, "feature d_head"]

    def __init__(self, config: Config, layer: int) -> None:
        """Make the four projections, and draw the features."""
        super().__init__(config, layer)
        self.register_buffer("omega", orthogonal_features(config.n_features, config.d_head, seed=layer))

    def mix(
        self,
        q: Float[Tensor, "batch head source d_head"],
        k: Float[Tensor, "batch head source d_head"],
        v: Float[Tensor, "batch head source d_head"],
        source_mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch head source d_head"], Attended]:
        """Mix the values through the features."""
        # Exponents want more than the three digits of bfloat16.
        with torch.autocast(q.device.type, enabled=False):
            phi_q, phi_k = features(q.float(), k.float(), source_mask, self.omega)
            mixed, weights = linear_attention(phi_q, phi_k, v.float()), kernel_weights(phi_q, phi_k)
        may_attend = source_mask[:, None].expand(-1, q.shape[2], -1)
        return mixed, Attended("encoder-self", self.layer, weights, None, may_attend)


def orthogonal_features(n_features: int, d_head: int, *, seed: int) -> Float[Tensor, "feature d_head"]:
    """Draw directions, orthogonal in blocks of ``d_head`` and each as long as a Gaussian vector (section 2.4)."""
    draw = torch.Generator().manual_seed(seed)
    blocks = []
    for _ in range(0, n_features, d_head):
        q, r = torch.linalg.qr(torch.randn(d_head, d_head, generator=draw, device="cpu"))
        blocks.append(q * r.diagonal().sign())  # without the signs some directions would be likelier than others
    lengths = torch.randn(n_features, d_head, generator=draw, device="cpu").norm(dim=1, keepdim=True)
    return torch.cat(blocks)[:n_features] * lengths


def features(
    q: Float[Tensor, "batch head query d_head"],
    k: Float[Tensor, "batch head key d_head"],
    source_mask: Bool[Tensor, "batch key"],
    omega: Float[Tensor, "feature d_head"],
) -> tuple[Float[Tensor, "batch head query feature"], Float[Tensor, "batch head key feature"]]:
    """Compute positive features of queries and keys (lemma 1), up to factors that cancel; padding has none."""

    def exponents(x: Float[Tensor, "batch head token d_head"]) -> Float[Tensor, "batch head token feature"]:
        x = x * x.shape[-1] ** -0.25
        return x @ omega.T - x.square().sum(-1, keepdim=True) / 2

    real = source_mask[:, None, :, None]
    of_q, of_k = exponents(q), exponents(k).masked_fill(~real, -torch.inf)
    phi_q = torch.exp(of_q - of_q.amax(-1, keepdim=True)) + LEAST
    phi_k = (torch.exp(of_k - of_k.amax((-2, -1), keepdim=True)) + LEAST) * real
    return phi_q, phi_k


def linear_attention(
    phi_q: Float[Tensor, "batch head query feature"],
    phi_k: Float[Tensor, "batch head key feature"],
    v: Float[Tensor, "batch head key d_head"],
) -> Float[Tensor, "batch head query d_head"]:
    """Mix values without comparing any two tokens: all keys and values are summed up first."""
    return (phi_q @ (phi_k.transpose(-1, -2) @ v)) / (phi_q @ phi_k.sum(2)[..., None])


def kernel_weights(
    phi_q: Float[Tensor, "batch head query feature"], phi_k: Float[Tensor, "batch head key feature"]
) -> Float[Tensor, "batch head query key"]:
    """Compute the weights that ``linear_attention`` mixes with, which it never makes."""
    kernel = phi_q @ phi_k.transpose(-1, -2)
    return kernel / kernel.sum(-1, keepdim=True)
