"""Labels of features: the texts that activate a feature, who labels it from them, and how well the label fits."""
