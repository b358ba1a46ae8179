"""Run folders: fields, weights and restart states that outlive the process, and files in and out."""

from kadanoff.store.folder import Store
from kadanoff.store.formats import export_hdf5, export_npy, import_hdf5, import_npy
from kadanoff.store.manifest import Block
from kadanoff.store.repair import repair
from kadanoff.store.view import StoredFields

__all__ = [
    "Block",
    "Store",
    "StoredFields",
    "export_hdf5",
    "export_npy",
    "import_hdf5",
    "import_npy",
    "repair",
]
