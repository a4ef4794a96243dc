"""The transformers of mlcore.preprocessing."""

from . import Case

_ANY_VALUES = "categories may be values of any type, and categories_ keeps theirs"
_ORDER = "fit_transform is not fit().transform(): its random order is tested in tests/preprocessing"

CASES = {
    "preprocessing.ExclusiveFeatureBundler": Case(
        without={"control_c": "counts and a colouring of few columns: no arguments make it last a minute"},
    ),
    "preprocessing.OrderedTargetEncoder": Case(
        random=False,
        without={
            "integer_and_bool_input": _ANY_VALUES,
            "objects_that_hold_numbers": _ANY_VALUES,
            "shapes_and_types_that_are_refused": "strings are categories; the rest is scikit-learn's check",
            "a_failed_fit_changes_nothing": "strings, which must fail there, are categories here",
            "output_containers": _ORDER,
            "use_of_generators": _ORDER,
            "control_c": "one sort of each column: no arguments make it last a minute",
        },
    ),
}
