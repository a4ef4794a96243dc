# scikit-learn has no types. Its base classes alone are declared here, so that `mypy --strict` can check what
# inherits from them; everything else of it counts as Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
