"""Semi-supervised, rotationally invariant variational autoencoders of images with strong rotational disorder."""

__version__ = "0.1.0"
