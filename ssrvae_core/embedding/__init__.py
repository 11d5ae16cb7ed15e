"""What images are described by before any label: invariant measurements, latents, and what to label next."""
