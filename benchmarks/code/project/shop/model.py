"""A model that tests know from a pickle only."""


class Model:
    def predict(self):
        return self.weight * 2
