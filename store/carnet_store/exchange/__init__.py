"""In and out: bundles, attestations, reports."""
