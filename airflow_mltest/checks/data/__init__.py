"""Questions to ask of data that no single column answers: drift, skew, leakage."""
