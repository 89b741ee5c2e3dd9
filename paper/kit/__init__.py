"""What only the paper's scripts use: its own measures, figures, tables and corpora."""
