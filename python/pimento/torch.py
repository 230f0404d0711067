"""Chips as PyTorch modules, for people who evaluate with their own loop."""

from __future__ import annotations

from typing import Any

import torch

from ._chip import Chip
from ._errors import refuse

__all__ = ["AnalogModel"]


class AnalogModel(torch.nn.Module):
    """A chip of a sweep as a module: ``forward`` is the chip's, from normalised images to logits.

    It is for evaluation. There are no gradients: an input that asks for one is refused. Images are numbered from call to
    call, as a sweep numbers its test images, because noise of reads is drawn by the number; ``rewind`` begins again. So
    that the numbers are those of a sweep, batches have a multiple of 16 images; only the last may be another one.

    Parameters
    ----------
    result
        A ``pimento.Result``.
    point, index
        Which chip.

    Examples
    --------
    ``model = pimento.torch.AnalogModel(result, point=0, index=17)``, then ``model(images).argmax(1)``.
    """

    def __init__(self, result: Any, *, point: int = 0, index: int = 0):
        super().__init__()
        self.chip: Chip = result.chip(point, index)
        self.images = 0

    def rewind(self) -> None:
        """The next image is the first one again."""
        self.images = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of images ``(N, C, H, W)``."""
        if not isinstance(images, torch.Tensor):
            raise refuse("images", type(images), f"an object of type {type(images).__name__}", "a torch.Tensor")
        if images.requires_grad and torch.is_grad_enabled():
            raise refuse("images", images.shape, "gradients are asked for, and a chip has none", "torch.no_grad()")
        if self.images % 16:
            fix = "batches of a multiple of 16 images, or rewind() before the first image"
            raise refuse("images", self.images, f"{self.images} images came before", fix)
        found = self.chip.logits(images.detach().cpu().numpy(), first=self.images)
        self.images += len(images)
        return torch.from_numpy(found).to(images.device)
