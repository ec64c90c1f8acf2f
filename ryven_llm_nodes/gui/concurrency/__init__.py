"""Worker threads, so that no window blocks, and garbage collection, which is kept out of them."""
