"""Makes `import boosting_oracle` work: tests are imported by path, not as a package."""

import importlib.util
import pathlib
import sys

_spec = importlib.util.spec_from_file_location(
    "boosting_oracle", pathlib.Path(__file__).with_name("oracle.py")
)
_module = importlib.util.module_from_spec(_spec)
sys.modules["boosting_oracle"] = _module
_spec.loader.exec_module(_module)
