"""Networks and recordings in NIR, the format that libraries of spiking networks share.

It needs the package of that name: ``pip install "bitspike[nir]"``.
"""

from bitspike.exchange.nir import Line as Line
from bitspike.exchange.nir import Network as Network
from bitspike.exchange.nir import NIRError as NIRError
from bitspike.exchange.nir import Report as Report
from bitspike.exchange.nir import check as check
from bitspike.exchange.nir import from_nir as from_nir
from bitspike.exchange.nir import load_data as load_data
from bitspike.exchange.nir import save_data as save_data
from bitspike.exchange.nir import to_nir as to_nir
