"""Parts of networks that several detectors share: pyramids, heads, small networks."""
