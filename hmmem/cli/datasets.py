"""``hmmem datasets``: what comes with the library."""

from __future__ import annotations

from hmmem import datasets as bundled
from hmmem.cli.options import FormatOption, OutputOption
from hmmem.cli.output import chosen, require_writable, write_columns


def datasets(output: OutputOption = None, format: FormatOption = None) -> int:
    """List the data sets that come with hmmem; their names can be given as DATA."""
    chosen(output, format)
    require_writable(output)
    found = [bundled.load_dataset(name) for name in bundled.names()]
    table = {
        "name": [data.name for data in found],
        "frames": [len(data.X) for data in found],
        "columns": [" ".join(data.columns) for data in found],
        "source": [data.source for data in found],
    }
    write_columns(table, output, format)
    return 0
