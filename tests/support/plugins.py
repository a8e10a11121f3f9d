"""Methods and datasets that come and go in one process, of which the product reads what is installed once."""

from methods.registry import installed
from protocols.datasets import registry


def forget_installed():
    """Let what is installed be read again."""
    installed._installed.cache_clear()
    registry.discover_datasets.cache_clear()
