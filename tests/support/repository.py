"""Where tests find what is not theirs: the repository, and the folder that may lie beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
"""Real images, published numbers and specifications; a test that needs them is skipped where they are not."""
