"""Shape annotations: jaxtyping's where it is installed (tests, development), plain tensors elsewhere.

Training machines hold torch, tokenizers, safetensors and numpy only, so jaxtyping may not be imported without a
fallback.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ImportError:

        class _AnyShape:
            """Stands for ``Float[Tensor, "batch unit"]``: forgets the shape and keeps the type."""

            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = _AnyShape

__all__ = ["Bool", "Float", "Int"]
