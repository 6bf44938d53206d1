"""NIR: graphs and files that libraries of spiking networks share. `bitspike.nir` has its names."""

from .data import load_data as load_data
from .data import save_data as save_data
from .errors import NIRError as NIRError
from .network import Network as Network
from .reading import check as check
from .reading import from_nir as from_nir
from .report import Line as Line
from .report import Report as Report
from .writing import to_nir as to_nir
