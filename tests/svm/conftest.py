"""The slow twins, importable as svm_oracle."""

import importlib.util
import pathlib
import sys

# Tests are imported by path, not as a package: this makes `import svm_oracle` work in them.
_spec = importlib.util.spec_from_file_location("svm_oracle", pathlib.Path(__file__).with_name("oracle.py"))
_module = importlib.util.module_from_spec(_spec)
sys.modules["svm_oracle"] = _module
_spec.loader.exec_module(_module)
