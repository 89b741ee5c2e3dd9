"""python -m xetrieval.cli"""

from .app import main

main()
