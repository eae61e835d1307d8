"""Where the records of a test begin, found without reading those of months before it."""

from __future__ import annotations

from mlflowctl.live.batches import UNREADABLE
from mlflowctl.registry.objects import Objects
from mlflowctl.serving.records import key, prefix, read_chunk

FEW = 64  # chunks that are read rather than searched
BACK = 8  # chunks before the found place that are read too: steps of neighbours may overlap


def before_step(objects: Objects, model: str, step: int) -> dict[str, int]:
    """A cursor behind which there is no record of a step.

    Steps are numbers of ledger entries and a gateway's chunks follow each other, so steps rise along its
    chunks, and a search by halves finds the place.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        step: the first of the test.

    Returns:
        Gateway → number of a chunk; gateways that have few chunks are left out.
    """
    found = {}
    for gateway in objects.folders(prefix(model)):
        place = _search(objects, model, gateway, step)
        if place > FEW:
            found[gateway] = place - BACK
    return found


def _search(objects: Objects, model: str, gateway: str, step: int) -> int:
    """The last chunk, or one near it, whose records are all of earlier steps; 0 for none."""
    low, reach = 0, FEW
    while _earlier(objects, model, gateway, low + reach, step):  # doubles: nobody knows how many there are
        low, reach = low + reach, 2 * reach
    high = low + reach if low else 0
    while high - low > 1:
        middle = (low + high) // 2
        if _earlier(objects, model, gateway, middle, step):
            low = middle
        else:
            high = middle
    return low


def _earlier(objects: Objects, model: str, gateway: str, sequence: int, step: int) -> bool:
    """Whether the first chunk from this number on is of earlier steps; False if there is none."""
    folder = f"{prefix(model)}{gateway}/"
    found = objects.keys_after(folder, key(model, gateway, sequence - 1), 1)
    if not found:
        return False
    number = int(found[0].rsplit("/", 1)[1].split(".")[0])
    try:
        steps = [one.step for one in read_chunk(objects, model, gateway, number)]
    except UNREADABLE:
        return False
    return bool(steps) and max(steps) < step
