"""The function behind the patient search: runs of three characters, PostgreSQL core only."""

from django.db import migrations

CREATE = """
create function lungportal_trigrams(t text) returns text[]
language sql immutable parallel safe strict as $$
  select array_agg(distinct substr(t, i, 3)) from generate_series(1, greatest(length(t) - 2, 1)) as i
$$
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunSQL(CREATE, "drop function lungportal_trigrams(text)")]
