"""python -m xetrieval"""

from .cli import main

main()
