"""scikit-learn shells around the values: the only objects that change."""
