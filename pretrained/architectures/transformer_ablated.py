"""The Transformer with one part taken out, to see by its learning curve what that part is for.

Vaswani et al. 2017, section 3.1, puts a residual connection (He et al. 2016, "Deep residual learning for image
recognition") and a layer normalisation (Ba, Kiros and Hinton 2016, "Layer normalization") around every sub-layer. What
is left is as in ``transformer.py``, down to the random weights that training begins with.

    Transformer              x = x + SubLayer(LN(x))
    TransformerNoResidual    x = SubLayer(LN(x))
    TransformerNoNorm        x = x + SubLayer(x)
"""

from __future__ import annotations

from torch import Tensor, nn

from pretrained.architectures.transformer import Config, Residual, Transformer
from pretrained.shapes import Float


class TransformerNoResidual(Transformer):
    """What a sub-layer read is lost but for what the sub-layer makes of it."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__(config)
        for block in (*self.encoder, *self.decoder):
            block.add = Replacement(config.dropout)


class TransformerNoNorm(Transformer):
    """Vectors grow from layer to layer as they will."""

    def __init__(self, config: Config) -> None:
        """Make the model with random weights."""
        super().__init__(config)
        for block in (*self.encoder, *self.decoder):
            block.norms = nn.ModuleList(nn.Identity() for _ in block.norms)
        self.encoder_norm, self.decoder_norm = nn.Identity(), nn.Identity()


class Replacement(Residual):
    """Go on with what a sub-layer made, after dropout, and forget what it read."""

    def forward(
        self,
        x: Float[Tensor, "batch token d_model"],  # noqa: ARG002
        made: Float[Tensor, "batch token d_model"],
    ) -> Float[Tensor, "batch token d_model"]:
        """Return what was made."""
        return self.dropout(made)
