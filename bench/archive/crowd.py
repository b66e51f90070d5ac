"""Many instances that are there already, as rows; and what an arriving one costs among them."""

from __future__ import annotations

from tests.live import Portal

ROWS_PER_SERIES = 300

CROWD = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute('''
    WITH one AS (
      SELECT i.*, s.study_id FROM scans_instance i JOIN scans_series s ON s.id = i.series_id LIMIT 1),
    studies AS (
      INSERT INTO scans_study SELECT (json_populate_record(st, json_build_object(
        'id', gen_random_uuid(), 'study_instance_uid', '2.25.9' || lpad(n::text, 12, '0'),
        'completed_at', now(), 'status', 'not_read'))).*
      FROM scans_study st, generate_series(1, %(series)s) n WHERE st.id = (SELECT study_id FROM one)
      RETURNING id, study_instance_uid),
    series AS (
      INSERT INTO scans_series SELECT (json_populate_record(se, json_build_object(
        'id', gen_random_uuid(), 'study_id', studies.id,
        'series_instance_uid', studies.study_instance_uid || '.1', 'instance_count', %(each)s))).*
      FROM scans_series se, studies WHERE se.id = (SELECT series_id FROM one)
      RETURNING id, series_instance_uid)
    INSERT INTO scans_instance SELECT (json_populate_record(i, json_build_object(
        'id', gen_random_uuid(), 'series_id', series.id,
        'sop_instance_uid', series.series_instance_uid || '.' || n,
        'sha256', encode(sha256((series.series_instance_uid || n)::bytea), 'hex'), 'position', n))).*
      FROM scans_instance i, series, generate_series(1, %(each)s) n WHERE i.id = (SELECT id FROM one)
    ''', {'series': SERIES, 'each': EACH})
    cursor.execute('ANALYZE')
"""


def crowd(portal: Portal, instances: int) -> None:
    """Add rows of so many instances, a study for each 300, copied from one that was really sent."""
    series = -(-instances // ROWS_PER_SERIES)
    script = CROWD.replace("SERIES", str(series)).replace("EACH", str(ROWS_PER_SERIES))
    portal.manage("shell", "-c", script)
