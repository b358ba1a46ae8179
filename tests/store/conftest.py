"""Puts the helpers beside these tests on the path: tests are imported by location, not as a package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
