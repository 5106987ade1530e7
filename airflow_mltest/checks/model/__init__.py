"""Questions to ask of a model: accuracy, slices, baseline, latency, noise, adversarial, ..."""
