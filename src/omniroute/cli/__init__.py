"""The commands of ``python -m omniroute``, one module each; see `omniroute.__main__`."""
