"""Labels of features: the texts that activate a feature, labellers, and measures of how well labels fit."""
