"""Side-by-side comparison with other libraries: ``python -m bench.compare AREA``.

One file per area (``kmeans.py``) lists rows and contenders in the terms of `case`; everything else is
generic: `runner` starts a fresh process per measurement (`child`), `limits` measures what the machine can do,
`report` writes the tables, the plot and the JSON file.
"""
