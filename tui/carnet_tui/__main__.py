"""`python -m carnet_tui` is `carnet`."""

import sys

from carnet_tui.start import main

sys.exit(main())
