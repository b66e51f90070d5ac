#!/usr/bin/env python3
"""Django's commands. `bin/manage` calls them with the settings of the running stack."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from lungportal.settings.environment import settings_module

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module(os.environ))
    execute_from_command_line(sys.argv)
