import numpy as np
import pandas as pd
import pytest

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.core.errors import ConfigurationError


@pytest.mark.parametrize(
    "wrong,says",
    [
        ({"quantiles": (0.9, 0.1)}, "quantiles"),
        ({"quantiles": (1, 99)}, "quantiles"),
        ({"bounds": {"x": (2.0, 1.0)}}, "'x'"),
        ({"bounds": {"x": (np.nan, 1.0)}}, "'x'"),
        ({"units": {"x": 0.0}}, "above 0"),
        ({"category_cost": -1.0}, "category_cost"),
        ({"derived": ("net",)}, "repair"),
        ({"immutable": "age"}, "tuple of names"),
        ({"increasing": ("x", "x")}, "twice"),
        ({"increasing": ("x",), "decreasing": ("x",)}, "both increasing and decreasing"),
        ({"increasing": ("x",), "immutable": ("x",)}, "both increasing and immutable"),
        ({"categorical": ("x",), "bounds": {"x": (0, 1)}}, "both categorical and bounds"),
    ],
)
def test_constraints_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(ConfigurationError, match=says):
        Constraints(**wrong)


def test_name_that_is_no_feature_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigurationError, match=r"immutable names 'incme'; did you mean 'income'\?"):
        Constraints(immutable=("incme",)).require_columns(pd.Index(["age", "income"]))


def test_names_of_features_are_fine():
    Constraints(immutable=("age",), bounds={"income": (0, 1)}, units={"income": 5}).require_columns(["age", "income"])
