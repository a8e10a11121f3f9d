"""From bytes of a file to arrays: decoding, and the image stores that all processes share."""
