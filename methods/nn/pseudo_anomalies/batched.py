"""Drawn pseudo anomalies made of a batch of images at once, on the device where they are.

In every bit what a draw makes of one image by itself on the processor.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from methods.nn.pseudo_anomalies import enhancers
from methods.nn.pseudo_anomalies.cp_scar import Scar
from methods.nn.pseudo_anomalies.cutmix import JITTER, Jitter, Paste
from methods.nn.pseudo_anomalies.source import Change, InTurn
from methods.uploads import upload

NO_PIXEL = -1


def changed(images: Tensor, changes: Sequence[Change]) -> Tensor:
    """Images (K, S, S, C) uint8, each changed as its draw says."""
    if not changes:
        return images
    images = pasted(images, [change.first if isinstance(change, InTurn) else change for change in changes])
    rest = [(place, change.second) for place, change in enumerate(changes) if isinstance(change, InTurn)]
    if not rest:
        return images
    places = upload(torch.tensor([place for place, _ in rest]), images.device)
    again = pasted(images.index_select(0, places), [scar for _, scar in rest])
    return images.index_copy(0, places, again)


def pasted(images: Tensor, pastes: Sequence[Paste | Scar]) -> Tensor:
    """Images (K, S, S, C) uint8, in each the jittered pixels of its paste's rectangle where its canvas has them."""
    device, (count, size, _, channels) = images.device, images.shape
    numbers = [(*paste.source, *paste.sides, *paste.target) for paste in pastes]
    table = upload(torch.tensor(numbers), device)[:, :, None]
    source_y, source_x, height, width, target_y, target_x = table.unbind(1)
    rows, columns = (torch.arange(max(sides), device=device) for sides in zip(*(p.sides for p in pastes), strict=True))
    image = torch.arange(count, device=device)[:, None, None]
    y, x = (source_y + rows).clamp_max(size - 1), (source_x + columns).clamp_max(size - 1)
    inside = (rows < height)[:, :, None] & (columns < width)[:, None, :]
    patches = jittered(images[image, y[:, :, None], x[:, None, :]], inside, [paste.jitter for paste in pastes])

    canvas = upload(torch.from_numpy(_canvases(pastes, len(columns))), device)
    line = torch.arange(size, device=device)
    row, column = line - target_y, line - target_x
    lands = _within(row, canvas.shape[1])[:, :, None] & _within(column, canvas.shape[2])[:, None, :]
    row, column = row.clamp(0, canvas.shape[1] - 1), column.clamp(0, canvas.shape[2] - 1)
    place = canvas[image, row[:, :, None], column[:, None, :]]
    index = place.clamp_min(0).long().reshape(count, -1, 1).expand(-1, -1, channels)
    pixels = patches.reshape(count, -1, channels).gather(1, index).reshape(images.shape)
    return torch.where((lands & (place != NO_PIXEL))[..., None], pixels, images)


def jittered(patches: Tensor, inside: Tensor, jitters: Sequence[Jitter]) -> Tensor:
    """Patches (K, h, w, C) uint8, `inside` (K, h, w) of them, with the colours of their jitters."""
    is_grey = patches.shape[-1] == 1
    for turn in range(len(JITTER)):
        for number, kind in enumerate(JITTER):
            members = [place for place, jitter in enumerate(jitters) if jitter.order[turn] == number]
            if members and not (is_grey and kind in {"saturation", "hue"}):
                factors = torch.tensor([jitters[place].factors[number] for place in members], dtype=torch.float64)
                places = upload(torch.tensor(members), patches.device)
                chosen, of_them = patches.index_select(0, places), inside.index_select(0, places)
                adjusted = ADJUSTMENTS[kind](chosen, of_them, upload(factors, patches.device))
                patches = patches.index_copy(0, places, adjusted)
    return patches


ADJUSTMENTS = {
    "brightness": enhancers.with_brightness,
    "contrast": enhancers.with_contrast,
    "saturation": enhancers.with_saturation,
    "hue": enhancers.with_hue,
}


def _canvases(pastes: Sequence[Paste | Scar], columns: int) -> np.ndarray:
    """Places in patches of so many columns, (K, h, w) int32; NO_PIXEL where nothing lands."""
    canvases = [paste.canvas() for paste in pastes]
    height, width = (max(sides) for sides in zip(*(canvas.shape for canvas in canvases), strict=True))
    together = np.full((len(pastes), height, width), NO_PIXEL, np.int32)
    for layer, canvas, paste in zip(together, canvases, pastes, strict=True):
        row, column = np.divmod(canvas, paste.sides[1])
        layer[: canvas.shape[0], : canvas.shape[1]] = np.where(canvas < 0, NO_PIXEL, row * columns + column)
    return together


def _within(places: Tensor, side: int) -> Tensor:
    return (places >= 0) & (places < side)
