"""What rows say of where they came from."""

from specbp.provenance import package_sources
from specbp.runtime.native.library import FOLDER


def test_headers_count_as_sources_too():
    """Kind: a file that changes what is computed, but not what rows say it was computed by."""
    compiled = {path for path in FOLDER.iterdir() if path.suffix in (".cpp", ".h")}
    assert len(compiled) > 1 and compiled <= set(package_sources())


def test_what_only_shows_results_is_no_source_of_them():
    assert not any("report" in path.parts for path in package_sources())
