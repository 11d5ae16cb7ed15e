"""Files that can crash the library that reads them are read in a process of its own, with limits."""
