"""The room of files: everything hmmem reads from a disk or writes to one.

It knows arrays, JSON and a table of names, and nothing of models, so it imports no other room of the library.

- ``atomic`` replaces a file as a whole or not at all; every writer of the library goes through it.
- ``model_file`` is the format: one zip of JSON and ``.npy`` arrays, checksummed, without pickle.
- ``stored_zip`` is the container, ``npy`` and ``strict_json`` are the two encodings inside it.
- ``registry`` turns objects into model files and back: ``save`` and ``load``.
- ``tables`` reads CSV, Parquet, ``.npy`` and ``.npz`` for the command line and writes CSV and JSON;
  ``table`` is what they become, ``delimited`` and ``table_writer`` do what concerns text.
"""
