"""`python -m lungportal_send`."""

import sys

from lungportal_send.main import main

sys.exit(main())
