"""The runtime of inkwise's page with no server: two files of ONNX Runtime Web."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""The folder of the files."""
