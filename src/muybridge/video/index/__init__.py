"""Finding frames by the packets of a file, without decoding all of it."""
