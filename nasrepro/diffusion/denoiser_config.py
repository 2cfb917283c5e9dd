"""Shapes of the denoiser, by name (DiNAS, appendix A.4, and ours).

`PAPER` is the network of the paper's text: a DiGress network without time input, whose layers update an N x N matrix of
pair features, with scores per channel and the class embedding concatenated. `PUBLIC_CODE` is the same with the two
choices that only the public code tells: one-hot inputs (`linear_inputs`) and the noisy graph added to the output
(`residual`). `DEFAULT` is ours: the layers update nodes only; the pairs are read once, as attention biases, and written
once, from their two end nodes, each pair i < j a single time. `WHOLE_GRAPH` adds to each of its layers a feed-forward
block on all nodes at once: a wanted class that is an irregular list of cells is told from other cells by combinations
of many nodes, which attention learns slowly.
`FLAT` has no attention, but feed-forward blocks on all slots of a small graph at once (`flat.FlatDenoiser`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class DenoiserConfig:
    """Shape of the network.

    Attributes:
        pairs: `full` = DiGress layers on N x N matrices of pair features, the class embedding concatenated (so the
            layers have twice the dimensions given here) and scaling each layer's output; `upper` = one feature per
            pair i < j, the class embedding added; `flat` = no graph layers, all slots side by side.
        attention: with full pairs, `channel` = a score for every channel (DiGress) or `head` = a score for every
            head; upper pairs use heads.
        layers: graph-transformer layers.
        heads: attention heads.
        node_dim: features per node.
        pair_dim: features per pair.
        node_hidden: hidden units of networks that act on single nodes.
        pair_hidden: hidden units of networks that act on single pairs.
        graph_hidden: hidden units of a network, in each layer, that acts on all nodes of a graph at once; 0 = none
            (upper pairs), or on all slots (flat).
        positions: add sinusoids of the node index, which carries the direction of the edges; flat networks know each
            slot by its place.
        time_input: tell the network the time t (the public code does not).
        residual: add the noisy graph, as one-hot vectors, to the logits (the public code).
        linear_inputs: first layers are linear in one-hot vectors, with a bias, and the null token and the diagonal of
            the pair matrix are the zero vector (the public code; full pairs). Otherwise each class, the null token
            among them, has a row of its own, and the diagonal has zero features.
        dropout: probability, in training only (full pairs).
    """

    pairs: Literal["full", "upper", "flat"]
    attention: Literal["channel", "head"] = "head"
    layers: int = 5
    heads: int = 8
    node_dim: int = 256
    pair_dim: int = 64
    node_hidden: int = 256
    pair_hidden: int = 128
    graph_hidden: int = 0
    positions: bool = True
    time_input: bool = False
    residual: bool = False
    linear_inputs: bool = False
    dropout: float = 0.0


PAPER = DenoiserConfig(pairs="full", attention="channel", dropout=0.1)
PUBLIC_CODE = replace(PAPER, residual=True, linear_inputs=True)
DEFAULT = DenoiserConfig(pairs="upper", layers=3, heads=4, node_dim=64, pair_dim=32, node_hidden=128, pair_hidden=32)
WHOLE_GRAPH = replace(DEFAULT, layers=2, graph_hidden=512)
FLAT = DenoiserConfig(pairs="flat", layers=2, node_dim=16, pair_dim=8, graph_hidden=512)
# a small DiGress network with either attention, for the ablation of the two on a CPU
MATRIX_CHANNELS = replace(PAPER, layers=3, heads=4, node_dim=32, pair_dim=16, node_hidden=64, pair_hidden=32)
MATRIX_HEADS = replace(MATRIX_CHANNELS, attention="head")
CONFIGS = {
    "paper": PAPER,
    "default": DEFAULT,
    "whole-graph": WHOLE_GRAPH,
    "flat": FLAT,
    "matrix-channels": MATRIX_CHANNELS,
    "matrix-heads": MATRIX_HEADS,
}
