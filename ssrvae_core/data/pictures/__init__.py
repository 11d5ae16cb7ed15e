"""Picture files: TIFF, PNG, JPEG and kin, each read by itself, whatever it names."""
