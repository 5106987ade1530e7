"""Search for small changes to rows that change a model's answers: black box, all rows at once, within constraints."""
