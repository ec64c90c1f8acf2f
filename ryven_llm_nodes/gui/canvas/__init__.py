"""What lies on the canvas: how a node looks, what it shows of its run, its marks, and where it is put."""
