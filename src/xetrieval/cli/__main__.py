"""python -m xetrieval.cli"""

from . import main

main()
