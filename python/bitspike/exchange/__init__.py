"""Networks for other programs: files that run without Python."""

from .network_file import load_network as load_network
from .network_file import save_network as save_network
from .network_file import verify as verify
