"""In and out: bundles, attestations, and what a bundle tells without Carnet."""
