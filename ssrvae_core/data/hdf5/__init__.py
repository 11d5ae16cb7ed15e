"""HDF5 files of any origin: MATLAB, HyperSpy, Velox, NeXus, NSID, or somebody's script."""
